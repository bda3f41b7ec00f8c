//! What was measured: rows for the eye, and for programs.

use std::fmt::Write as _;

use serde::Serialize;

/// One number of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What is measured, in a few words; the same for both servers.
    pub name: String,
    pub unit: &'static str,
    pub value: f64,
}

/// What one scenario found about one server.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub scenario: &'static str,
    /// `quire` or `relay`.
    pub target: &'static str,
    pub figures: Vec<Figure>,
}

impl Outcome {
    pub fn new(scenario: &'static str, target: &'static str) -> Self {
        Self { scenario, target, figures: Vec::new() }
    }

    /// Adds a figure.
    pub fn push(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), unit, value });
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

/// Writes a scenario's outcomes as a table: a line per figure, quire first, the yardstick and the ratio beside it.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    let alone = outcomes.len() == 1;
    for outcome in outcomes.iter().filter(|outcome| alone || outcome.target != "relay") {
        let relay = outcomes.iter().find(|o| !alone && o.target == "relay" && o.scenario == outcome.scenario);
        let yardstick = if relay.is_some() { "relay" } else { "" };
        let ratio = if relay.is_some() { "ratio" } else { "" };
        let _ = writeln!(out, "{:<42} {:>12} {yardstick:>12} {ratio:>7}", outcome.scenario, outcome.target);
        for figure in &outcome.figures {
            let label = format!("  {} [{}]", figure.name, figure.unit);
            let _ = write!(out, "{label:<42} {:>12}", number(figure.value));
            if let Some(relay) = relay.and_then(|relay| relay.value(&figure.name)) {
                let ratio =
                    if relay == 0.0 { "-".to_owned() } else { format!("{:.2}", figure.value / relay) };
                let _ = write!(out, " {:>12} {ratio:>7}", number(relay));
            }
            out.push('\n');
        }
    }
    out
}

/// Three digits are what a measurement on a shared machine can stand for.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 10.0 => format!("{value:.2}"),
        medium if medium < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_beside_those_of_the_yardstick() {
        let mut quire = Outcome::new("many", "quire");
        quire.push("rate", 18_000.0, "op/s");
        quire.push("commits", 12.5, "1/s");
        let mut relay = Outcome::new("many", "relay");
        relay.push("rate", 24_000.0, "op/s");
        let text = table(&[quire, relay]);
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0], ["many", "quire", "relay", "ratio"]);
        assert_eq!(lines[1], ["rate", "[op/s]", "18000", "24000", "0.75"]);
        assert_eq!(lines[2], ["commits", "[1/s]", "12.5"]);
    }
}

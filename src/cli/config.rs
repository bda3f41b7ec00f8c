//! `quire config`: what a server would be told, by whom, and what is wrong with it.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{ArgMatches, Args, Subcommand};

use crate::app::faults;
use crate::config::{Complaint, Layers, ServeOptions, check_variables, is_secret};

/// What `quire config` is asked.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Tell everything that is wrong with the file, the variables and the flags.
    #[command(after_help = "\
Examples:
  quire config check --config /etc/quire.toml
  QUIRE_TLS_CERT=cert.pem quire config check

Every complaint is a line: place, key, what is wrong with it, what is wanted. Nothing is started or made; files that
settings name are read. A QUIRE_… variable that nothing has is a complaint too: a server would start without noticing it.

Exit code: 0 if a server would start with it, as far as can be told; 1 if not.")]
    Check(Asked),
    /// Show every setting with its source, as a file that can be used; secrets are not shown.
    #[command(after_help = "\
Examples:
  quire config show > quire.toml
  quire config show --config /etc/quire.toml --workers 4

Exit code: 0; 1 if the file cannot be used; 2 for flags or variables that make no sense.")]
    Show(Asked),
}

/// The same flags as of `quire serve`.
#[derive(Args, Debug)]
pub struct Asked {
    #[command(flatten)]
    options: Box<ServeOptions>,
}

/// Whether a command line asks for [`ConfigCommand::Check`], though the parser may refuse the rest of it.
pub fn is_check(matches: &ArgMatches) -> bool {
    matches.subcommand_matches("config").is_some_and(|inner| inner.subcommand_name() == Some("check"))
}

/// Runs `quire config check`.
///
/// # Errors
/// Something is wrong; every complaint has been told.
pub fn check(layers: &Layers) -> anyhow::Result<()> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut complaints = layers.complaints.clone();
    complaints.extend(check_variables(&layers.command, names, &|name| std::env::var_os(name)));
    if complaints.is_empty() {
        complaints.extend(meaning(layers));
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    match complaints.len() {
        0 => Ok(writeln!(std::io::stdout(), "nothing is wrong")?),
        1 => anyhow::bail!("1 complaint"),
        many => anyhow::bail!("{many} complaints"),
    }
}

/// What only shows when the values are used together. A line that the parser refuses ends the process, as everywhere.
fn meaning(layers: &Layers) -> Vec<Complaint> {
    let matches = layers.command.clone().get_matches();
    let check = matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("check"));
    let Some(check) = check else { return Vec::new() };
    let options = <ServeOptions as clap::FromArgMatches>::from_arg_matches(check);
    let Ok(options) = options else { return Vec::new() };
    let complain = |(keys, text): (&[&str], String)| {
        let set: Vec<_> = keys.iter().filter_map(|key| place_of(layers, check, key)).collect();
        match set.as_slice() {
            [(key, place)] => Complaint::new(place, format!("{key}: {text}")),
            [] | [..] => Complaint::new("together", text),
        }
    };
    faults(&options).into_iter().map(complain).collect()
}

/// Where a key has its value from; `None` where nobody has set it.
fn place_of<'a>(layers: &Layers, check: &ArgMatches, key: &'a str) -> Option<(&'a str, String)> {
    let config = layers.command.find_subcommand("config")?.find_subcommand("check")?;
    let flag = config.get_arguments().find(|flag| flag.get_id() == key)?;
    let source = layers.source(check, flag)?;
    (source != "default").then_some((key, source))
}

/// Runs `quire config show`.
///
/// # Errors
/// Standard output is closed.
pub fn show(layers: &Layers, matches: &ArgMatches) -> anyhow::Result<()> {
    let inner = matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("show"));
    let inner = inner.context("another command")?;
    let mut command = layers.command.clone();
    command.build();
    let config = command.find_subcommand("config").and_then(|config| config.find_subcommand("show"));
    let mut out = std::io::stdout();
    let flags = config.context("another command")?.get_arguments();
    for flag in
        flags.filter(|flag| flag.get_env().is_some() && !flag.is_hide_set() && flag.get_id() != "config")
    {
        let key = flag.get_id().as_str();
        let values: Vec<String> = inner
            .get_raw(key)
            .map(|values| values.map(|value| value.to_string_lossy().into_owned()).collect())
            .unwrap_or_default();
        let source = layers.source(inner, flag);
        match (values.as_slice(), source) {
            ([], _) | (_, None) => writeln!(out, "# {key} is not set")?,
            (_, Some(source)) if is_secret(flag) => writeln!(out, "# {key} = ***  # {source}")?,
            ([one], Some(source)) if flag.get_value_delimiter().is_none() => {
                writeln!(out, "{key} = {}  # {source}", toml_of(one))?;
            }
            (many, Some(source)) => {
                let items: Vec<_> = many.iter().map(|item| toml_of(item)).collect();
                writeln!(out, "{key} = [{}]  # {source}", items.join(", "))?;
            }
        }
    }
    Ok(())
}

/// A value as TOML. A number may stand as one: the file's reader takes it for the text that it is here.
fn toml_of(text: &str) -> String {
    if text.parse::<i64>().is_ok_and(|number| number.to_string() == text) {
        return text.to_owned();
    }
    // Strings of JSON are strings of TOML, which has the same escapes and more.
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::CommandFactory as _;

    use super::super::Cli;

    /// A file is read by several commands, and its keys are the flags' names among them.
    fn gather(command: &clap::Command, variables: &mut BTreeMap<String, String>) {
        for flag in command.get_arguments() {
            let Some(variable) = flag.get_env() else { continue };
            let (key, variable) = (flag.get_id().to_string(), variable.to_string_lossy().into_owned());
            let other = variables.insert(key.clone(), variable.clone()).unwrap_or_else(|| variable.clone());
            assert_eq!(other, variable, "{key} means two things");
        }
        command.get_subcommands().for_each(|inner| gather(inner, variables));
    }

    #[test]
    fn a_key_means_the_same_in_every_command() {
        let mut variables = BTreeMap::new();
        gather(&Cli::command(), &mut variables);
        assert_eq!(variables["listen"], "QUIRE_LISTEN");
        assert_eq!(variables["worker_listen"], "QUIRE_WORKER_LISTEN");
    }
}

//! The configuration file: TOML, with the line of every value.
//!
//! A key is a flag without its dashes: `--allowed-hosts` is `allowed_hosts`, or `hosts` in a table `[allowed]`. What a key
//! means is not known here, so that a new flag needs nothing in this file.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Complaint;

/// A file as it was read: what it sets, and what is wrong with its form.
#[derive(Debug, Default)]
pub struct ConfigFile {
    pub settings: Vec<Setting>,
    pub complaints: Vec<Complaint>,
}

/// A value, and where it stands.
#[derive(Debug)]
pub struct Setting {
    /// In the form of a flag's identifier: `allowed_hosts`.
    pub key: String,
    /// `FILE:LINE`, the first line being 1.
    pub place: String,
    pub value: Value,
}

/// A value as the flag of the same name would take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    One(String),
    Many(Vec<String>),
    Switch(bool),
}

impl ConfigFile {
    /// Reads a file. What cannot be read is a complaint, and everything else of it is used.
    pub fn read(path: &Path) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&path.display().to_string(), &text),
            Err(error) => {
                let complaint = Complaint::new(path.display(), format!("it cannot be read: {error}"));
                Self { complaints: vec![complaint], ..Self::default() }
            }
        }
    }

    /// Reads the text of a file of this name.
    pub fn parse(name: &str, text: &str) -> Self {
        let mut reader = Reader { name, text, file: Self::default(), seen: HashMap::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = reader.place(error.span().unwrap_or_default());
            reader.complain(place, error.message().to_owned());
        }
        reader.table("", table.get_ref());
        // Tables come in the order of their names, people read from the top.
        let line = |place: &str| {
            place.rsplit(':').next().and_then(|line| line.parse::<usize>().ok()).unwrap_or_default()
        };
        reader.file.settings.sort_by_key(|setting| line(&setting.place));
        reader.file.complaints.sort_by_key(|complaint| line(complaint.place()));
        reader.file
    }
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    file: ConfigFile,
    /// Keys so far, and where they stand: `tls_cert` and `cert` in `[tls]` are one.
    seen: HashMap<String, String>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let name_of = name.get_ref().replace('-', "_");
            let key = if prefix.is_empty() { name_of } else { format!("{prefix}_{name_of}") };
            let place = self.place(name.span());
            if let Some(inner) = value.get_ref().as_table() {
                self.table(&key, inner);
            } else if let Some(first) = self.seen.get(&key) {
                let text = format!("{key} stands in the file twice, first in {first}");
                self.complain(place, text);
            } else {
                self.seen.insert(key.clone(), place.clone());
                match read_value(value) {
                    Ok(value) => self.file.settings.push(Setting { key, place, value }),
                    Err(kind) => self.complain(
                        place,
                        format!("{key} is {kind}; text, a number, true, false or a list of them is wanted"),
                    ),
                }
            }
        }
    }

    fn place(&self, span: Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        format!("{}:{}", self.name, before.matches('\n').count() + 1)
    }

    fn complain(&mut self, place: String, text: String) {
        self.file.complaints.push(Complaint::new(place, text));
    }
}

/// Reads a value, or tells what it is instead.
fn read_value(value: &Spanned<DeValue<'_>>) -> Result<Value, &'static str> {
    match value.get_ref() {
        DeValue::Boolean(on) => Ok(Value::Switch(*on)),
        DeValue::Array(items) => items.iter().map(scalar).collect::<Result<_, _>>().map(Value::Many),
        _ => scalar(value).map(Value::One),
    }
}

fn scalar(value: &Spanned<DeValue<'_>>) -> Result<String, &'static str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        // As a flag would have it: a number of another base is not known there.
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        DeValue::Integer(_) => Err("a number that is not decimal"),
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(on) => Ok(on.to_string()),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Array(_) => Err("a list of lists"),
        DeValue::Table(_) => Err("a list of tables"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<(String, String, Value)> {
        let file = ConfigFile::parse("q.toml", text);
        assert!(file.complaints.is_empty(), "{:?}", file.complaints);
        file.settings.into_iter().map(|one| (one.key, one.place, one.value)).collect()
    }

    fn complaints(text: &str) -> Vec<String> {
        ConfigFile::parse("q.toml", text).complaints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_and_dashes_are_other_ways_to_write_a_key() {
        let read = settings("workers = 1_000\n[tls]\ncert = 'c.pem'\n\n[allowed]\nhosts = ['a', 'b']\n");
        let one = |text: &str| Value::One(text.into());
        let many = Value::Many(vec!["a".into(), "b".into()]);
        assert_eq!(
            read,
            [
                ("workers".into(), "q.toml:1".into(), one("1000")),
                ("tls_cert".into(), "q.toml:3".into(), one("c.pem")),
                ("allowed_hosts".into(), "q.toml:6".into(), many),
            ]
        );
        assert_eq!(settings("tls-cert = true")[0].2, Value::Switch(true));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let told = complaints("a = 1\nb = 2020-01-01\n[tls]\ncert = 'x'\n[x]\ny = [[1]]\n");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("q.toml:2: b is a date"), "{told:?}");
        assert!(told[1].starts_with("q.toml:6: x_y is a list of lists"), "{told:?}");
        let twice = complaints("tls_cert = 'a'\n[tls]\ncert = 'b'\n");
        assert_eq!(twice.len(), 1, "{twice:?}");
        assert!(twice[0].contains("tls_cert stands in the file twice"), "{twice:?}");
        let broken = complaints("a = 1\nb = \nc = 3\n");
        assert!(broken[0].starts_with("q.toml:2: "), "{broken:?}");
    }
}

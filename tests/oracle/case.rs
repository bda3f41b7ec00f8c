//! Lines of the corpora: how they are read, and when two answers are equal.

use std::collections::HashMap;

use quire::ot::{Attributes, Delta, DeltaError, raw};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A call of quill-delta, and what it answered.
#[derive(Deserialize)]
pub struct Case {
    pub id: String,
    #[serde(rename = "fn")]
    pub function: String,
    pub cat: String,
    /// What to do about it; quirks only.
    #[serde(default)]
    pub advice: String,
    /// By name, as they are written.
    args: HashMap<String, Box<RawValue>>,
    pub expected: Value,
}

pub fn lines<T: for<'de> Deserialize<'de>>(corpus: &str) -> Vec<T> {
    corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Case {
    pub fn text(&self, name: &str) -> &str {
        self.args[name].get()
    }

    pub fn arg<T: for<'de> Deserialize<'de>>(&self, name: &str) -> T {
        serde_json::from_str(self.text(name)).unwrap()
    }

    pub fn raw_delta(&self, name: &str) -> Result<Delta, DeltaError> {
        raw::parse(self.text(name))
    }

    pub fn raw_deltas(&self, name: &str) -> Result<Vec<Delta>, DeltaError> {
        self.arg::<Vec<Box<RawValue>>>(name).into_iter().map(|delta| raw::parse(delta.get())).collect()
    }

    pub fn attributes(&self, name: &str) -> Result<Attributes, DeltaError> {
        match self.text(name) {
            "null" => Ok(Attributes::new()),
            text => raw::attributes(text),
        }
    }

    /// The arguments that are deltas, as they are written.
    pub fn delta_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for (name, arg) in &self.args {
            match name.as_str() {
                "doc" | "delta" | "base" | "ops" | "incoming" => texts.push(arg.get().to_owned()),
                "a" | "b" if !self.function.starts_with("attributes.") => texts.push(arg.get().to_owned()),
                "a" | "b" | "attr" if arg.get() != "null" => {
                    texts.push(format!(r#"[{{"retain":1,"attributes":{}}}]"#, arg.get()));
                }
                "deltas" | "history" => {
                    texts.extend(
                        self.arg::<Vec<Box<RawValue>>>(name).iter().map(|delta| delta.get().to_owned()),
                    );
                }
                _ => {}
            }
        }
        texts.iter().map(|text| with_escapes(text)).collect()
    }
}

/// `{"$u16":[55357]}` stands for a string with lone surrogates, which as JSON is written with escapes.
fn with_escapes(text: &str) -> String {
    let mut parts = text.split(r#"{"$u16":["#);
    let mut escaped = parts.next().unwrap().to_owned();
    for part in parts {
        let (units, rest) = part.split_once("]}").unwrap();
        let escapes = units.split(',').map(|unit| format!("\\u{:04x}", unit.parse::<u16>().unwrap()));
        escaped += &format!("\"{}\"{rest}", escapes.collect::<String>());
    }
    escaped
}

/// Whether two JSON values are equal: keys in any order, numbers by what they are worth.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

pub fn to_value(delta: &Delta) -> Value {
    serde_json::from_str(&delta.to_json()).unwrap()
}

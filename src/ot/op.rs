//! The parts of a delta.

use std::fmt;
use std::sync::Arc;

use ecow::EcoString;

use super::attributes::Attributes;
use super::text::Text;
use super::value::{Value, write_entries};
use super::write;

/// One part of a delta. Lengths are in UTF-16 code units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Puts content here.
    Insert { insert: Insert, attributes: Attributes },
    /// Keeps `len` units, changing their formatting by `attributes`.
    Retain { len: u64, attributes: Attributes },
    /// Takes so many units away.
    Delete(u64),
}

/// What an insert puts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insert {
    Text(Text),
    Embed(Embed),
}

/// An object in the text, such as an image: one key, its type, with any value. Its length is 1. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Embed(Arc<EmbedContent>);

#[derive(PartialEq, Eq)]
struct EmbedContent {
    kind: EcoString,
    value: Value,
    /// Length as JSON, in bytes.
    json_bytes: usize,
}

impl Embed {
    pub fn new(kind: &str, value: impl Into<Value>) -> Embed {
        let value = value.into();
        let mut json = Vec::new();
        write_entries(&mut json, [(kind, &value)].into_iter());
        Embed(Arc::new(EmbedContent { kind: kind.into(), value, json_bytes: json.len() }))
    }

    /// Its one key.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// Appends the embed as a JSON object of one key.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write_entries(out, [(self.kind(), self.value())].into_iter());
    }

    /// Length as JSON, in bytes.
    pub fn json_bytes(&self) -> usize {
        self.0.json_bytes
    }
}

impl fmt::Debug for Embed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = Vec::new();
        self.write_json(&mut json);
        f.write_str(&String::from_utf8_lossy(&json))
    }
}

impl Insert {
    /// Length in UTF-16 code units; an embed is 1 long.
    pub fn units(&self) -> u64 {
        match self {
            Insert::Text(text) => text.units(),
            Insert::Embed(_) => 1,
        }
    }

    /// The units from `start` to `end` of it; an embed is not cut.
    pub(crate) fn slice(&self, start: u64, end: u64) -> Insert {
        match self {
            Insert::Text(text) => Insert::Text(text.slice(start, end)),
            Insert::Embed(embed) => Insert::Embed(embed.clone()),
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Insert::Text(text) => write::string(out, text.as_str()),
            Insert::Embed(embed) => embed.write_json(out),
        }
    }
}

impl Op {
    /// Length of what it inserts, retains or deletes.
    pub fn units(&self) -> u64 {
        match self {
            Op::Insert { insert, .. } => insert.units(),
            Op::Retain { len, .. } | Op::Delete(len) => *len,
        }
    }

    /// The attributes; a delete has none.
    pub fn attributes(&self) -> &Attributes {
        match self {
            Op::Insert { attributes, .. } | Op::Retain { attributes, .. } => attributes,
            Op::Delete(_) => &Attributes::NONE,
        }
    }

    /// Appends the part as JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Op::Insert { insert, .. } => {
                out.extend_from_slice(b"{\"insert\":");
                insert.write_json(out);
            }
            Op::Retain { len, .. } => {
                out.extend_from_slice(b"{\"retain\":");
                write::whole(out, *len);
            }
            Op::Delete(len) => {
                out.extend_from_slice(b"{\"delete\":");
                write::whole(out, *len);
            }
        }
        write_attributes_and_close(out, self.attributes());
    }
}

/// Appends what follows the content of a part.
pub(crate) fn write_attributes_and_close(out: &mut Vec<u8>, attributes: &Attributes) {
    if !attributes.is_empty() {
        out.extend_from_slice(b",\"attributes\":");
        attributes.write_json(out);
    }
    out.push(b'}');
}

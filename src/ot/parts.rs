//! Reads the parts of a delta, one after the other, each checked by itself.

use std::borrow::Cow;

use arrayvec::ArrayVec;

use super::attributes::Attributes;
use super::error::{DeltaError, Flaw};
use super::json::{Reader, quoted};
use super::op::{Embed, Insert, Op};
use super::text::Text;

const NOT_A_DELTA: Flaw = Flaw::Expected("a delta: an array of parts, or an object whose one key is \"ops\"");

/// Attribute maps that are remembered as written: documents have few that differ.
const REMEMBERED: usize = 8;

/// A part as it is written.
pub(crate) struct Part<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) attributes: Attributes,
}

pub(crate) enum Kind<'a> {
    Text(Cow<'a, str>),
    Embed(Embed),
    Retain(u64),
    Delete(u64),
}

impl Part<'_> {
    pub(crate) fn into_op(self) -> Op {
        let attributes = self.attributes;
        match self.kind {
            Kind::Text(text) => Op::Insert { insert: Insert::Text(Text::from(&*text)), attributes },
            Kind::Embed(embed) => Op::Insert { insert: Insert::Embed(embed), attributes },
            Kind::Retain(len) => Op::Retain { len, attributes },
            Kind::Delete(len) => Op::Delete(len),
        }
    }
}

/// Reads the parts of a delta and gives each to `take`: at most `ops`, each with at most `attributes`.
pub(crate) fn read_parts<'a>(
    json: &'a str,
    ops: usize,
    attributes: usize,
    mut take: impl FnMut(Part<'a>) -> Result<(), DeltaError>,
) -> Result<(), DeltaError> {
    let mut parts = PartReader { reader: Reader::new(json), limit: attributes, remembered: ArrayVec::new() };
    let is_wrapped = parts.reader.take(b'{');
    if is_wrapped && parts.reader.key().map_err(DeltaError::Form)? != "ops" {
        return Err(DeltaError::Form(NOT_A_DELTA));
    }
    if !parts.reader.take(b'[') {
        return Err(DeltaError::Form(NOT_A_DELTA));
    }
    let mut more = !parts.reader.take(b']');
    let mut part = 0;
    while more {
        if part == ops {
            return Err(DeltaError::TooLarge { limit: ops });
        }
        take(parts.read_part().map_err(|flaw| DeltaError::Part { part, flaw })?)?;
        part += 1;
        more = parts.reader.another(b']').map_err(DeltaError::Form)?;
    }
    if is_wrapped && !parts.reader.take(b'}') {
        return Err(DeltaError::Form(NOT_A_DELTA));
    }
    parts.reader.finish().map_err(DeltaError::Form)
}

struct PartReader<'a> {
    reader: Reader<'a>,
    /// Most attributes of a part.
    limit: usize,
    /// Attribute maps that came before, with their text.
    remembered: ArrayVec<(&'a str, Attributes), REMEMBERED>,
}

impl<'a> PartReader<'a> {
    fn read_part(&mut self) -> Result<Part<'a>, Flaw> {
        if !self.reader.take(b'{') {
            return Err(Flaw::Expected("an object with one of insert, retain and delete"));
        }
        let mut kind = None;
        let mut attributes = None;
        let mut more = !self.reader.take(b'}');
        while more {
            let key = self.reader.key()?;
            match &*key {
                "insert" => set_kind(&mut kind, self.read_insert()?, &key)?,
                "retain" => set_kind(&mut kind, self.read_retain()?, &key)?,
                "delete" => set_kind(&mut kind, Kind::Delete(self.reader.length("delete")?), &key)?,
                "attributes" if attributes.is_some() => return Err(Flaw::DuplicateKey(key.into_owned())),
                "attributes" => attributes = Some(self.read_attributes()?),
                _ => return Err(Flaw::UnknownKey(quoted(&key))),
            }
            more = self.reader.another(b'}')?;
        }
        let kind = kind.ok_or(Flaw::Missing("one of insert, retain and delete"))?;
        Ok(Part { kind, attributes: attributes.unwrap_or_default() })
    }

    fn read_insert(&mut self) -> Result<Kind<'a>, Flaw> {
        match self.reader.peek() {
            Some(b'"') => Ok(Kind::Text(self.reader.string()?)),
            Some(b'{') => {
                let (key, value) = self.reader.embed_entry()?;
                Ok(Kind::Embed(Embed::new(&key, value)))
            }
            _ => Err(Flaw::Expected("insert to be a string or an object")),
        }
    }

    fn read_retain(&mut self) -> Result<Kind<'a>, Flaw> {
        match self.reader.peek() {
            Some(b'{') => Err(Flaw::EmbedRetain),
            _ => Ok(Kind::Retain(self.reader.length("retain")?)),
        }
    }

    /// As [`read_attributes`], but a map that is written as one before is that one.
    fn read_attributes(&mut self) -> Result<Attributes, Flaw> {
        self.reader.peek();
        let start = self.reader.rest();
        // An object's text is no prefix of another one's.
        if let Some((text, known)) = self.remembered.iter().find(|(text, _)| start.starts_with(text)) {
            self.reader.skip(text.len());
            return Ok(known.clone());
        }
        let attributes = read_attributes(&mut self.reader, self.limit)?;
        if self.remembered.is_full() {
            self.remembered.remove(0);
        }
        let text = &start[..start.len() - self.reader.rest().len()];
        self.remembered.push((text, attributes.clone()));
        Ok(attributes)
    }
}

fn set_kind<'a>(slot: &mut Option<Kind<'a>>, kind: Kind<'a>, key: &str) -> Result<(), Flaw> {
    let Some(before) = slot.replace(kind) else { return Ok(()) };
    let before = match before {
        Kind::Text(_) | Kind::Embed(_) => "insert",
        Kind::Retain(_) => "retain",
        Kind::Delete(_) => "delete",
    };
    Err(if before == key { Flaw::DuplicateKey(key.to_owned()) } else { Flaw::TwoKinds })
}

/// An attribute map of at most `limit` keys; `null` stands for none.
pub(crate) fn read_attributes(reader: &mut Reader<'_>, limit: usize) -> Result<Attributes, Flaw> {
    match reader.peek() {
        Some(b'{') => reader.attributes(limit),
        Some(b'n') => reader.word("null", Attributes::NONE),
        _ => Err(Flaw::Expected("attributes to be an object")),
    }
}

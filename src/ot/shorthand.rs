//! The short form of an edit, for scripts: one insert, deletion or formatting at a position.

use super::MAX_LENGTH;
use super::attributes::Attributes;
use super::delta::Delta;
use super::error::{DeltaError, Flaw};
use super::json::{Reader, quoted};
use super::op::{Insert, Op};
use super::parse::ATTRIBUTES;
use super::parts::read_attributes;
use super::text::Text;

/// An edit in its short form. Positions and lengths are in UTF-16 code units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// `{"type":"insert","pos":5,"text":"XY","attributes"?:{…}}`
    Insert { pos: u64, text: Text, attributes: Attributes },
    /// `{"type":"delete","pos":2,"len":3}`
    Delete { pos: u64, len: u64 },
    /// `{"type":"format","pos":2,"len":3,"attributes":{…}}`
    Format { pos: u64, len: u64, attributes: Attributes },
}

/// Reads the short form of an edit, and returns the delta it stands for.
///
/// # Errors
/// As [`Edit::parse`].
pub fn from_edit(json: &str) -> Result<Delta, DeltaError> {
    Edit::parse(json).map(Delta::from)
}

impl Edit {
    /// Reads the short form of an edit, as strictly as [`Delta::parse`] reads a delta.
    ///
    /// # Errors
    /// A field that is missing, there twice or not of its kind, or that the type of edit does not have.
    pub fn parse(json: &str) -> Result<Edit, DeltaError> {
        read_fields(json).and_then(Fields::into_edit).map_err(DeltaError::Edit)
    }
}

impl From<Edit> for Delta {
    fn from(edit: Edit) -> Delta {
        let (pos, op) = match edit {
            Edit::Insert { pos, text, attributes } => {
                (pos, Op::Insert { insert: Insert::Text(text), attributes })
            }
            Edit::Delete { pos, len } => (pos, Op::Delete(len)),
            Edit::Format { pos, len, attributes } => (pos, Op::Retain { len, attributes }),
        };
        let mut delta = Delta::new().retain(pos, Attributes::NONE);
        delta.push(op);
        delta.chop();
        delta
    }
}

/// The fields of an edit, whatever its type.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    pos: Option<u64>,
    len: Option<u64>,
    text: Option<Text>,
    attributes: Option<Attributes>,
}

fn read_fields(json: &str) -> Result<Fields, Flaw> {
    let reader = &mut Reader::new(json);
    if !reader.take(b'{') {
        return Err(Flaw::Expected("an object with type, pos, and text or len"));
    }
    let mut fields = Fields::default();
    let mut more = !reader.take(b'}');
    while more {
        let key = reader.key()?;
        let is_first = match &*key {
            "type" => fields.kind.replace(read_string(reader, "type to be a string")?).is_none(),
            "pos" => fields.pos.replace(reader.length("pos")?).is_none(),
            "len" => fields.len.replace(reader.length("len")?).is_none(),
            "text" => fields.text.replace(read_string(reader, "text to be a string")?.into()).is_none(),
            "attributes" => fields.attributes.replace(read_attributes(reader, ATTRIBUTES)?).is_none(),
            _ => return Err(Flaw::UnknownKey(quoted(&key))),
        };
        if !is_first {
            return Err(Flaw::DuplicateKey(key.into_owned()));
        }
        more = reader.another(b'}')?;
    }
    reader.finish()?;
    Ok(fields)
}

fn read_string(reader: &mut Reader<'_>, expected: &'static str) -> Result<String, Flaw> {
    if reader.peek() != Some(b'"') {
        return Err(Flaw::Expected(expected));
    }
    Ok(reader.string()?.into_owned())
}

impl Fields {
    fn into_edit(self) -> Result<Edit, Flaw> {
        let kind = self.kind.ok_or(Flaw::Missing("type"))?;
        let pos = self.pos.ok_or(Flaw::Missing("pos"))?;
        if self.len.is_some_and(|len| len > MAX_LENGTH - pos) {
            return Err(Flaw::BadLength("pos plus len"));
        }
        let len = self.len.ok_or(Flaw::Missing("len"));
        let text = self.text.ok_or(Flaw::Missing("text"));
        let attributes = self.attributes.ok_or(Flaw::Missing("attributes"));
        match kind.as_str() {
            "insert" if len.is_ok() => Err(Flaw::Expected("no len in an insert")),
            "delete" | "format" if text.is_ok() => Err(Flaw::Expected("no text but in an insert")),
            "delete" if attributes.is_ok() => Err(Flaw::Expected("no attributes in a delete")),
            "insert" => Ok(Edit::Insert { pos, text: text?, attributes: attributes.unwrap_or_default() }),
            "delete" => Ok(Edit::Delete { pos, len: len? }),
            "format" => Ok(Edit::Format { pos, len: len?, attributes: attributes? }),
            _ => Err(Flaw::Expected("type to be insert, delete or format")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(edit: &str) -> String {
        from_edit(edit).unwrap().to_json()
    }

    #[test]
    fn each_type_stands_for_a_delta() {
        assert_eq!(json(r#"{"type":"insert","pos":5,"text":"XY"}"#), r#"[{"retain":5},{"insert":"XY"}]"#);
        assert_eq!(json(r#"{"len":3,"pos":2,"type":"delete"}"#), r#"[{"retain":2},{"delete":3}]"#);
        assert_eq!(
            json(r#"{"type":"format","pos":0,"len":3,"attributes":{"bold":true}}"#),
            r#"[{"retain":3,"attributes":{"bold":true}}]"#
        );
    }

    #[test]
    fn an_edit_of_nothing_is_the_empty_delta() {
        assert_eq!(json(r#"{"type":"insert","pos":1,"text":""}"#), "[]");
        assert_eq!(json(r#"{"type":"delete","pos":1,"len":0}"#), "[]");
        assert_eq!(json(r#"{"type":"format","pos":0,"len":5,"attributes":{}}"#), "[]");
    }

    #[test]
    fn what_is_not_exactly_an_edit_is_refused() {
        let refused = [
            r#""insert""#,
            r#"{"type":"insert","text":"x"}"#,
            r#"{"type":"insert","pos":1}"#,
            r#"{"type":"insert","pos":-1,"text":"x"}"#,
            r#"{"type":"insert","pos":1,"text":5}"#,
            r#"{"type":"insert","pos":1,"text":"x","len":1}"#,
            r#"{"type":"insert","pos":1,"pos":1,"text":"x"}"#,
            r#"{"type":"delete","pos":1}"#,
            r#"{"type":"delete","pos":9007199254740991,"len":1}"#,
            r#"{"type":"format","pos":0,"len":5}"#,
            r#"{"type":"replace","pos":0,"len":1,"text":"x"}"#,
            r#"{"type":"delete","pos":0,"len":1,"user":"eve"}"#,
            r#"{"type":"delete","pos":0,"len":1} x"#,
        ];
        for edit in refused {
            assert!(matches!(from_edit(edit), Err(DeltaError::Edit(_))), "{edit}");
        }
    }
}

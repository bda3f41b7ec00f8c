//! Reads a client's frame strictly: shape first, then numbers, then the delta (protocol sections 2, 3 and 6).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::actors::document::presence::PresenceState;
use crate::actors::error::{ErrorCode, Refusal};
use crate::config::Limits;
use crate::formats::NotAllowed;
use crate::ids::{ClientId, Version};
use crate::ot::{Delta, DeltaError, ParseLimits, from_edit};
use crate::protocol::MAX_INTEGER;

/// A frame that keeps to the protocol.
#[derive(Debug)]
pub enum ClientFrame {
    Hello(HelloFrame),
    Op {
        seq: u64,
        base: Version,
        delta: Delta,
    },
    Presence {
        state: Option<PresenceState>,
        base: Option<Version>,
    },
    Auth {
        token: String,
    },
    /// `t` as it was written.
    Ping {
        t: Box<RawValue>,
    },
}

/// The first frame of a session.
#[derive(Debug)]
pub struct HelloFrame {
    pub client: ClientId,
    pub since: Option<Version>,
    /// As sent: one that is no UUID is simply another history.
    pub history: Option<String>,
    pub name: Option<String>,
    pub receipts: bool,
    pub diverged: Option<Version>,
}

/// A frame that does not: how it is answered.
#[derive(Debug)]
pub struct BadFrame {
    pub refusal: Refusal,
    /// Of an `op` frame whose `seq` could be read.
    pub seq: Option<u64>,
}

/// Reads one text frame.
pub fn parse(text: &str, limits: &Limits) -> Result<ClientFrame, BadFrame> {
    let fields: Fields<'_> = serde_json::from_str(text)
        .map_err(|error| bad_request(format!("the frame cannot be read: {error}")))?;
    if let Some(name) = &fields.twice {
        let bad = bad_request(format!("{:.40} is named twice", name.escape_debug()));
        return Err(BadFrame { seq: fields.seq_of_op(), ..bad });
    }
    match fields.kind.as_deref() {
        Some("op") => op(&fields, limits),
        Some("presence") => presence(&fields, limits),
        Some("ping") => ping(&fields),
        Some("hello") => hello(&fields).map(ClientFrame::Hello),
        Some("auth") => Ok(ClientFrame::Auth { token: string(fields.token, "token")? }),
        Some(other) => Err(bad_request(format!("unknown type of frame: {:.40}", other.escape_debug()))),
        None => Err(bad_request("the frame has no type")),
    }
}

/// The fields that any frame may have. Others are ignored, but none may be named twice.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<Cow<'a, str>>,
    /// The first field that was named twice. It is read on, since an `op` is refused with its `seq`.
    twice: Option<Cow<'a, str>>,
    /// There are two `seq`, or two types: nobody knows which of them counts.
    ambiguous: bool,
    seq: Option<&'a RawValue>,
    base: Option<&'a RawValue>,
    delta: Option<&'a RawValue>,
    edit: Option<&'a RawValue>,
    state: Option<&'a RawValue>,
    client: Option<&'a RawValue>,
    since: Option<&'a RawValue>,
    history: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    receipts: Option<&'a RawValue>,
    diverged: Option<&'a RawValue>,
    token: Option<&'a RawValue>,
    t: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Option<&'a RawValue>> {
        Some(match key {
            "seq" => &mut self.seq,
            "base" => &mut self.base,
            "delta" => &mut self.delta,
            "edit" => &mut self.edit,
            "state" => &mut self.state,
            "client" => &mut self.client,
            "since" => &mut self.since,
            "history" => &mut self.history,
            "name" => &mut self.name,
            "receipts" => &mut self.receipts,
            "diverged" => &mut self.diverged,
            "token" => &mut self.token,
            "t" => &mut self.t,
            _ => return None,
        })
    }

    /// The `seq` of an `op` frame, if there is one that can be read.
    fn seq_of_op(&self) -> Option<u64> {
        let seq = self.seq.filter(|_| !self.ambiguous && self.kind.as_deref() == Some("op"))?;
        whole_number(seq.get()).filter(|seq| *seq > 0)
    }

    fn note_twice(&mut self, key: Cow<'a, str>) {
        self.ambiguous |= key == "seq";
        self.twice.get_or_insert(key);
    }
}

impl<'de> de::Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        let mut unknown: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let again = if key == "type" {
                let kind = map.next_value::<Key<'de>>()?.0;
                fields.ambiguous |= fields.kind.as_ref().is_some_and(|before| *before != kind);
                fields.kind.replace(kind).is_some()
            } else if let Some(slot) = fields.slot(&key) {
                slot.replace(map.next_value()?).is_some()
            } else {
                map.next_value::<IgnoredAny>()?;
                !unknown.insert(key.clone())
            };
            if again {
                fields.note_twice(key);
            }
        }
        Ok(fields)
    }
}

/// A string, borrowed from the frame unless it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

fn hello(fields: &Fields<'_>) -> Result<HelloFrame, BadFrame> {
    let client = string(fields.client, "client")?;
    Ok(HelloFrame {
        client: client.parse().map_err(|_| bad_request("client is not a UUID"))?,
        since: optional(fields.since).map(|raw| whole(raw, "since")).transpose()?,
        history: optional(fields.history).map(|raw| string(Some(raw), "history")).transpose()?,
        name: optional(fields.name).map(|raw| string(Some(raw), "name")).transpose()?,
        receipts: match optional(fields.receipts).map(RawValue::get) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(bad_request("receipts is neither true nor false")),
        },
        diverged: optional(fields.diverged).map(|raw| whole(raw, "diverged")).transpose()?,
    })
}

fn op(fields: &Fields<'_>, limits: &Limits) -> Result<ClientFrame, BadFrame> {
    let seq = whole(required(fields.seq, "seq")?, "seq")?;
    if seq == 0 {
        return Err(bad_request("seq begins at 1"));
    }
    let named = |bad: BadFrame| BadFrame { seq: Some(seq), ..bad };
    let base = required(fields.base, "base").and_then(|raw| whole(raw, "base")).map_err(named)?;
    let parse_limits = ParseLimits { ops: limits.ops };
    let delta = match (optional(fields.delta), optional(fields.edit)) {
        (Some(delta), None) => Delta::parse(delta.get(), &parse_limits),
        (None, Some(edit)) => from_edit(edit.get()),
        (Some(_), Some(_)) => return Err(named(bad_request("an op has either delta or edit, not both"))),
        // One that is there and says nothing: that is for the delta to be refused, not for the frame.
        (None, None) if fields.delta.or(fields.edit).is_some() => Delta::parse("null", &parse_limits),
        (None, None) => return Err(named(bad_request("an op has delta or edit"))),
    };
    let delta = delta.map_err(|error| BadFrame { refusal: refuse_delta(&error), seq: Some(seq) })?;
    Ok(ClientFrame::Op { seq, base, delta })
}

/// Tells how a delta with something in it that this server does not take is refused.
pub fn refuse_format(why: &NotAllowed) -> Refusal {
    Refusal::new(ErrorCode::BadOp, why.to_string())
}

/// Tells how a delta that is malformed or does not fit is refused. Also one of too many parts: `too_large` is for bytes.
pub fn refuse_delta(error: &DeltaError) -> Refusal {
    Refusal::new(ErrorCode::BadOp, error.to_string())
}

fn presence(fields: &Fields<'_>, limits: &Limits) -> Result<ClientFrame, BadFrame> {
    let raw = required(fields.state, "state")?.get();
    if raw.len() >= limits.presence_bytes {
        let message = format!("a presence state has less than {} bytes", limits.presence_bytes);
        return Err(BadFrame { refusal: Refusal::new(ErrorCode::TooLarge, message), seq: None });
    }
    let base = optional(fields.base).map(|raw| whole(raw, "base")).transpose()?;
    let state = if raw == "null" { None } else { Some(PresenceState::parse(raw).map_err(bad_request)?) };
    Ok(ClientFrame::Presence { state, base })
}

fn ping(fields: &Fields<'_>) -> Result<ClientFrame, BadFrame> {
    let t = required(fields.t, "t")?;
    serde_json::from_str::<f64>(t.get()).map_err(|_| bad_request("t is not a number"))?;
    Ok(ClientFrame::Ping { t: t.to_owned() })
}

fn required<'a>(raw: Option<&'a RawValue>, name: &str) -> Result<&'a RawValue, BadFrame> {
    raw.ok_or_else(|| bad_request(format!("{name} is missing")))
}

/// `null` stands for an optional field that is absent: that is how some languages write it.
fn optional(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| raw.get() != "null")
}

fn string(raw: Option<&RawValue>, name: &str) -> Result<String, BadFrame> {
    let raw = required(raw, name)?;
    serde_json::from_str(raw.get()).map_err(|_| bad_request(format!("{name} is not a string")))
}

fn whole(raw: &RawValue, name: &str) -> Result<u64, BadFrame> {
    whole_number(raw.get())
        .ok_or_else(|| bad_request(format!("{name} is not a whole number from 0 to 2^53 - 1")))
}

/// Reads a whole number from 0 to 2^53 - 1, also one written as `1.0` or `1e0`.
pub fn whole_number(text: &str) -> Option<u64> {
    if text.len() <= 16 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().filter(|n| *n <= MAX_INTEGER);
    }
    let number: f64 = serde_json::from_str(text).ok()?;
    let fits = number.fract() == 0.0 && (0.0..=MAX_INTEGER as f64).contains(&number);
    fits.then_some(number as u64)
}

fn bad_request(message: impl Into<String>) -> BadFrame {
    BadFrame { refusal: Refusal::new(ErrorCode::BadRequest, message), seq: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> (ErrorCode, Option<u64>) {
        let bad = parse(text, &Limits::default()).expect_err(text);
        (bad.refusal.code, bad.seq)
    }

    #[test]
    fn a_refused_op_is_answered_with_its_seq_when_that_can_be_read() {
        assert_eq!(
            code(r#"{"type":"op","seq":7,"base":0,"delta":[{"retain":-1}]}"#),
            (ErrorCode::BadOp, Some(7))
        );
        assert_eq!(
            code(r#"{"type":"op","seq":7,"base":0,"delta":[{"insert":"\ud800"}]}"#),
            (ErrorCode::BadOp, Some(7))
        );
        assert_eq!(code(r#"{"type":"op","seq":7,"delta":[]}"#), (ErrorCode::BadRequest, Some(7)));
        assert_eq!(code(r#"{"type":"op","seq":1.5,"base":0,"delta":[]}"#), (ErrorCode::BadRequest, None));
    }

    #[test]
    fn a_delta_or_an_edit_that_is_null_is_absent_beside_the_other() {
        let read = |fields: &str| {
            parse(&format!(r#"{{"type":"op","seq":7,"base":0,{fields}}}"#), &Limits::default())
        };
        let insert = r#"{"type":"insert","pos":0,"text":"x"}"#;
        for fields in
            [format!(r#""delta":null,"edit":{insert}"#), r#""edit":null,"delta":[{"insert":"x"}]"#.into()]
        {
            let Ok(ClientFrame::Op { delta, .. }) = read(&fields) else { panic!("{fields}") };
            assert_eq!(delta.to_json(), r#"[{"insert":"x"}]"#);
        }
        for fields in [r#""delta":null"#, r#""edit":null"#, r#""delta":null,"edit":null"#] {
            assert_eq!(read(fields).unwrap_err().refusal.code, ErrorCode::BadOp, "{fields}");
        }
    }

    #[test]
    fn a_field_named_twice_is_refused_known_or_not() {
        assert_eq!(code(r#"{"type":"ping","t":1,"t":2}"#).0, ErrorCode::BadRequest);
        assert_eq!(code(r#"{"type":"ping","t":1,"x":1,"\u0078":2}"#).0, ErrorCode::BadRequest);
        assert!(parse(r#"{"type":"ping","t":1,"x":1,"y":2}"#, &Limits::default()).is_ok());
    }

    #[test]
    fn an_op_that_names_a_field_twice_is_refused_with_its_seq_unless_that_is_the_field() {
        for (fields, seq) in [
            (r#""type":"op","base":0,"base":0,"delta":[],"seq":7"#, Some(7)),
            (r#""delta":[],"seq":7,"delta":[],"base":0,"type":"op""#, Some(7)),
            (r#""type":"op","x":1,"x":1,"seq":7"#, Some(7)),
            (r#""type":"op","seq":7,"base":0,"delta":[],"s\u0065q":7"#, None),
            (r#""type":"op","seq":7,"type":"op","base":0,"delta":[]"#, Some(7)),
            (r#""type":"ping","seq":7,"type":"op","base":0,"delta":[]"#, None),
            (r#""type":"op","seq":"7","base":0,"base":0"#, None),
            (r#""type":"ping","seq":7,"t":1,"t":1"#, None),
        ] {
            assert_eq!(code(&format!("{{{fields}}}")), (ErrorCode::BadRequest, seq), "{fields}");
        }
        // What is not JSON has no seq, whatever stands before the flaw.
        assert_eq!(code(r#"{"type":"op","seq":7,"x":1,"x":1,}"#), (ErrorCode::BadRequest, None));
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        let deep = format!(
            r#"{{"type":"op","seq":1,"base":0,"delta":{}1{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(code(&deep), (ErrorCode::BadOp, Some(1)));
        assert_eq!(code(&"[".repeat(100_000)).0, ErrorCode::BadRequest);
    }

    #[test]
    fn whole_numbers_are_read_in_every_way_of_writing_them() {
        assert_eq!(whole_number("9007199254740991"), Some(MAX_INTEGER));
        assert_eq!(whole_number("2.0"), Some(2));
        assert_eq!(whole_number("1e3"), Some(1_000));
        for bad in ["9007199254740992", "-1", "0.5", "\"1\"", "null", "1e400", "18446744073709551616"] {
            assert_eq!(whole_number(bad), None, "{bad}");
        }
    }
}

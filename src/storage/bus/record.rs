//! The format of the stream, version 1; `docs/stream.md` and `docs/stream.schema.json` describe it to its readers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Record;
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, Shard, UserId, Version};
use crate::storage::{LoggedOp, ShardOp};

/// What every value begins with, so that a reader knows what it has before it, …
pub const MAGIC: [u8; 4] = *b"QOPS";

/// … and the format of what follows: JSON as of [`Event`]. A reader refuses a number that it does not know. Fields may be
/// added without a new one.
pub const FORMAT: u8 = 1;

/// An operation as readers of the stream get it.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    pub doc: DocumentId,
    pub history: HistoryId,
    pub version: Version,
    pub pos: u64,
    pub client: ClientId,
    pub seq: u64,
    pub user: UserId,
    pub at: Millis,
    /// The delta as the log has it.
    #[serde(borrow)]
    pub delta: &'a RawValue,
}

impl From<Event<'_>> for ShardOp {
    fn from(event: Event<'_>) -> Self {
        let Event { doc, history, version, pos, client, seq, user, at, delta } = event;
        let delta = Bytes::copy_from_slice(delta.get().as_bytes());
        Self { pos, doc, history, op: LoggedOp { version, client, seq, user, at, delta } }
    }
}

/// All of an event but the delta, which is JSON already.
#[derive(Serialize)]
struct Head<'a> {
    doc: &'a DocumentId,
    history: HistoryId,
    version: Version,
    pos: u64,
    client: ClientId,
    seq: u64,
    user: &'a UserId,
    at: Millis,
}

impl Record {
    /// Makes the record of an operation. `epoch` is that of the owner who publishes it; `traceparent` is the W3C trace context
    /// of the edit, if it is known.
    pub fn of(placed: &ShardOp, shard: Shard, epoch: Epoch, traceparent: Option<String>) -> Self {
        let ShardOp { pos, doc, op, .. } = placed;
        let headers = [
            ("doc", Some(doc.to_string())),
            ("version", Some(op.version.to_string())),
            ("epoch", Some(epoch.to_string())),
            ("traceparent", traceparent),
        ];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { shard, pos: *pos, key: doc.clone(), headers, value: encode(placed) }
    }
}

fn encode(placed: &ShardOp) -> Vec<u8> {
    let ShardOp { pos, doc, history, op } = placed;
    let head = Head {
        doc,
        history: *history,
        version: op.version,
        pos: *pos,
        client: op.client,
        seq: op.seq,
        user: &op.user,
        at: op.at,
    };
    let mut value = Vec::with_capacity(256 + op.delta.len());
    value.extend(MAGIC);
    value.push(FORMAT);
    // Texts and numbers only, into memory: nothing of that can fail.
    let _ = serde_json::to_writer(&mut value, &head);
    value.pop();
    value.extend(br#","delta":"#);
    value.extend(&op.delta[..]);
    value.push(b'}');
    value
}

/// Why a value of the stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    #[error("it does not begin with {}", String::from_utf8_lossy(&MAGIC))]
    Foreign,
    #[error("it is of format {0}, and this version reads format {FORMAT}")]
    Format(u8),
    #[error("it cannot be read")]
    Malformed(#[from] serde_json::Error),
}

/// Reads a value of the stream.
///
/// # Errors
/// It is of another format, or damaged.
pub fn decode(value: &[u8]) -> Result<Event<'_>, Undecodable> {
    match value.strip_prefix(&MAGIC) {
        Some([FORMAT, json @ ..]) => Ok(serde_json::from_slice(json)?),
        Some([format, ..]) => Err(Undecodable::Format(*format)),
        Some([]) | None => Err(Undecodable::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn op() -> ShardOp {
        ShardOp {
            pos: 1042,
            doc: "welcome".parse().unwrap(),
            history: HistoryId("018f7a30-9d1c-4c1e-8f53-6a1b2c3d4e5f".parse().unwrap()),
            op: LoggedOp {
                version: 17,
                client: "7d9f5b52-3a56-4a0e-9c1d-0f2b6f8f1a11".parse().unwrap(),
                seq: 4,
                user: UserId("guest:7d9f5b52-3a56-4a0e-9c1d-0f2b6f8f1a11".into()),
                at: 1_764_042_000_123,
                delta: br#"[{"retain":5},{"insert":", w\u00f6rld"}]"#.as_slice().into(),
            },
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let record =
            Record::of(&op(), 82, 3, Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()));
        assert_eq!(record.value[..5], *b"QOPS\x01");
        let event = decode(&record.value).unwrap();
        let ShardOp { pos, doc, history, op } = op();
        assert_eq!((event.doc, event.history, event.version, event.pos), (doc, history, op.version, pos));
        assert_eq!((event.client, event.seq, event.user, event.at), (op.client, op.seq, op.user, op.at));
        assert_eq!(event.delta.get().as_bytes(), op.delta);
        assert_eq!(ShardOp::from(decode(&record.value).unwrap()), self::op());
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(headers[..3], [("doc", "welcome"), ("version", "17"), ("epoch", "3")]);
        assert_eq!(headers[3].0, "traceparent");
        assert_eq!(Record::of(&self::op(), 82, 3, None).headers.len(), 3);
    }

    #[test]
    fn what_is_of_another_format_is_refused_by_name() {
        let refusal = |value: &[u8]| decode(value).unwrap_err().to_string();
        assert_eq!(refusal(b"QOPS\x02{}"), "it is of format 2, and this version reads format 1");
        assert_eq!(refusal(b"QOPS"), "it does not begin with QOPS");
        assert_eq!(refusal(b"{\"doc\":1}"), "it does not begin with QOPS");
        assert_eq!(refusal(b"QOPS\x01{"), "it cannot be read");
    }

    /// `docs/stream.md` shows this very record.
    #[test]
    fn the_example_in_the_document_is_what_is_published() {
        let document = include_str!("../../../docs/stream.md");
        let example = document.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let example: Value = serde_json::from_str(example).unwrap();
        let published: Value = serde_json::from_slice(&Record::of(&op(), 82, 3, None).value[5..]).unwrap();
        assert_eq!(example, published);
        assert_eq!(op().doc.shard(), 82);
    }

    #[test]
    fn the_schema_describes_what_is_published() {
        let schema: Value = serde_json::from_str(include_str!("../../../docs/stream.schema.json")).unwrap();
        let validator = jsonschema::draft202012::new(&schema).expect("it is a schema");
        let published: Value = serde_json::from_slice(&Record::of(&op(), 82, 3, None).value[5..]).unwrap();
        assert!(validator.is_valid(&published), "{:?}", validator.validate(&published).err());
        let fields: Vec<_> = published.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            let mut lacking = published.clone();
            lacking.as_object_mut().unwrap().remove(&field);
            assert!(!validator.is_valid(&lacking), "without {field} it is no event");
            let mut wrong = published.clone();
            wrong[&field] = Value::Bool(true);
            assert!(!validator.is_valid(&wrong), "{field} has a type");
        }
    }
}

//! Frames as text, and back. The shapes are those of [`crate::protocol`].

use serde::Deserialize;

use crate::protocol::{ClientMessage, ServerMessage};

/// Why a frame of the server was not understood.
#[derive(Debug, thiserror::Error)]
#[error("a frame of the server is not the protocol's: {0}")]
pub struct NotUnderstood(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

/// Reads a frame; one of a type that this version does not know is `None`, to be ignored.
///
/// The type is read first and its fields second: serde's internally tagged enums cannot hold raw JSON, and deltas are
/// kept raw until somebody needs them.
///
/// # Errors
/// The text is not JSON, or fields of a known type are missing.
pub fn read(text: &str) -> Result<Option<ServerMessage>, NotUnderstood> {
    let Kind { kind } = serde_json::from_str(text)?;
    Ok(Some(match kind.as_ref() {
        "welcome" => ServerMessage::Welcome(serde_json::from_str(text)?),
        "ops" => ServerMessage::Ops(serde_json::from_str(text)?),
        "received" => ServerMessage::Received(serde_json::from_str(text)?),
        "ack" => ServerMessage::Ack(serde_json::from_str(text)?),
        "presence" => ServerMessage::Presence(serde_json::from_str(text)?),
        "role" => ServerMessage::Role(serde_json::from_str(text)?),
        "reconnect" => ServerMessage::Reconnect(serde_json::from_str(text)?),
        "error" => ServerMessage::Error(serde_json::from_str(text)?),
        "pong" => ServerMessage::Pong(serde_json::from_str(text)?),
        _ => return Ok(None),
    }))
}

/// Writes a frame.
///
/// # Errors
/// Never for frames that this crate makes; serde's signature allows it.
pub fn write(message: &ClientMessage) -> Result<String, serde_json::Error> {
    serde_json::to_string(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Hello, OpMessage};

    #[test]
    fn an_ops_frame_keeps_its_deltas_raw() {
        let text = r#"{"type":"ops","base":4,"ops":[{"client":"00000000-0000-4000-8000-000000000001","seq":1,
            "user":"u","at":9,"delta":[ {"insert":"x"} ]}],"unknown":1}"#;
        let Ok(Some(ServerMessage::Ops(ops))) = read(text) else { panic!("not an ops frame") };
        assert_eq!((ops.base, ops.ops[0].seq, ops.ops[0].delta.get()), (4, 1, r#"[ {"insert":"x"} ]"#));
    }

    #[test]
    fn a_type_of_a_later_version_is_ignored_and_nonsense_is_not() {
        assert!(matches!(read(r#"{"type":"weather"}"#), Ok(None)));
        assert!(read(r#"{"type":"ack"}"#).is_err());
        assert!(read("[]").is_err());
    }

    #[test]
    fn frames_are_written_with_their_type_and_without_what_is_absent() {
        let client = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let hello = Hello { client, since: None, history: None, name: None, receipts: None, diverged: None };
        let text = write(&ClientMessage::Hello(hello)).unwrap();
        assert_eq!(text, r#"{"type":"hello","client":"00000000-0000-4000-8000-000000000001"}"#);
        let delta = serde_json::value::RawValue::from_string("[]".to_owned()).unwrap();
        let op = OpMessage { seq: 2, base: 1, delta: Some(delta), edit: None };
        assert_eq!(write(&ClientMessage::Op(op)).unwrap(), r#"{"type":"op","seq":2,"base":1,"delta":[]}"#);
    }
}

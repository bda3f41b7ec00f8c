//! One operation on its way: as submitted, and as the canonical sequence holds it.

use std::io::Write;
use std::time::Instant;

use bytes::Bytes;

use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{ClientId, Millis, SessionId, UserId, Version};
use crate::ot::Delta;
use crate::storage::{LoggedOp, MOST_DELTA_BYTES};

/// What makes an operation one and the same: its client, and that client's number for it.
pub type Key = (ClientId, u64);

/// An operation as its author made it, checked for form.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The session that it came by; `None` for REST.
    pub session: Option<SessionId>,
    pub client: ClientId,
    pub seq: u64,
    pub user: UserId,
    pub base: Version,
    pub delta: Delta,
    /// When its frame had arrived.
    pub received: Instant,
    /// How many versions its base was behind when it was last given away to be transformed off the actor; `None` before.
    /// Once it was, its base is the server's own: it is not compared with its author's last operation any more.
    pub rebased: Option<u64>,
}

/// An operation with its place in the canonical sequence.
#[derive(Debug)]
pub struct SequencedOp {
    /// The version it makes.
    pub version: Version,
    pub client: ClientId,
    pub seq: u64,
    pub user: UserId,
    /// Unix ms, never below that of the operation before.
    pub at: Millis,
    pub delta: Delta,
    /// Its member of an `ops` frame: `{"client":…,"seq":…,"user":…,"at":…,"delta":…}`.
    member: Bytes,
    /// Where the delta begins in `member`; it ends one byte before the end.
    delta_at: usize,
}

impl SequencedOp {
    /// Serialises the operation, once: frames and log share the bytes.
    pub fn new(version: Version, client: ClientId, seq: u64, user: UserId, at: Millis, delta: Delta) -> Self {
        let mut member = Vec::with_capacity(192);
        write_head(&mut member, client, seq, &user, at);
        let delta_at = member.len();
        delta.write_json(&mut member);
        member.push(b'}');
        Self { version, client, seq, user, at, delta, member: member.into(), delta_at }
    }

    /// Takes back an operation from the log, whose delta has been read as `delta`.
    pub fn from_log(op: LoggedOp, delta: Delta) -> Self {
        let mut member = Vec::with_capacity(op.delta.len() + 160);
        write_head(&mut member, op.client, op.seq, &op.user, op.at);
        let delta_at = member.len();
        member.extend_from_slice(&op.delta);
        member.push(b'}');
        let LoggedOp { version, client, seq, user, at, .. } = op;
        Self { version, client, seq, user, at, delta, member: member.into(), delta_at }
    }

    /// Refuses an operation that could not be carried by a backup, a segment or the stream.
    ///
    /// # Errors
    /// `too_large`.
    pub fn check_bytes(&self) -> Result<(), Refusal> {
        let bytes = self.member.len() - 1 - self.delta_at;
        if bytes <= MOST_DELTA_BYTES {
            return Ok(());
        }
        let message = format!("the operation has {bytes} bytes as JSON, more than {MOST_DELTA_BYTES}");
        Err(Refusal::new(ErrorCode::TooLarge, message))
    }

    /// Returns its member of an `ops` frame.
    pub fn member(&self) -> &Bytes {
        &self.member
    }

    /// Returns the operation as the log keeps it.
    pub fn to_log(&self) -> LoggedOp {
        LoggedOp {
            version: self.version,
            client: self.client,
            seq: self.seq,
            user: self.user.clone(),
            at: self.at,
            delta: self.member.slice(self.delta_at..self.member.len() - 1),
        }
    }
}

/// Writes a logged operation as a member of an `ops` frame, without reading its delta.
pub fn write_member(out: &mut Vec<u8>, op: &LoggedOp) {
    write_head(out, op.client, op.seq, &op.user, op.at);
    out.extend_from_slice(&op.delta);
    out.push(b'}');
}

fn write_head(out: &mut Vec<u8>, client: ClientId, seq: u64, user: &UserId, at: Millis) {
    // Writing into a vector cannot fail.
    let _ = write!(out, r#"{{"client":"{client}","seq":{seq},"user":"#);
    let _ = serde_json::to_writer(&mut *out, user.as_str());
    let _ = write!(out, r#","at":{at},"delta":"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_and_log_share_one_serialisation() {
        let delta = Delta::new().insert("é", Default::default());
        let client: ClientId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let op = SequencedOp::new(3, client, 7, UserId("a\"b".into()), 5, delta.clone());
        assert_eq!(
            std::str::from_utf8(op.member()).unwrap(),
            r#"{"client":"00000000-0000-4000-8000-000000000001","seq":7,"user":"a\"b","at":5,"delta":[{"insert":"é"}]}"#
        );
        let logged = op.to_log();
        assert_eq!(&logged.delta[..], "[{\"insert\":\"é\"}]".as_bytes());
        assert_eq!(SequencedOp::from_log(logged.clone(), delta).member(), op.member());
        let mut member = Vec::new();
        write_member(&mut member, &logged);
        assert_eq!(&member, op.member());
    }
}

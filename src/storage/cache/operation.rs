//! An operation as Redis keeps it, an element of a list.
//!
//! `QOP`, a byte for the format (1), history (16 bytes), version, client (16), `seq`, `at` (8 bytes each, big-endian), the
//! length of the user's id (2), the id, the delta as canonical JSON, and the checksum (xxh3-64 of the document's id and of
//! all before it). History and version stand in front: by them the script that appends tells whether one follows another.

use bytes::Bytes;

use super::Place;
use super::content::{checksum, number};
use crate::ids::{ClientId, DocumentId, HistoryId, Millis, UserId, Version};
use crate::storage::LoggedOp;

const MAGIC: [u8; 4] = *b"QOP\x01";

/// Bytes of the largest delta that is kept: typing takes some fifty. A list is then 2 MB at most.
pub const MOST_BYTES: usize = 2 << 10;

/// Returns what the element of a version begins with.
pub(super) fn prefix(place: Place<'_>, version: Version) -> Vec<u8> {
    [&MAGIC[..], place.history.0.as_bytes(), &version.to_be_bytes()].concat()
}

pub(super) fn encode(place: Place<'_>, op: &LoggedOp) -> Vec<u8> {
    let user = op.user.as_str().as_bytes();
    let mut value = Vec::with_capacity(80 + user.len() + op.delta.len());
    value.extend(prefix(place, op.version));
    value.extend_from_slice(op.client.0.as_bytes());
    value.extend_from_slice(&op.seq.to_be_bytes());
    value.extend_from_slice(&op.at.to_be_bytes());
    value.extend_from_slice(&(user.len() as u16).to_be_bytes());
    value.extend_from_slice(user);
    value.extend_from_slice(&op.delta);
    let checksum = checksum(place.doc, &value);
    value.extend_from_slice(&checksum);
    value
}

/// Reads an element and which history it is of; `None` when it is not one of ours.
pub(super) fn decode(doc: &DocumentId, value: &[u8]) -> Option<(HistoryId, LoggedOp)> {
    let (body, sum) = value.split_last_chunk::<8>()?;
    let rest = body.strip_prefix(&MAGIC)?;
    if *sum != checksum(doc, body) {
        return None;
    }
    let (history, rest) = rest.split_first_chunk::<16>()?;
    let (version, rest) = (number(rest)?, &rest[8..]);
    let (client, rest) = rest.split_first_chunk::<16>()?;
    let (seq, rest) = (number(rest)?, &rest[8..]);
    let (at, rest) = (number(rest)? as Millis, &rest[8..]);
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (user, delta) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let op = LoggedOp {
        version,
        client: ClientId(uuid::Uuid::from_bytes(*client)),
        seq,
        user: UserId(std::str::from_utf8(user).ok()?.into()),
        at,
        delta: Bytes::copy_from_slice(delta),
    };
    Some((HistoryId(uuid::Uuid::from_bytes(*history)), op))
}

//! Operations to be put into segments.

use std::ops::RangeInclusive;

use crate::ids::{ClientId, DocumentId, HistoryId, Millis, UserId, Version};
use crate::storage::LoggedOp;

pub(in crate::storage) fn doc() -> DocumentId {
    "doc".parse().unwrap()
}

pub(in crate::storage) fn history() -> HistoryId {
    HistoryId(uuid::Uuid::from_u128(7))
}

/// Three clients in turn, each with a `seq` of its own.
pub(in crate::storage) fn ops(versions: RangeInclusive<Version>) -> Vec<LoggedOp> {
    let op = |version| {
        let client = ClientId(uuid::Uuid::from_u128(u128::from(version % 3) + 1));
        LoggedOp {
            version,
            client,
            seq: version / 3 + 1,
            user: UserId::guest(client),
            at: 1_000 + version as Millis,
            delta: format!(r#"[{{"retain":{version}}},{{"insert":"é\"\\ {version}"}}]"#).into(),
        }
    };
    versions.map(op).collect()
}

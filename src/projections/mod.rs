//! Makes of the log what others ask about documents: their content, the words in it, and who has written how much.
//!
//! A [`Projector`] takes a part of a shard's log, brings the rows of its documents forward by it, and writes them together with the
//! shard's watermark, in one transaction. It keeps nothing from one transaction to the next: after a crash, or when somebody else
//! was faster, whoever goes on begins with what is stored. The row of a document says which operations are in it, so that none is
//! in it, or counted, twice, and what is missing before one is read from the log, across its tiers.
//!
//! The server runs it by itself ([`crate::actors::projector`]), and `quire worker` from the stream. `docs/storage.md` has the
//! reasons.

mod account;
mod document;
mod projector;
mod rebuild;
mod usual;
mod verify;

pub use self::account::Account;
pub use self::document::{Projected, Written};
pub use self::projector::{Limits, Outcome, Part, Projector};
pub use self::rebuild::rebuild;
pub use self::usual::{Anomaly, Kind, Usual};
pub use self::verify::{Verified, verify};

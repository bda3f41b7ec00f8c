//! One client's copy of a document, as a state machine without I/O.
//!
//! ```text
//!                 edit                              edit
//! synchronised ─────────▶ awaiting (one in flight) ─────────▶ awaiting with buffer ─┐
//!      ▲                    │   ▲                                │        ▲          │ edit: composed
//!      └─── own op came ────┘   └── own op came: buffer's first ─┘        └──────────┘
//! ```
//!
//! An operation of somebody else passes what is pending: it is transformed over it to be applied here, and what is
//! pending is transformed over it to be sent.

use crate::actors::error::ErrorCode;
use crate::config::Limits;
use crate::ids::{ClientId, Version};
use crate::ot::{Delta, DeltaError, Document};
use crate::protocol::{CommittedOp, ErrorMessage, Hello, OpMessage, OpsMessage, RawJson, Welcome};

use super::buffer::{Buffer, fits, is_small};

/// What a frame of the server has brought about.
#[derive(Debug)]
pub enum Event {
    /// The document is there, in place of whatever was held before.
    Loaded,
    /// Somebody else's edit was applied, in the coordinates of the content as shown here.
    Changed(Delta),
    /// The own operation `seq` is durable, as this version.
    Acknowledged { seq: u64, version: Version },
    /// Edits that could not be kept, as they were last; `code` says why, and is absent after a reset.
    Lost { edits: Vec<Delta>, code: Option<ErrorCode>, message: String },
    /// The operation in flight is to be sent again after so many milliseconds.
    RetryAfter(u64),
    /// Nothing to do: a repetition, or something that settles nothing.
    Nothing,
}

/// Why a replica cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error("an operation of the server does not fit the document at version {version}")]
    Diverged { version: Version, source: DeltaError },
    #[error("the server skipped from version {held} to {base}")]
    Gap { held: Version, base: Version },
    #[error("the edit does not fit the document")]
    Misfit(#[source] DeltaError),
    #[error("the edit is too large to be sent; cut it")]
    TooLarge,
}

/// The one operation that was sent and has not come back.
#[derive(Debug)]
struct InFlight {
    seq: u64,
    /// Rebased to the version that is held.
    delta: Delta,
    /// Base and delta as they were sent first.
    first: Option<(Version, Delta)>,
    /// Whether it was sent on the current connection.
    sent: bool,
}

/// A copy of a document with what is pending.
#[derive(Debug)]
pub struct Replica {
    client: ClientId,
    history: Option<String>,
    version: Version,
    /// The canonical content at `version`.
    confirmed: Document,
    /// The same with all that is pending.
    content: Document,
    in_flight: Option<InFlight>,
    buffer: Buffer,
    last_seq: u64,
    /// Up to here the connection resumes; nothing is sent before, since the operation in flight may be among it.
    resume_to: Version,
    limits: Limits,
}

impl Replica {
    /// Makes a replica that holds nothing yet.
    pub fn new(client: ClientId) -> Self {
        Self {
            client,
            history: None,
            version: 0,
            confirmed: Document::new(),
            content: Document::new(),
            in_flight: None,
            buffer: Buffer::default(),
            last_seq: 0,
            resume_to: 0,
            limits: Limits::default(),
        }
    }

    /// The content as its user sees it, pending edits included.
    pub fn content(&self) -> &Document {
        &self.content
    }

    /// The newest version that is held.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Tells whether everything has been acknowledged.
    pub fn is_synchronised(&self) -> bool {
        self.in_flight.is_none() && self.buffer.is_empty()
    }

    /// Returns the first frame of a connection, which asks for what is missing.
    pub fn hello(&mut self, name: Option<String>) -> Hello {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.sent = false;
        }
        let since = self.history.is_some().then_some(self.version);
        let history = self.history.clone();
        Hello { client: self.client, since, history, name, receipts: None, diverged: None }
    }

    /// Applies an edit of this client's user; [`Replica::next_op`] sends it in its turn.
    ///
    /// # Errors
    /// `Misfit` or `TooLarge`; nothing has changed then.
    pub fn edit(&mut self, edit: Delta) -> Result<(), ReplicaError> {
        if !is_small(&edit, &self.limits) {
            return Err(ReplicaError::TooLarge);
        }
        self.content.apply(&edit).map_err(ReplicaError::Misfit)?;
        self.buffer.push(edit, &self.limits);
        Ok(())
    }

    /// Returns the frame that is to be sent now: the operation in flight if this connection has not sent it, or the
    /// first of the buffer if none is in flight.
    pub fn next_op(&mut self) -> Option<OpMessage> {
        if self.version < self.resume_to || self.history.is_none() {
            return None;
        }
        if self.in_flight.is_none() {
            let delta = self.buffer.take_first()?;
            self.last_seq += 1;
            self.in_flight = Some(InFlight { seq: self.last_seq, delta, first: None, sent: false });
        }
        let in_flight = self.in_flight.as_mut().filter(|op| !op.sent)?;
        in_flight.sent = true;
        let (first_base, first) =
            in_flight.first.get_or_insert_with(|| (self.version, in_flight.delta.clone()));
        // Limits count what is sent, not what transforming makes of it: one that has outgrown them goes as it was.
        let (base, delta) = if fits(&in_flight.delta, &self.limits) {
            (self.version, &in_flight.delta)
        } else {
            (*first_base, &*first)
        };
        Some(OpMessage { seq: in_flight.seq, base, delta: Some(raw(delta)), edit: None })
    }

    /// Lets the operation in flight be sent again, rebased, under its old number.
    pub fn resend(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.sent = false;
        }
    }

    /// Takes the answer to `hello`.
    ///
    /// # Errors
    /// `Diverged`: the content is not a document.
    pub fn welcome(&mut self, welcome: &Welcome) -> Result<Event, ReplicaError> {
        self.history = Some(welcome.history.clone());
        self.limits = welcome.limits;
        self.resume_to = welcome.version;
        self.last_seq = self.last_seq.max(welcome.last_seq);
        let Some(content) = &welcome.content else { return Ok(Event::Nothing) };
        let diverged = |source| ReplicaError::Diverged { version: welcome.version, source };
        self.confirmed = Document::from_json(content.get()).map_err(diverged)?;
        self.content = self.confirmed.clone();
        self.version = welcome.version;
        // What the content has in it is settled; the rest was made on a document that is no more.
        let in_flight = self.in_flight.take().filter(|op| op.seq > welcome.last_seq);
        let lost: Vec<Delta> = in_flight.map(|op| op.delta).into_iter().chain(self.buffer.drain()).collect();
        if lost.is_empty() {
            return Ok(Event::Loaded);
        }
        let message = "the server could not continue from the version that was held".to_owned();
        Ok(Event::Lost { edits: lost, code: None, message })
    }

    /// Takes the canonical stream; versions that are held already are skipped.
    ///
    /// # Errors
    /// `Gap` or `Diverged`: the connection is to be made anew, without `since`.
    pub fn ops(&mut self, ops: &OpsMessage) -> Result<Vec<Event>, ReplicaError> {
        if ops.base > self.version {
            return Err(ReplicaError::Gap { held: self.version, base: ops.base });
        }
        let held = (self.version - ops.base) as usize;
        ops.ops.iter().skip(held).map(|op| self.op(op)).collect()
    }

    fn op(&mut self, op: &CommittedOp) -> Result<Event, ReplicaError> {
        let version = self.version + 1;
        let diverged = |source| ReplicaError::Diverged { version, source };
        let mut delta = Delta::parse_stored(op.delta.get()).map_err(diverged)?;
        self.confirmed.apply(&delta).map_err(diverged)?;
        self.version = version;
        let own = self.in_flight.as_ref().is_some_and(|own| op.client == self.client && own.seq == op.seq);
        if own {
            self.in_flight = None;
            return Ok(Event::Acknowledged { seq: op.seq, version });
        }
        if let Some(in_flight) = &mut self.in_flight {
            let rebased = delta.transform(&in_flight.delta, true);
            delta = in_flight.delta.transform(&delta, false);
            in_flight.delta = rebased;
        }
        delta = self.buffer.rebase(delta);
        self.content.apply(&delta).map_err(diverged)?;
        Ok(Event::Changed(delta))
    }

    /// Takes a refusal.
    ///
    /// # Errors
    /// `Diverged`: rolling back did not fit, a bug of ours.
    pub fn refused(&mut self, error: &ErrorMessage) -> Result<Event, ReplicaError> {
        let Some(in_flight) = self.in_flight.take_if(|op| Some(op.seq) == error.seq) else {
            return Ok(Event::Nothing);
        };
        let outgrown = !fits(&in_flight.delta, &self.limits);
        match error.code {
            ErrorCode::StaleBase if outgrown => {
                self.roll_back(in_flight.delta, ErrorCode::TooLarge, error.message.clone())
            }
            ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::RateLimited | ErrorCode::StaleBase => {
                self.in_flight = Some(in_flight);
                Ok(Event::RetryAfter(error.retry_after_ms.unwrap_or(1_000)))
            }
            code => self.roll_back(in_flight.delta, code, error.message.clone()),
        }
    }

    /// Takes a refused operation back: its inverse is applied here, and the buffer is kept, transformed over it.
    fn roll_back(&mut self, refused: Delta, code: ErrorCode, message: String) -> Result<Event, ReplicaError> {
        let inverse = self.confirmed.invert(&refused);
        let inverse = self.buffer.rebase(inverse);
        let version = self.version;
        self.content.apply(&inverse).map_err(|source| ReplicaError::Diverged { version, source })?;
        Ok(Event::Lost { edits: vec![refused], code: Some(code), message })
    }
}

/// Writes a delta as the JSON that it is.
fn raw(delta: &Delta) -> RawJson {
    // The kernel writes JSON; text that is not would be a bug there, not something to handle at run time.
    RawJson::from(
        serde_json::value::RawValue::from_string(delta.to_json()).unwrap_or_else(|_| unreachable!()),
    )
}

#[cfg(test)]
mod tests;

//! What every handler may use.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::body::BoxBody;

use crate::actors::administration::Administration;
use crate::actors::audit::Audit;
use crate::actors::error::Refusal;
use crate::actors::events::EventRoom;
use crate::actors::service::Documents;
use crate::actors::session::Setting;
use crate::actors::sharing::Sharing;
use crate::auth::Erasures;
use crate::http::address::Client;
use crate::http::answers::{Answers, Room};
use crate::http::body::Bodies;
use crate::http::forward::Forwarder;
use crate::http::security::Security;
use crate::limits::places::Places;
use crate::limits::{Limiter, Network};
use crate::protocol::Role;
use crate::storage::audit::SharedAuditLog;
use crate::storage::portability::Exporter;

/// Shared by all worker threads.
pub struct HttpState {
    pub documents: Documents,
    pub sharing: Sharing,
    /// What whoever has the address of a new document may do, unless a guest makes it; where it is anything, documents are
    /// listed to everybody.
    pub link_role: Option<Role>,
    /// What has happened; `None` where nobody is told.
    pub events: Option<EventRoom>,
    pub administration: Administration,
    /// What sessions are started with; limits and the clock are used here, too.
    pub sessions: Arc<Setting>,
    pub security: Arc<Security>,
    pub bodies: Bodies,
    pub answers: Answers,
    /// Acts that wait for their record, by the network that they come from.
    pub acts: Arc<Places>,
    /// Takes what is to be recorded …
    pub audit: Audit,
    /// … and has what was; `None` where nothing is.
    pub audit_log: Option<SharedAuditLog>,
    /// What is kept of people; `None` where there is no database.
    pub exporter: Option<Exporter>,
    /// Erases people; `None` where there is no database.
    pub erasures: Option<Erasures>,
    /// Finds the documents of other servers; `None` in one that is alone.
    pub forwarder: Option<Forwarder>,
    /// Set once by the application, when it begins to stop.
    pub draining: Arc<AtomicBool>,
}

impl HttpState {
    /// How much callers may ask for; `None`: whatever they like.
    pub fn limiter(&self) -> Option<&Limiter> {
        self.sessions.limiter.as_deref()
    }

    /// Makes the body of an answer that may be large.
    ///
    /// # Errors
    /// `unavailable` while there is no room for it.
    pub fn body_for(&self, client: Client, bytes: Vec<u8>) -> Result<BoxBody, Refusal> {
        self.answers.body(self.counted(client), bytes)
    }

    /// Takes room for an answer of at most so many bytes at a time.
    ///
    /// # Errors
    /// `unavailable` while there is none.
    pub fn room_for(&self, client: Client, bytes: u64) -> Result<Room, Refusal> {
        self.answers.room(self.counted(client), bytes)
    }

    /// The network whose share is counted, where anybody's is.
    fn counted(&self, client: Client) -> Option<Network> {
        self.limiter().map(|_| client.network())
    }
}

//! What has happened to documents, in order, and who is told of it.
//!
//! The database itself notes what happens, in the transaction in which it does (migration 0022); nothing here is on the way of an edit.
//! [`Events::number`] then gives each event its number, together with what is to be delivered to webhooks because of it. Events are
//! kept for a while ([`Events::forget`]); deliveries, until they are made or given up.

mod hooks;
mod keys;
mod log;
mod secrets;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

pub(in crate::storage) use self::secrets::Renewed;
pub use self::secrets::Secrets;
use super::StoreError;
use super::annotations::{Repeat, Reserved};
use crate::ids::{DocumentId, Millis, UserId, Version};

/// The most webhooks of one user, and the most of the server itself.
pub const MAX_HOOKS: u64 = 20;

/// The most deliveries of one webhook that wait or are given up: one with more is disabled.
pub const MAX_UNDELIVERED: u64 = 10_000;

/// What kind of thing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Created,
    Changed,
    Commented,
    Shared,
    Trashed,
    Restored,
    Purged,
    /// Nothing: a webhook was tried. It is no event of a document.
    Ping,
}

impl Kind {
    /// All kinds of events of documents.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Changed,
        Self::Commented,
        Self::Shared,
        Self::Trashed,
        Self::Restored,
        Self::Purged,
    ];

    /// Returns its name, as it is told and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "document.created",
            Self::Changed => "document.changed",
            Self::Commented => "document.commented",
            Self::Shared => "document.shared",
            Self::Trashed => "document.trashed",
            Self::Restored => "document.restored",
            Self::Purged => "document.purged",
            Self::Ping => "ping",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().chain([Self::Ping]).find(|kind| kind.as_str() == text);
        found.ok_or(UnknownKind)
    }
}

/// There is no such type of event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such type of event")]
pub struct UnknownKind;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place among all events, from 1; 0 of a ping.
    pub n: u64,
    pub at: Millis,
    pub kind: Kind,
    /// `None` of a ping.
    pub doc: Option<DocumentId>,
    /// Who has done it, where that is known.
    pub by: Option<UserId>,
    /// A JSON object that names nobody.
    pub data: String,
}

/// An event of the log, with the document's owner at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub event: Event,
    pub owner: UserId,
}

/// What the database has noted and nobody has numbered yet. Several notes of a document's text become one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub id: i64,
    pub at: Millis,
    pub kind: Kind,
    pub doc: DocumentId,
    pub owner: UserId,
    pub by: Option<UserId>,
    pub data: String,
    /// Of a change of text: from which version to which one.
    pub versions: Option<(Version, Version)>,
}

/// Who wants to be told of events, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `wh_` and a UUID.
    pub id: String,
    /// Whose documents it is about; `None` for all.
    pub owner: Option<UserId>,
    pub made_by: UserId,
    pub url: String,
    /// Each once.
    pub kinds: Vec<Kind>,
    pub enabled: bool,
    /// Why the server has disabled it.
    pub reason: Option<String>,
    /// Since when nothing has been delivered, if something has failed.
    pub failing_since: Option<Millis>,
    pub made_at: Millis,
}

/// A change of a webhook; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct WebhookPatch {
    pub url: Option<String>,
    pub kinds: Option<Vec<Kind>>,
    /// To enable one forgets why it was disabled.
    pub enabled: Option<bool>,
    /// Sealed.
    pub secret: Option<Vec<u8>>,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is tried, or tried again.
    Pending,
    Delivered,
    /// Nobody tries any more, unless it is asked for.
    Dead,
}

impl State {
    /// Returns its name, as it is told and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let found = [Self::Pending, Self::Delivered, Self::Dead].into_iter().find(|one| one.as_str() == text);
        found.ok_or(())
    }
}

/// An event on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// A UUID of version 7, which stays through all tries.
    pub id: String,
    pub hook: String,
    pub event: Event,
    pub state: State,
    /// Tries that were begun.
    pub tries: u64,
    /// When it is tried next.
    pub due_at: Millis,
    pub made_at: Millis,
    pub done_at: Option<Millis>,
    /// The last answer's status …
    pub status: Option<u16>,
    /// … or why there was none.
    pub error: Option<String>,
}

impl Delivery {
    /// One that is to be made at once.
    pub fn new(hook: &str, event: Event, now: Millis) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            hook: hook.to_owned(),
            event,
            state: State::Pending,
            tries: 0,
            due_at: now,
            made_at: now,
            done_at: None,
            status: None,
            error: None,
        }
    }
}

/// A delivery that somebody is to make now, and what it takes. It has no `Debug`: there is a secret in it.
pub struct Claimed {
    pub delivery: Delivery,
    pub url: String,
    /// Sealed.
    pub secret: Vec<u8>,
}

/// What has become of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub at: Millis,
    pub status: Option<u16>,
    pub error: Option<String>,
    /// How it goes on.
    pub next: Next,
}

/// See [`Outcome::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Delivered,
    /// It is tried again then.
    Again(Millis),
    /// It is given up.
    Dead,
}

/// Deliveries that are not made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    pub pending: u64,
    pub dead: u64,
}

/// Events of documents.
#[async_trait]
pub trait Events: Send + Sync {
    /// Reads what is noted and not numbered, in order, at most `limit`: of changes of text those of documents for which one waits
    /// since `due` or longer.
    async fn noted(&self, due: Millis, limit: usize) -> Result<Vec<Noted>, StoreError>;

    /// Returns the number of the last event, 0 when there was none.
    async fn last_event(&self) -> Result<u64, StoreError>;

    /// Adds events, which follow on the last one, takes away the notes that they were made of, and adds deliveries to webhooks that are
    /// enabled; in one transaction.
    ///
    /// # Errors
    /// `Conflict`, with nothing written, when somebody else has added events meanwhile.
    async fn number(
        &self,
        events: &[Logged],
        notes: &[i64],
        deliveries: &[Delivery],
    ) -> Result<(), StoreError>;

    /// Reads events after one, in order, at most `limit`.
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Logged>, StoreError>;

    /// Removes events from before a time, and those up to a number; the last one stays.
    async fn forget(&self, before: Millis, upto: u64) -> Result<(), StoreError>;
}

/// Webhooks and their deliveries.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Adds a webhook with its sealed secret, and with it the key of its request, which is for what the UUID names. A key that stands for
    /// something is returned, and nothing is added.
    ///
    /// # Errors
    /// `Conflict` when its owner has [`MAX_HOOKS`].
    async fn add_hook(
        &self,
        hook: &Webhook,
        secret: &[u8],
        repeat: Option<(&Repeat, Uuid)>,
    ) -> Result<Option<Reserved>, StoreError>;

    /// Reads one.
    async fn hook(&self, id: &str) -> Result<Option<Webhook>, StoreError>;

    /// Lists those of an owner, or all, after `after`, in order of id.
    async fn hooks(
        &self,
        owner: Option<&UserId>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError>;

    /// Lists all that are enabled, but for those of people who are disabled, or banned at `now`. One of the server is of who has made
    /// it, and waits as well when they do not look after the server any more.
    async fn enabled_hooks(&self, now: Millis) -> Result<Vec<Webhook>, StoreError>;

    /// Changes one, and returns it as it is then.
    async fn patch_hook(&self, id: &str, patch: &WebhookPatch) -> Result<Option<Webhook>, StoreError>;

    /// Reads the sealed secrets of webhooks after `after`, in order of their ids, at most `limit`.
    async fn sealed_secrets(&self, after: &str, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Puts a secret that is sealed otherwise in the place of `before`; tells whether that was still there.
    async fn reseal(&self, id: &str, before: &[u8], anew: &[u8]) -> Result<bool, StoreError>;

    /// Disables one, for a reason.
    async fn disable_hook(&self, id: &str, reason: &str) -> Result<(), StoreError>;

    /// Removes one with its deliveries; tells whether it was there.
    async fn remove_hook(&self, id: &str) -> Result<bool, StoreError>;

    /// Adds a delivery by hand.
    async fn add_delivery(&self, delivery: &Delivery) -> Result<(), StoreError>;

    /// Lists deliveries of a webhook in one state, the newest first, before `before`.
    async fn deliveries(
        &self,
        hook: &str,
        state: State,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Has a delivery that is given up, or was made, be made again, from the first try on; tells whether there is one.
    async fn redeliver(&self, hook: &str, id: &str, now: Millis) -> Result<bool, StoreError>;

    /// Names webhooks with deliveries that are due, the one that waits longest first, at most `limit`, of the people whom
    /// [`Self::enabled_hooks`] has.
    async fn due_hooks(&self, now: Millis, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Takes deliveries of a webhook that are due: nobody else gets them before `until`.
    async fn claim(
        &self,
        hook: &str,
        now: Millis,
        until: Millis,
        limit: usize,
    ) -> Result<Vec<Claimed>, StoreError>;

    /// Says what has become of a try: of this one (`tries`), so that one who comes late changes nothing. Returns the webhook as it
    /// is then.
    async fn tried(&self, delivery: &Delivery, outcome: &Outcome) -> Result<Option<Webhook>, StoreError>;

    /// Counts deliveries that are not made.
    async fn undelivered(&self) -> Result<Undelivered, StoreError>;

    /// Names webhooks with more than [`MAX_UNDELIVERED`], that are enabled.
    async fn overfull_hooks(&self) -> Result<Vec<String>, StoreError>;

    /// Removes deliveries that were made, and that were given up, before these times.
    async fn sweep_deliveries(&self, delivered: Millis, dead: Millis) -> Result<(), StoreError>;
}

/// As they are shared.
pub type SharedEvents = Arc<dyn Events>;

/// As they are shared.
pub type SharedWebhooks = Arc<dyn Webhooks>;

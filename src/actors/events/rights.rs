//! Who is told of which events: those who may read the document, at the moment at which they are told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::access::{Access, Action, Ground};
use crate::actors::error::Refusal;
use crate::actors::sharing::Sharing;
use crate::ids::{DocumentId, UserId};
use crate::storage::permissions::LinkKey;
use crate::storage::{SharedStore, StoreError};

/// How long it is remembered what somebody may do: changes hold within a second.
const REMEMBERED: Duration = Duration::from_millis(500);

/// Documents and people that it is remembered of at once. Then all is forgotten.
const MOST: usize = 8_192;

/// Who listens to events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    pub user: UserId,
    pub link: Option<LinkKey>,
    pub admin: bool,
    /// The one document that is listened to. Without one it is what a list of documents would have: a document that is open to whoever
    /// has its address is not told of to those who may not have it.
    pub doc: Option<DocumentId>,
}

/// When it was looked, and what was found; `None` for no document.
type Looked = (Instant, Option<bool>);

/// See the module's documentation.
pub struct Rights {
    store: SharedStore,
    sharing: Sharing,
    /// Whether documents that are open to everybody are listed to everybody.
    listed: bool,
    remembered: Mutex<HashMap<(DocumentId, Listener), Looked>>,
}

impl Rights {
    /// Asks `store` for documents, and `sharing` for what was said of people.
    pub fn new(store: SharedStore, sharing: Sharing, listed: bool) -> Self {
        Self { store, sharing, listed, remembered: Mutex::default() }
    }

    /// Tells whether somebody may read a document; `None` when there is none any more.
    ///
    /// # Errors
    /// `unavailable`: nobody knows.
    pub async fn may_read(&self, doc: &DocumentId, listener: &Listener) -> Result<Option<bool>, Refusal> {
        let key = (doc.clone(), listener.clone());
        let now = Instant::now();
        if let Some((at, may)) = self.remembered.lock().get(&key).copied()
            && now - at < REMEMBERED
        {
            return Ok(may);
        }
        let may = self.look(doc, listener).await?;
        let mut remembered = self.remembered.lock();
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert(key, (now, may));
        Ok(may)
    }

    /// Forgets what is remembered of documents of which it is known that something has changed.
    pub(super) fn forget(&self, docs: &HashSet<&DocumentId>) {
        if !docs.is_empty() {
            self.remembered.lock().retain(|(doc, _), _| !docs.contains(doc));
        }
    }

    async fn look(&self, doc: &DocumentId, listener: &Listener) -> Result<Option<bool>, Refusal> {
        let row = match self.store.document(doc).await {
            Err(StoreError::NotFound { .. }) => return Ok(None),
            row => row?,
        };
        let Listener { user, link, admin, .. } = listener;
        let standing = self.sharing.standing(&row, user, link.as_ref(), *admin).await?;
        let by_address = if listener.doc.is_some() || self.listed { row.link } else { None };
        let ground = Ground { owner: &row.owner, link: by_address, archived: row.archived };
        Ok(Some(Access::of(user, ground, &standing).allows(Action::Read)))
    }
}

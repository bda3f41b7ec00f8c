//! The events of late, as this server's streams read them.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Rights;
use crate::storage::StoreError;
use crate::storage::events::{Kind, Logged, SharedEvents};

/// Events that are kept in memory, for those who are nearly up to date.
const RECENT: usize = 1_024;

/// Events that are read at once.
const PAGE: usize = 256;

/// Streams that one server has at once.
const MOST_STREAMS: usize = 2_000;

/// How far events have come, as far as this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// It has not looked yet.
    Unknown,
    /// The number of the last one.
    At(u64),
    /// The server stops.
    Closed,
}

/// See the module's documentation.
pub struct Feed {
    events: SharedEvents,
    pub(super) rights: Rights,
    head: watch::Sender<Head>,
    recent: Mutex<VecDeque<Arc<Logged>>>,
    places: Arc<Semaphore>,
}

impl Feed {
    /// Reads from `events`.
    pub fn new(events: SharedEvents, rights: Rights) -> Self {
        let (head, _) = watch::channel(Head::Unknown);
        let places = Arc::new(Semaphore::new(MOST_STREAMS));
        Self { events, rights, head, recent: Mutex::default(), places }
    }

    /// Takes a place for a stream; `None` when all are taken.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Reads what is new, whoever has numbered it.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let known = *self.head.borrow();
        let mut last = match known {
            Head::At(last) => last,
            Head::Unknown => {
                let last = self.events.last_event().await?;
                self.head.send_replace(Head::At(last));
                return Ok(());
            }
            Head::Closed => return Ok(()),
        };
        loop {
            let page = self.events.events(last, PAGE).await?;
            let more = page.len() == PAGE;
            let Some(newest) = page.last() else { return Ok(()) };
            last = newest.event.n;
            // Before anybody is told of it.
            let shared = page.iter().filter(|one| one.event.kind == Kind::Shared);
            self.rights.forget(&shared.filter_map(|one| one.event.doc.as_ref()).collect());
            {
                let mut recent = self.recent.lock();
                recent.extend(page.into_iter().map(Arc::new));
                let surplus = recent.len().saturating_sub(RECENT);
                recent.drain(..surplus);
            }
            self.head.send_replace(Head::At(last));
            if !more {
                return Ok(());
            }
        }
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        self.head.send_replace(Head::Closed);
    }

    pub(super) fn watch(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// Reads events after a number, of which there are some.
    pub(super) async fn after(&self, n: u64) -> Result<Vec<Arc<Logged>>, StoreError> {
        {
            let recent = self.recent.lock();
            if recent.front().is_some_and(|first| first.event.n <= n + 1) {
                let begin = recent.partition_point(|one| one.event.n <= n);
                return Ok(recent.iter().skip(begin).take(PAGE).cloned().collect());
            }
        }
        Ok(self.events.events(n, PAGE).await?.into_iter().map(Arc::new).collect())
    }
}

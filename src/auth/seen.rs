//! Rows of users who have come with a token from elsewhere, made when they are first seen; and when anybody was seen last.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::bearer::{Bearer, Origin};
use crate::ids::{Millis, UserId};
use crate::storage::accounts::{OWN_ISSUER, SharedAccounts, User};

/// How often somebody's row is written, in ms.
const EVERY: Millis = 3_600_000;

/// Users who are remembered to have been written; beyond that all are forgotten, and written again.
const REMEMBERED: usize = 100_000;

/// Rows that wait to be written; what comes beyond that is written when its user comes again.
const WAITING: usize = 1_024;

/// Rows written in one transaction.
const TOGETHER: usize = 128;

/// The issuer of users whom this server knows by tokens from elsewhere alone.
pub const ELSEWHERE: &str = "token";

/// Takes note of who comes.
pub struct Seen {
    noted: Mutex<HashMap<UserId, Millis>>,
    queue: mpsc::Sender<User>,
}

/// Writes what [`Seen`] has noted.
pub struct SeenWriter(mpsc::Receiver<User>);

impl Seen {
    pub fn new() -> (Self, SeenWriter) {
        let (queue, waiting) = mpsc::channel(WAITING);
        (Self { noted: Mutex::default(), queue }, SeenWriter(waiting))
    }

    /// Has the row of this user written, unless it was within the hour. Never waits.
    pub fn note(&self, bearer: &Bearer, now: Millis) {
        let mut noted = self.noted.lock();
        if noted.get(&bearer.user).is_some_and(|at| now - at < EVERY) {
            return;
        }
        let issuer = match bearer.origin {
            Origin::Elsewhere => ELSEWHERE,
            Origin::SignIn(_) | Origin::Service(..) => OWN_ISSUER,
        };
        let row = User {
            id: bearer.user.clone(),
            issuer: issuer.to_owned(),
            subject: bearer.user.as_str().to_owned(),
            name: bearer.name.clone().unwrap_or_default(),
            email: None,
            created_at: now,
            seen_at: now,
            disabled_at: None,
            admin: false,
            may_create: true,
        };
        if self.queue.try_send(row).is_ok() {
            if noted.len() >= REMEMBERED {
                noted.clear();
            }
            noted.insert(bearer.user.clone(), now);
        }
    }
}

impl SeenWriter {
    /// Writes until nobody notes anything any more.
    pub async fn run(mut self, store: SharedAccounts) {
        let mut rows = Vec::new();
        while self.0.recv_many(&mut rows, TOGETHER).await > 0 {
            if let Err(error) = store.see_users(&rows).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, users = rows.len(), "users were not noted");
            }
            rows.clear();
        }
    }
}

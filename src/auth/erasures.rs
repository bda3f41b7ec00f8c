//! People erased by a running server: who may ask for it, what it takes, and who hears of it at once.

use std::sync::Arc;

use async_trait::async_trait;

use super::accounts::Accounts;
use super::bearer::Scopes;
use super::revoked::Revocations;
use crate::actors::clock::Clock;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::service::{Documents, to_its_end};
use crate::actors::sharing::Sharing;
use crate::ids::{DocumentId, UserId};
use crate::storage::erasure::{self, Purge};
use crate::storage::people::{Erasing, Fate, SharedPeople};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asking {
    pub user: UserId,
    /// Whether they look after the server.
    pub admin: bool,
    /// The sign-in with this server that they ask by.
    pub sign_in: Option<Arc<str>>,
    /// What the service token is good for that they ask by.
    pub scopes: Option<Scopes>,
}

/// What somebody who has signed in proves once more who they are with; who has no password here, by having signed in just now. It has no
/// `Debug`.
#[derive(Clone, Default)]
pub struct Proof {
    pub password: String,
    /// A code of the second factor, where there is one.
    pub code: String,
}

/// What an erasure has come to.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Done {
    /// Rows that were the person's own.
    pub rows: u64,
    /// Documents that were purged.
    pub purged: u64,
    /// Whether an id that is a name is still to be replaced in logs, which the next start does.
    pub pending: bool,
}

/// Erases people. Cheap to clone; safe from any thread.
#[derive(Clone)]
pub struct Erasures {
    pub people: SharedPeople,
    pub documents: Documents,
    pub sharing: Sharing,
    pub accounts: Option<Arc<Accounts>>,
    pub revoked: Arc<Revocations>,
    pub clock: Clock,
}

impl Erasures {
    /// Erases somebody, and goes on to the end although the caller may give up meanwhile. Sign-ins, service tokens and rights have ended
    /// when this returns, open sockets included.
    ///
    /// # Errors
    /// `forbidden` when the one who asks may not, or has not proved who they are; `unavailable`: what was begun is gone on with at the
    /// next start.
    pub async fn erase(
        &self,
        asking: &Asking,
        whom: UserId,
        proof: &Proof,
        fate: Fate,
    ) -> Result<Done, Refusal> {
        self.permit(asking, &whom, proof).await?;
        let erasing = Erasing::new(whom, fate, self.clock.now());
        let erasures = self.clone();
        to_its_end(async move { erasures.carry_out(&erasing).await }).await
    }

    async fn permit(&self, asking: &Asking, whom: &UserId, proof: &Proof) -> Result<(), Refusal> {
        let forbidden = |why| Err(Refusal::new(ErrorCode::Forbidden, why));
        match (&asking.scopes, &asking.sign_in) {
            (Some(scopes), _) if !scopes.admin || !asking.admin => forbidden(
                "a service token erases nobody, unless it is an administrator's and has the scope admin",
            ),
            (Some(_), _) => Ok(()),
            (None, _) if asking.user != *whom => {
                if asking.admin {
                    Ok(())
                } else {
                    forbidden("this is for administrators")
                }
            }
            (None, Some(sign_in)) => match &self.accounts {
                // An open browser is not enough.
                Some(accounts) => accounts.prove_anew(whom, sign_in, &proof.password, &proof.code).await,
                None => forbidden("there is no such account any more"),
            },
            // Elsewhere they have proved it to whoever has made the token.
            (None, None) => Ok(()),
        }
    }

    async fn carry_out(&self, erasing: &Erasing) -> Result<Done, Refusal> {
        let ended = self.people.begin_erasure(erasing).await?;
        // Before the documents, which take their time.
        self.revoked.end(ended.ended, self.clock.now());
        self.revoked.erase(&erasing.user, erasing.begun_at);
        self.sharing.look_now().await;
        let purged = erasure::purge_doomed(&*self.people, self, &erasing.user).await?;
        let pending = ended.erasing.renames();
        if !pending {
            self.people.end_erasure(&erasing.user).await?;
        }
        Ok(Done { rows: ended.rows, purged, pending })
    }
}

#[async_trait]
impl Purge for Erasures {
    type Error = Refusal;

    async fn purge(&self, doc: &DocumentId) -> Result<(), Refusal> {
        match self.documents.purge(doc).await {
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(()),
            purged => purged,
        }
    }
}

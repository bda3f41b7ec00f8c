//! Webhooks: who is told by a request of this server's own, and how that is done.

mod dispatch;
mod sender;
mod targets;

use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

pub use self::dispatch::{Dispatcher, Tries};
pub use self::sender::Sender;
pub use self::targets::Targets;
use super::Stores;
use crate::actors::clock::Clock;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::service::RepeatError;
use crate::ids::{Millis, UserId};
use crate::storage::annotations::Repeat;
use crate::storage::events::{Delivery, Event, Kind, Secrets, SharedWebhooks, State, Webhook, WebhookPatch};

/// The longest address of a webhook, in bytes.
const MAX_URL: usize = 2_048;

/// How long a secret is that somebody brings, in characters.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=128;

fn id_of(hook: Uuid) -> String {
    format!("wh_{}", hook.simple())
}

/// A webhook to be made.
pub struct NewWebhook {
    /// Whose documents it is about; `None` for all.
    pub owner: Option<UserId>,
    pub made_by: UserId,
    pub url: String,
    /// None for all.
    pub kinds: Vec<Kind>,
    /// Without one the server draws it.
    pub secret: Option<String>,
    pub enabled: bool,
}

/// A change of a webhook; absent fields stay.
#[derive(Default)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub kinds: Option<Vec<Kind>>,
    pub enabled: Option<bool>,
    pub secret: Option<String>,
}

/// The one door for `http`. Cheap to clone.
#[derive(Clone)]
pub struct Hooks {
    webhooks: SharedWebhooks,
    secrets: Secrets,
    targets: Targets,
    clock: Clock,
    bell: Arc<Notify>,
}

impl Hooks {
    /// Joins what there is; `bell` is rung when something is to be delivered at once.
    pub fn new(stores: &Stores, targets: Targets, clock: Clock, bell: Arc<Notify>) -> Self {
        Self { webhooks: stores.webhooks.clone(), secrets: stores.secrets.clone(), targets, clock, bell }
    }

    /// Makes a webhook; returns it with its secret, which is shown this once. When the request has come before, it is the one that was
    /// made then, without its secret.
    ///
    /// `BadRequest` for an address that may not be called, or a secret that is none; `Conflict` when there are too many.
    pub async fn create(
        &self,
        new: NewWebhook,
        repeat: Option<&Repeat>,
    ) -> Result<(Webhook, Option<String>), RepeatError> {
        self.check_url(&new.url)?;
        let secret = match new.secret {
            Some(secret) => checked(secret)?,
            None => drawn()?,
        };
        let kinds = if new.kinds.is_empty() { Kind::ALL.to_vec() } else { distinct(new.kinds)? };
        let id = Uuid::now_v7();
        let hook = Webhook {
            id: id_of(id),
            owner: new.owner,
            made_by: new.made_by,
            url: new.url,
            kinds,
            enabled: new.enabled,
            reason: None,
            failing_since: None,
            made_at: self.clock.now(),
        };
        let sealed = self.secrets.seal(&hook.id, secret.as_bytes()).await?;
        let keyed = repeat.map(|repeat| (repeat, id));
        match (repeat, self.webhooks.add_hook(&hook, &sealed, keyed).await?) {
            (Some(repeat), Some(reserved)) => {
                let made = reserved.made.filter(|_| reserved.is_of(repeat)).ok_or(RepeatError::Differs)?;
                Ok((self.get(&id_of(made), &hook.made_by, hook.owner.is_none()).await?, None))
            }
            _ => Ok((hook, Some(secret))),
        }
    }

    /// Reads one that this user may see: an administrator all, and others their own.
    pub async fn get(&self, id: &str, user: &UserId, admin: bool) -> Result<Webhook, Refusal> {
        let hook = self.webhooks.hook(id).await?;
        let hook = hook.filter(|hook| admin || hook.owner.as_ref() == Some(user));
        hook.ok_or_else(|| Refusal::new(ErrorCode::NotFound, format!("there is no webhook {id:.80}")))
    }

    /// Lists one's own, or all.
    pub async fn list(
        &self,
        owner: Option<&UserId>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Webhook>, Refusal> {
        Ok(self.webhooks.hooks(owner, after, limit).await?)
    }

    /// Changes one.
    pub async fn change(&self, id: &str, change: WebhookChange) -> Result<Webhook, Refusal> {
        if let Some(url) = &change.url {
            self.check_url(url)?;
        }
        let secret = match change.secret {
            Some(secret) => Some(self.secrets.seal(id, checked(secret)?.as_bytes()).await?),
            None => None,
        };
        let kinds = change.kinds.map(distinct).transpose()?;
        let patch = WebhookPatch { url: change.url, kinds, enabled: change.enabled, secret };
        let changed = self.webhooks.patch_hook(id, &patch).await?;
        self.bell.notify_one();
        changed.ok_or_else(|| Refusal::new(ErrorCode::NotFound, format!("there is no webhook {id:.80}")))
    }

    /// Removes one, with what has still to be delivered.
    pub async fn remove(&self, id: &str) -> Result<bool, Refusal> {
        Ok(self.webhooks.remove_hook(id).await?)
    }

    /// Has something delivered that is no event, and returns that delivery's id.
    ///
    /// `Conflict` for one that is disabled.
    pub async fn ping(&self, hook: &Webhook) -> Result<String, Refusal> {
        if !hook.enabled {
            return Err(Refusal::new(ErrorCode::Conflict, "the webhook is disabled"));
        }
        let now = self.clock.now();
        let event = Event { n: 0, at: now, kind: Kind::Ping, doc: None, by: None, data: "{}".to_owned() };
        let delivery = Delivery::new(&hook.id, event, now);
        self.webhooks.add_delivery(&delivery).await?;
        self.bell.notify_one();
        Ok(delivery.id)
    }

    /// Lists deliveries of one in a state, the newest first.
    pub async fn deliveries(
        &self,
        hook: &str,
        state: State,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Delivery>, Refusal> {
        Ok(self.webhooks.deliveries(hook, state, before, limit).await?)
    }

    /// Has a delivery made again.
    pub async fn redeliver(&self, hook: &str, id: &str) -> Result<(), Refusal> {
        let found = self.webhooks.redeliver(hook, id, self.now()).await?;
        self.bell.notify_one();
        let missing =
            || Refusal::new(ErrorCode::NotFound, "there is no such delivery that was made or given up");
        if found { Ok(()) } else { Err(missing()) }
    }

    fn now(&self) -> Millis {
        self.clock.now()
    }

    fn check_url(&self, url: &str) -> Result<(), Refusal> {
        let refuse = |why: String| Refusal::new(ErrorCode::BadRequest, format!("url: {why}"));
        if url.len() > MAX_URL {
            return Err(refuse(format!("it is longer than {MAX_URL} bytes")));
        }
        self.targets.check(url).map_err(refuse)
    }
}

/// Draws a secret: 256 random bits.
fn drawn() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| Refusal::unavailable("the system has no randomness"))?;
    Ok(format!("whsec_{}", hex::encode(bytes)))
}

fn checked(secret: String) -> Result<String, Refusal> {
    if SECRET_CHARS.contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(secret);
    }
    Err(Refusal::new(ErrorCode::BadRequest, "a secret has 16 to 128 printable characters of ASCII"))
}

fn distinct(mut kinds: Vec<Kind>) -> Result<Vec<Kind>, Refusal> {
    kinds.sort_unstable_by_key(|kind| kind.as_str());
    kinds.dedup();
    if kinds.is_empty() || kinds.contains(&Kind::Ping) {
        return Err(Refusal::new(ErrorCode::BadRequest, "types: at least one, and of events of documents"));
    }
    Ok(kinds)
}

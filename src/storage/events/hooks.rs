//! Webhooks and deliveries over any database that runs the statements.

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Claimed, Delivery, MAX_HOOKS, MAX_UNDELIVERED, Next, Outcome, State, Undelivered, Webhook, WebhookPatch,
    Webhooks, keys, log,
};
use crate::ids::{DocumentId, Millis, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::tables::{Columns, Statement, Tables, all, one};
use crate::storage::annotations::{Repeat, Reserved};

/// Two at once may both find room for one: the bound is for order, not for safety.
const ADD_HOOK: &str = "INSERT INTO webhooks (id, owner, made_by, url, kinds, secret, enabled, made_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8
    WHERE (SELECT count(*) FROM webhooks WHERE COALESCE(owner, '') = COALESCE($2, '')) < $9
        AND NOT EXISTS (
            SELECT 1 FROM repeats AS r WHERE r.user_id = $10 AND r.key = $11 AND r.doc_id <> $1
        )
    RETURNING id";
const HOOK: &str = "SELECT * FROM webhooks WHERE id = $1";
const HOOKS: &str = "SELECT * FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2";
const HOOKS_OF: &str = "SELECT * FROM webhooks WHERE owner = $3 AND id > $1 ORDER BY id LIMIT $2";
/// A condition of a webhook `h` at $1: nothing is told to somebody who is disabled or banned. One of the server is of who has made it, as
/// long as they look after it; of people from elsewhere their tokens say whether they do, and no row.
macro_rules! may_be_told {
    () => {
        "NOT EXISTS (
            SELECT 1 FROM users AS u
            WHERE u.id = COALESCE(h.owner, h.made_by) AND (
                u.disabled_at IS NOT NULL
                OR (h.owner IS NULL AND NOT u.admin AND substr(u.id, 1, 4) = 'usr_')
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM bans AS b
            WHERE b.user_id = COALESCE(h.owner, h.made_by) AND (b.expires_at IS NULL OR b.expires_at > $1)
        )"
    };
}
const ENABLED: &str =
    concat!("SELECT * FROM webhooks AS h WHERE h.enabled AND ", may_be_told!(), " ORDER BY h.id");
const PATCH_HOOK: &str = "UPDATE webhooks SET
        url = COALESCE($2, url),
        kinds = COALESCE($3, kinds),
        secret = COALESCE($4, secret),
        enabled = CASE WHEN $5 THEN $6 ELSE enabled END,
        reason = CASE WHEN $5 THEN NULL ELSE reason END,
        failing_since = CASE WHEN $5 THEN NULL ELSE failing_since END
    WHERE id = $1
    RETURNING *";
const SECRETS: &str = "SELECT id, secret FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2";
const RESEAL: &str = "UPDATE webhooks SET secret = $3 WHERE id = $1 AND secret = $2 RETURNING id";
const DISABLE: &str = "UPDATE webhooks SET enabled = FALSE, reason = $2 WHERE id = $1 AND enabled";
const REMOVE_HOOK: &str = "DELETE FROM webhooks WHERE id = $1 RETURNING id";
/// One that was removed or disabled meanwhile is told nothing.
const ADD_DELIVERY: &str = "INSERT INTO webhook_deliveries
        (id, hook_id, n, at, kind, doc_id, by_user, data, state, tries, due_at, made_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'pending', 0, $9, $10
    WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = $2 AND enabled)";
const DELIVERIES: &str = "SELECT * FROM webhook_deliveries
    WHERE hook_id = $1 AND state = $2 AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4";
const REDELIVER: &str = "UPDATE webhook_deliveries
    SET state = 'pending', tries = 0, due_at = $3, done_at = NULL, status = NULL, error = NULL
    WHERE hook_id = $1 AND id = $2 AND state <> 'pending'
    RETURNING id";
const DUE_HOOKS: &str = concat!(
    "SELECT d.hook_id AS id, MIN(d.due_at) AS due
    FROM webhook_deliveries AS d JOIN webhooks AS h ON h.id = d.hook_id
    WHERE d.state = 'pending' AND d.due_at <= $1 AND h.enabled AND ",
    may_be_told!(),
    " GROUP BY d.hook_id ORDER BY due, id LIMIT $2"
);
/// Of two that claim at once the second waits for the first, and finds that nothing is due any more.
const CLAIM: &str = "UPDATE webhook_deliveries SET tries = tries + 1, due_at = $3
    WHERE state = 'pending' AND due_at <= $2 AND id IN (
        SELECT id FROM webhook_deliveries
        WHERE hook_id = $1 AND state = 'pending' AND due_at <= $2
        ORDER BY due_at, id LIMIT $4
    )
    RETURNING *,
        (SELECT h.url FROM webhooks AS h WHERE h.id = hook_id) AS url,
        (SELECT h.secret FROM webhooks AS h WHERE h.id = hook_id) AS secret";
const TRIED: &str = "UPDATE webhook_deliveries
    SET state = $3, due_at = $4, done_at = $5, status = $6, error = $7
    WHERE id = $1 AND tries = $2 AND state = 'pending'";
const FAILING: &str = "UPDATE webhooks
    SET failing_since = CASE WHEN $2 THEN NULL ELSE COALESCE(failing_since, $3) END
    WHERE id = $1
    RETURNING *";
const UNDELIVERED: &str = "SELECT state, count(*) AS number FROM webhook_deliveries
    WHERE state IN ('pending', 'dead') GROUP BY state";
const OVERFULL: &str = "SELECT h.id AS id FROM webhooks AS h
    WHERE h.enabled AND (
        SELECT count(*) FROM webhook_deliveries AS d WHERE d.hook_id = h.id AND d.state IN ('pending', 'dead')
    ) > $1";
const SWEPT: &str = "SELECT id FROM webhook_deliveries
    WHERE (state = 'delivered' AND done_at < $1) OR (state = 'dead' AND done_at < $2) LIMIT 1";
const SWEEP: &str = "DELETE FROM webhook_deliveries
    WHERE (state = 'delivered' AND done_at < $1) OR (state = 'dead' AND done_at < $2)";

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl<T: Tables> Webhooks for T {
    async fn add_hook(
        &self,
        hook: &Webhook,
        secret: &[u8],
        repeat: Option<(&Repeat, Uuid)>,
    ) -> Answer<Option<Reserved>> {
        let (user, key) = repeat.map(|(repeat, _)| (repeat.user.as_str(), repeat.key.as_str())).unzip();
        let add = Statement::new(ADD_HOOK)
            .with(hook.id.as_str())
            .with(hook.owner.as_ref().map(UserId::as_str))
            .with(hook.made_by.as_str())
            .with(hook.url.as_str())
            .with(kinds(hook).as_str())
            .with(secret)
            .with(hook.enabled)
            .with(hook.made_at)
            .with(MAX_HOOKS.cast_signed())
            .with(user)
            .with(key);
        let (statements, added) = match repeat {
            None => (vec![add], 0),
            Some((repeat, made)) => (keys::around(add, repeat, &hook.id, made), keys::ADDED),
        };
        let answers = self.write(statements).await?;
        if answers.get(added).is_some_and(|rows| !rows.is_empty()) {
            return Ok(None);
        }
        // Without a key there is nothing in the last answer.
        if let Some(taken) = answers.last().map_or(Ok(None), |rows| one(rows, keys::reserved))? {
            return Ok(Some(taken));
        }
        let what = format!("there are {MAX_HOOKS} webhooks, the most there may be");
        Err(StoreError::Conflict { what })
    }

    async fn hook(&self, id: &str) -> Answer<Option<Webhook>> {
        one(&self.read(Statement::new(HOOK).with(id)).await?, webhook)
    }

    async fn hooks(&self, owner: Option<&UserId>, after: &str, limit: usize) -> Answer<Vec<Webhook>> {
        let page = |sql| Statement::new(sql).with(after).with(limit as i64);
        let list = match owner {
            Some(owner) => page(HOOKS_OF).with(owner.as_str()),
            None => page(HOOKS),
        };
        all(&self.read(list).await?, webhook)
    }

    async fn enabled_hooks(&self, now: Millis) -> Answer<Vec<Webhook>> {
        all(&self.read(Statement::new(ENABLED).with(now)).await?, webhook)
    }

    async fn patch_hook(&self, id: &str, patch: &WebhookPatch) -> Answer<Option<Webhook>> {
        let kinds = patch.kinds.as_deref().map(joined);
        let change = Statement::new(PATCH_HOOK)
            .with(id)
            .with(patch.url.as_deref())
            .with(kinds.as_deref())
            .with(patch.secret.as_deref())
            .with(patch.enabled.is_some())
            .with(patch.enabled.unwrap_or_default());
        let answers = self.write(vec![change]).await?;
        answers.first().map_or(Ok(None), |rows| one(rows, webhook))
    }

    async fn sealed_secrets(&self, after: &str, limit: usize) -> Answer<Vec<(String, Vec<u8>)>> {
        let page = Statement::new(SECRETS).with(after).with(limit as i64);
        all(&self.read(page).await?, |row| Ok((row.text("id")?, row.bytes("secret")?)))
    }

    async fn reseal(&self, id: &str, before: &[u8], anew: &[u8]) -> Answer<bool> {
        let answers = self.write(vec![Statement::new(RESEAL).with(id).with(before).with(anew)]).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn disable_hook(&self, id: &str, reason: &str) -> Answer<()> {
        self.write(vec![Statement::new(DISABLE).with(id).with(reason)]).await.map(|_| ())
    }

    async fn remove_hook(&self, id: &str) -> Answer<bool> {
        let answers = self.write(vec![Statement::new(REMOVE_HOOK).with(id)]).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn add_delivery(&self, delivery: &Delivery) -> Answer<()> {
        self.write(vec![add_delivery(delivery)]).await.map(|_| ())
    }

    async fn deliveries(
        &self,
        hook: &str,
        state: State,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Delivery>> {
        let list = Statement::new(DELIVERIES)
            .with(hook)
            .with(state.as_str())
            .with(before.unwrap_or_default())
            .with(limit as i64);
        all(&self.read(list).await?, delivery)
    }

    async fn redeliver(&self, hook: &str, id: &str, now: Millis) -> Answer<bool> {
        let answers = self.write(vec![Statement::new(REDELIVER).with(hook).with(id).with(now)]).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn due_hooks(&self, now: Millis, limit: usize) -> Answer<Vec<String>> {
        let due = Statement::new(DUE_HOOKS).with(now).with(limit as i64);
        all(&self.read(due).await?, |row| row.text("id"))
    }

    async fn claim(&self, hook: &str, now: Millis, until: Millis, limit: usize) -> Answer<Vec<Claimed>> {
        let claim = Statement::new(CLAIM).with(hook).with(now).with(until).with(limit as i64);
        let answers = self.write(vec![claim]).await?;
        let claimed = |row: &dyn Columns| {
            Ok(Claimed { delivery: delivery(row)?, url: row.text("url")?, secret: row.bytes("secret")? })
        };
        answers.first().map_or(Ok(Vec::new()), |rows| all(rows, claimed))
    }

    async fn tried(&self, delivery: &Delivery, outcome: &Outcome) -> Answer<Option<Webhook>> {
        let (state, due, done) = match outcome.next {
            Next::Delivered => (State::Delivered, outcome.at, Some(outcome.at)),
            Next::Again(due) => (State::Pending, due, None),
            Next::Dead => (State::Dead, outcome.at, Some(outcome.at)),
        };
        let tried = Statement::new(TRIED)
            .with(delivery.id.as_str())
            .with(delivery.tries.cast_signed())
            .with(state.as_str())
            .with(due)
            .with(done)
            .with(outcome.status.map(i64::from))
            .with(outcome.error.as_deref());
        let failing = Statement::new(FAILING)
            .with(delivery.hook.as_str())
            .with(outcome.next == Next::Delivered)
            .with(outcome.at);
        let answers = self.write(vec![tried, failing]).await?;
        answers.last().map_or(Ok(None), |rows| one(rows, webhook))
    }

    async fn undelivered(&self) -> Answer<Undelivered> {
        let rows = self.read(Statement::new(UNDELIVERED)).await?;
        let counts = all(&rows, |row| Ok((row.text("state")?, row.number("number")?.cast_unsigned())))?;
        let of = |state: State| counts.iter().find(|(name, _)| name == state.as_str()).map_or(0, |one| one.1);
        Ok(Undelivered { pending: of(State::Pending), dead: of(State::Dead) })
    }

    async fn overfull_hooks(&self) -> Answer<Vec<String>> {
        let find = Statement::new(OVERFULL).with(MAX_UNDELIVERED.cast_signed());
        all(&self.read(find).await?, |row| row.text("id"))
    }

    async fn sweep_deliveries(&self, delivered: Millis, dead: Millis) -> Answer<()> {
        let of = |sql| Statement::new(sql).with(delivered).with(dead);
        // An idle database is not written to.
        if !self.read(of(SWEPT)).await?.is_empty() {
            self.write(vec![of(SWEEP)]).await?;
        }
        Ok(())
    }
}

pub(super) fn add_delivery(delivery: &Delivery) -> Statement {
    let event = &delivery.event;
    Statement::new(ADD_DELIVERY)
        .with(delivery.id.as_str())
        .with(delivery.hook.as_str())
        .with(event.n.cast_signed())
        .with(event.at)
        .with(event.kind.as_str())
        .with(event.doc.as_ref().map(DocumentId::as_str))
        .with(event.by.as_ref().map(UserId::as_str))
        .with(event.data.as_str())
        .with(delivery.due_at)
        .with(delivery.made_at)
}

fn kinds(hook: &Webhook) -> String {
    joined(&hook.kinds)
}

fn joined(kinds: &[super::Kind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",")
}

fn webhook(row: &dyn Columns) -> Result<Webhook, sqlx::Error> {
    Ok(Webhook {
        id: row.text("id")?,
        owner: row.maybe_text("owner")?.map(|owner| UserId(owner.into())),
        made_by: UserId(row.text("made_by")?.into()),
        url: row.text("url")?,
        // One of a newer server is nothing that this one could tell of.
        kinds: row.text("kinds")?.split(',').filter_map(|kind| kind.parse().ok()).collect(),
        enabled: row.flag("enabled")?,
        reason: row.maybe_text("reason")?,
        failing_since: row.maybe_number("failing_since")?,
        made_at: row.number("made_at")?,
    })
}

fn delivery(row: &dyn Columns) -> Result<Delivery, sqlx::Error> {
    let state = row.text("state")?.parse();
    Ok(Delivery {
        id: row.text("id")?,
        hook: row.text("hook_id")?,
        event: log::event(row)?,
        state: state.map_err(|()| sqlx::Error::Decode("no such state of a delivery".into()))?,
        tries: row.number("tries")?.cast_unsigned(),
        due_at: row.number("due_at")?,
        made_at: row.number("made_at")?,
        done_at: row.maybe_number("done_at")?,
        status: row.maybe_number("status")?.and_then(|status| u16::try_from(status).ok()),
        error: row.maybe_text("error")?,
    })
}

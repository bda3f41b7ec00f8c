//! What holds people back: bans, and how many documents somebody may own. Over any database, as accounts are.

use async_trait::async_trait;
use ipnet::IpNet;

use super::statements::Answer;
use super::tables::{Columns, Statement, Tables, all, one};
use crate::ids::{Millis, UserId};
use crate::storage::StoreError;

/// Bans that hold at the same time, at most: every server has all of them in memory.
pub const MAX_BANS: usize = 10_000;

/// Somebody whom this server does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// A UUID of version 7, so that the order of ids is that of time.
    pub id: String,
    pub who: Banned,
    pub reason: String,
    pub made_by: UserId,
    pub made_at: Millis,
    /// `None` until it is lifted.
    pub expires_at: Option<Millis>,
}

/// Whom a ban is about. Guests can call themselves anything: they go by where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Banned {
    User(UserId),
    Network(IpNet),
}

/// How many documents somebody may own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    pub user: UserId,
    pub documents: u32,
    pub set_by: UserId,
    pub set_at: Millis,
}

/// Bans and quotas.
#[async_trait]
pub trait Restraints: Send + Sync {
    /// Keeps a ban, in place of an earlier one of the same; tells whether there was room: [`MAX_BANS`] may hold.
    async fn ban(&self, ban: &Ban) -> Result<bool, StoreError>;

    /// Ends a ban; tells whether there was one.
    async fn lift_ban(&self, id: &str) -> Result<bool, StoreError>;

    /// Lists the bans that hold, in order of their ids, at most `limit`, after one of them.
    async fn bans(&self, at: Millis, after: Option<&str>, limit: usize) -> Result<Vec<Ban>, StoreError>;

    /// Keeps how many documents somebody may own.
    async fn set_quota(&self, quota: &Quota) -> Result<(), StoreError>;

    /// Forgets it, so that what everybody may have holds; tells whether there was one.
    async fn remove_quota(&self, user: &UserId) -> Result<bool, StoreError>;

    async fn quota(&self, user: &UserId) -> Result<Option<Quota>, StoreError>;

    /// Lists quotas in order of their users, at most `limit`, after one of them.
    async fn quotas(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<Quota>, StoreError>;

    /// Counts the documents that somebody owns, those in the trash too, up to `most`.
    async fn owned(&self, user: &UserId, most: u32) -> Result<u32, StoreError>;
}

const END_EXPIRED: &str = "DELETE FROM bans WHERE expires_at <= $1";
const REPLACE_USER: &str = "DELETE FROM bans WHERE user_id = $1";
const REPLACE_NETWORK: &str = "DELETE FROM bans WHERE network = $1";
const BAN: &str = "INSERT INTO bans (id, user_id, network, reason, made_by, made_at, expires_at)
    SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT COUNT(*) FROM bans) < $8
    RETURNING id";
const LIFT: &str = "DELETE FROM bans WHERE id = $1 RETURNING id";
const BANS: &str = "SELECT * FROM bans WHERE id > $1 AND (expires_at IS NULL OR expires_at > $2)
    ORDER BY id LIMIT $3";
const SET_QUOTA: &str = "INSERT INTO quotas (user_id, documents, set_by, set_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_id) DO UPDATE
    SET documents = excluded.documents, set_by = excluded.set_by, set_at = excluded.set_at";
const REMOVE_QUOTA: &str = "DELETE FROM quotas WHERE user_id = $1 RETURNING user_id";
const QUOTA: &str = "SELECT * FROM quotas WHERE user_id = $1";
const QUOTAS: &str = "SELECT * FROM quotas WHERE user_id > $1 ORDER BY user_id LIMIT $2";
const OWNED: &str = "SELECT COUNT(*) AS owned FROM (
        SELECT 1 FROM documents WHERE owner = $1 AND purged_at IS NULL LIMIT $2
    ) AS found";

#[async_trait]
impl<T: Tables> Restraints for T {
    async fn ban(&self, ban: &Ban) -> Answer<bool> {
        let (user, network) = match &ban.who {
            Banned::User(user) => (Some(user.as_str()), None),
            Banned::Network(network) => (None, Some(network.to_string())),
        };
        let replace = match user {
            Some(user) => Statement::new(REPLACE_USER).with(user),
            None => Statement::new(REPLACE_NETWORK).with(network.as_deref()),
        };
        let keep = Statement::new(BAN)
            .with(ban.id.as_str())
            .with(user)
            .with(network.as_deref())
            .with(ban.reason.as_str())
            .with(ban.made_by.as_str())
            .with(ban.made_at)
            .with(ban.expires_at)
            .with(MAX_BANS as i64);
        let answers = self.write(vec![Statement::new(END_EXPIRED).with(ban.made_at), replace, keep]).await?;
        Ok(answers.last().is_some_and(|rows| !rows.is_empty()))
    }

    async fn lift_ban(&self, id: &str) -> Answer<bool> {
        let answers = self.write(vec![Statement::new(LIFT).with(id)]).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn bans(&self, at: Millis, after: Option<&str>, limit: usize) -> Answer<Vec<Ban>> {
        let statement = Statement::new(BANS).with(after.unwrap_or_default()).with(at).with(limit as i64);
        all(&self.read(statement).await?, ban)
    }

    async fn set_quota(&self, quota: &Quota) -> Answer<()> {
        let set = Statement::new(SET_QUOTA)
            .with(quota.user.as_str())
            .with(i64::from(quota.documents))
            .with(quota.set_by.as_str())
            .with(quota.set_at);
        self.write(vec![set]).await.map(|_| ())
    }

    async fn remove_quota(&self, user: &UserId) -> Answer<bool> {
        let answers = self.write(vec![Statement::new(REMOVE_QUOTA).with(user.as_str())]).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn quota(&self, user: &UserId) -> Answer<Option<Quota>> {
        one(&self.read(Statement::new(QUOTA).with(user.as_str())).await?, quota)
    }

    async fn quotas(&self, after: Option<&UserId>, limit: usize) -> Answer<Vec<Quota>> {
        let after = after.map_or("", UserId::as_str);
        all(&self.read(Statement::new(QUOTAS).with(after).with(limit as i64)).await?, quota)
    }

    async fn owned(&self, user: &UserId, most: u32) -> Answer<u32> {
        let rows = self.read(Statement::new(OWNED).with(user.as_str()).with(i64::from(most))).await?;
        let counted = one(&rows, |row| row.number("owned"))?;
        Ok(counted.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

fn ban(row: &dyn Columns) -> Result<Ban, sqlx::Error> {
    let network = row.maybe_text("network")?.map(|network| network.parse());
    let who = match network.transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))? {
        Some(network) => Banned::Network(network),
        None => Banned::User(UserId(row.text("user_id")?.into())),
    };
    Ok(Ban {
        id: row.text("id")?,
        who,
        reason: row.text("reason")?,
        made_by: UserId(row.text("made_by")?.into()),
        made_at: row.number("made_at")?,
        expires_at: row.maybe_number("expires_at")?,
    })
}

fn quota(row: &dyn Columns) -> Result<Quota, sqlx::Error> {
    let documents = row.number("documents")?;
    Ok(Quota {
        user: UserId(row.text("user_id")?.into()),
        documents: u32::try_from(documents).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        set_by: UserId(row.text("set_by")?.into()),
        set_at: row.number("set_at")?,
    })
}

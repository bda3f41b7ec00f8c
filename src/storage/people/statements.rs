//! Rows about people over any database that runs the statements.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::places::{GIVEN, Given, REMOVED, RENAMED, RENAMED_IN_LOG, Shown};
use super::{Begun, ERASED, Erasing, Fate, People, PersonsDocument, Share, is_own, tombstone_of};
use crate::ids::{DocumentId, InvalidDocumentId, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::tables::{Columns, Rows, Statement, Tables};

const DOCUMENTS: &str = "SELECT d.id, CAST(CASE WHEN d.owner = $1 THEN 1 ELSE 0 END AS BIGINT) AS owns
    FROM documents AS d
    WHERE d.purged_at IS NULL AND d.id > $2 AND (
        d.owner = $1
        OR EXISTS (
            SELECT 1 FROM clients AS c WHERE c.shard = d.shard AND c.doc_id = d.id AND c.user_id = $1
        )
        OR d.id IN (SELECT a.doc_id FROM activity AS a WHERE a.user_id = $1)
        OR d.id IN (SELECT c.doc_id FROM comments AS c WHERE c.user_id = $1 OR c.resolved_by = $1)
        OR d.id IN (SELECT v.doc_id FROM named_versions AS v WHERE v.user_id = $1)
        OR d.id IN (SELECT p.doc_id FROM permissions AS p WHERE p.granted_by = $1)
        OR d.id IN (SELECT p.doc_id FROM permissions AS p WHERE p.kind = 'user' AND p.subject = $1)
        OR d.id IN (SELECT l.doc_id FROM share_links AS l WHERE l.made_by = $1)
    )
    ORDER BY d.id LIMIT $3";
const SHARE: &str = "SELECT CAST(COALESCE(SUM(ops), 0) AS BIGINT) AS ops,
    CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes
    FROM activity WHERE shard = $1 AND doc_id = $2 AND user_id = $3";

/// Of one who was to be erased already the drawn id stays: it may be in logs by now.
const BEGIN: &str = "INSERT INTO erasures (user_id, pseudonym, documents, begun_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_id) DO UPDATE SET documents = excluded.documents, begun_at = excluded.begun_at
    RETURNING user_id, pseudonym, documents, begun_at";
const ERASURES: &str =
    "SELECT user_id, pseudonym, documents, begun_at FROM erasures ORDER BY begun_at, user_id";
const END: [&str; 2] =
    ["DELETE FROM erasure_documents WHERE user_id = $1", "DELETE FROM erasures WHERE user_id = $1"];

/// All that $1 owns is to go …
const DOOM_OWNED: &str = "INSERT INTO erasure_documents (user_id, doc_id)
    SELECT $1, d.id FROM documents AS d WHERE d.owner = $1 AND d.purged_at IS NULL
    ON CONFLICT DO NOTHING";
/// … or what nobody else may see at $2. What has ended by then shares nothing.
const DOOM_PRIVATE: &str = "INSERT INTO erasure_documents (user_id, doc_id)
    SELECT $1, d.id FROM documents AS d
    WHERE d.owner = $1 AND d.purged_at IS NULL AND d.link_role = 'none'
        AND NOT EXISTS (
            SELECT 1 FROM permissions AS p
            WHERE p.doc_id = d.id AND (p.expires_at IS NULL OR p.expires_at > $2) AND (
                (p.kind = 'user' AND p.subject <> $1)
                OR (p.kind = 'group' AND EXISTS (
                    SELECT 1 FROM group_members AS m WHERE m.group_id = p.subject AND m.user_id <> $1
                ))
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM share_links AS l
            WHERE l.doc_id = d.id AND l.revoked_at IS NULL AND (l.expires_at IS NULL OR l.expires_at > $2)
        )
    ON CONFLICT DO NOTHING";
const DOOMED: &str = "SELECT doc_id AS id FROM erasure_documents WHERE user_id = $1 ORDER BY doc_id LIMIT $2";
const GONE: &str = "DELETE FROM erasure_documents WHERE user_id = $1 AND doc_id = $2";

/// They stay for a while, so that every server hears of it.
const END_SIGN_INS: &str = "UPDATE sign_ins SET ended_at = COALESCE(ended_at, $2), user_agent = ''
    WHERE user_id = $1 RETURNING id";
const END_TOKENS: &str = "UPDATE service_tokens SET ended_at = COALESCE(ended_at, $2), name = ''
    WHERE owner = $1 RETURNING id";

/// The groups of $1 are locked, where there are locks, so that changes of one group follow each other; then the documents that are
/// counted or renamed. Both in order of id, as all lock them who lock several.
const LOCK: [&str; 2] = [
    "SELECT g.id FROM user_groups AS g
    WHERE g.id IN (SELECT m.group_id FROM group_members AS m WHERE m.user_id = $1)
    ORDER BY g.id FOR UPDATE",
    "SELECT d.id FROM documents AS d
    WHERE d.owner = $1
        OR d.id IN (SELECT p.doc_id FROM permissions AS p WHERE p.kind = 'user' AND p.subject = $1)
        OR d.id IN (
            SELECT p.doc_id FROM permissions AS p INNER JOIN group_members AS m ON m.group_id = p.subject
            WHERE p.kind = 'group' AND m.user_id = $1
        )
    ORDER BY d.id FOR NO KEY UPDATE",
];
const COUNT_CHANGES: &str = "UPDATE documents SET access_changes = access_changes + 1
    WHERE purged_at IS NULL AND (
        owner = $1
        OR id IN (SELECT p.doc_id FROM permissions AS p WHERE p.kind = 'user' AND p.subject = $1)
        OR id IN (
            SELECT p.doc_id FROM permissions AS p INNER JOIN group_members AS m ON m.group_id = p.subject
            WHERE p.kind = 'group' AND m.user_id = $1
        )
    )";
/// The oldest member manages what $1 alone has managed.
const HAND_OVER_GROUPS: &str = "UPDATE group_members SET manager = TRUE
    WHERE group_id IN (SELECT m.group_id FROM group_members AS m WHERE m.user_id = $1)
        AND NOT EXISTS (
            SELECT 1 FROM group_members AS o
            WHERE o.group_id = group_members.group_id AND o.user_id <> $1 AND o.manager
        )
        AND user_id = (
            SELECT o.user_id FROM group_members AS o
            WHERE o.group_id = group_members.group_id AND o.user_id <> $1
            ORDER BY o.added_at, o.user_id LIMIT 1
        )";
/// Groups that have nobody but $1 end.
const END_GROUPS: [&str; 2] = [
    "DELETE FROM permissions WHERE kind = 'group' AND subject IN (
        SELECT m.group_id FROM group_members AS m
        WHERE m.user_id = $1 AND NOT EXISTS (
            SELECT 1 FROM group_members AS o WHERE o.group_id = m.group_id AND o.user_id <> $1
        )
    )",
    "DELETE FROM user_groups WHERE id IN (
        SELECT m.group_id FROM group_members AS m
        WHERE m.user_id = $1 AND NOT EXISTS (
            SELECT 1 FROM group_members AS o WHERE o.group_id = m.group_id AND o.user_id <> $1
        )
    )",
];

/// What stays of an own account, whose id nobody gets again: tokens that have not ended find it disabled, and bring no name back.
const BURY: &str = "UPDATE users SET issuer = $3, subject = id, name = '', email = NULL, admin = FALSE,
        may_create = FALSE, disabled_at = $2
    WHERE id = $1 RETURNING 1 AS gone";
/// Of somebody from elsewhere whose id says nothing.
const EMPTY: &str = "UPDATE users SET name = '', email = NULL WHERE id = $1 RETURNING 1 AS gone";
/// Of somebody from elsewhere whose id is a name, and who has had keys of this server, which are to be seen to have ended.
const REPLACE: [&str; 3] = [
    "INSERT INTO users (id, issuer, subject, name, email, created_at, seen_at, disabled_at, admin, may_create)
    SELECT e.pseudonym, $3, e.pseudonym, '', NULL, $2, $2, $2, FALSE, FALSE FROM erasures AS e
    WHERE e.user_id = $1 AND (
        EXISTS (SELECT 1 FROM service_tokens AS t WHERE t.owner = $1)
        OR EXISTS (SELECT 1 FROM sign_ins AS s WHERE s.user_id = $1)
    )
    ON CONFLICT DO NOTHING",
    "UPDATE service_tokens SET owner = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE owner = $1",
    "UPDATE sign_ins SET user_id = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE user_id = $1",
];
/// By which tokens from elsewhere are known that were made before $2.
const REMEMBER: &str =
    "INSERT INTO users (id, issuer, subject, name, email, created_at, seen_at, disabled_at, admin, may_create)
    VALUES ($1, $3, $1, '', NULL, $2, $2, $2, FALSE, FALSE)
    ON CONFLICT (id) DO UPDATE SET disabled_at = excluded.disabled_at";
const FORGET: &str = "DELETE FROM users WHERE id = $1 RETURNING 1 AS gone";

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl<T: Tables> People for T {
    async fn person(&self, user: &UserId) -> Answer<Map<String, Value>> {
        let mut person = Map::new();
        for given in GIVEN {
            let found = self.read(Statement::new(given.sql).with(user.as_str())).await?;
            let rows = all(&found, |row| shown(given, row))?;
            if !rows.is_empty() {
                person.insert(given.table.to_owned(), Value::Array(rows));
            }
        }
        Ok(person)
    }

    async fn documents_of(
        &self,
        user: &UserId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Answer<Vec<PersonsDocument>> {
        let after = after.map_or("", DocumentId::as_str);
        let list = Statement::new(DOCUMENTS).with(user.as_str()).with(after).with(limit as i64);
        all(&self.read(list).await?, |row| {
            Ok(PersonsDocument { doc: doc(row)?, owns: row.number("owns")? == 1 })
        })
    }

    async fn share_of(&self, user: &UserId, doc: &DocumentId) -> Answer<Share> {
        let count = Statement::new(SHARE).with(i64::from(doc.shard())).with(doc.as_str());
        let found = self.read(count.with(user.as_str())).await?;
        let count = |row: &dyn Columns, column| row.number(column).map(i64::unsigned_abs);
        let shares =
            all(&found, |row| Ok(Share { operations: count(row, "ops")?, bytes: count(row, "bytes")? }))?;
        Ok(shares.into_iter().next().unwrap_or_default())
    }

    async fn begin_erasure(&self, erasing: &Erasing) -> Answer<Begun> {
        let (user, at) = (erasing.user.as_str(), erasing.begun_at);
        let of = |sql| Statement::new(sql).with(user);
        let begin = of(BEGIN).with(erasing.pseudonym.as_str()).with(erasing.fate.as_str()).with(at);
        let doom = match erasing.fate {
            Fate::Owned => of(DOOM_OWNED),
            Fate::Private => of(DOOM_PRIVATE).with(at),
        };
        let mut statements = vec![begin, of(END_SIGN_INS).with(at), of(END_TOKENS).with(at)];
        let ended = 1..statements.len();
        // Before what it is judged by has changed.
        statements.push(doom);
        if self.locks_rows() {
            statements.extend(LOCK.map(of));
        }
        statements.extend([of(COUNT_CHANGES), of(HAND_OVER_GROUPS)]);
        statements.extend(END_GROUPS.map(of));
        let removed = statements.len();
        statements.extend(REMOVED.iter().copied().map(of));
        if erasing.renames() {
            statements.extend(RENAMED.iter().copied().map(of));
        }
        if is_own(&erasing.user) {
            statements.push(of(BURY).with(at).with(ERASED));
        } else if erasing.renames() {
            let [tombstone, tokens, sign_ins] = REPLACE;
            statements.extend([of(tombstone).with(at).with(ERASED), of(tokens), of(sign_ins), of(FORGET)]);
        } else {
            statements.push(of(EMPTY));
        }
        let tombstone = tombstone_of(&erasing.user);
        if !is_own(&erasing.user) {
            statements.push(Statement::new(REMEMBER).with(tombstone.as_str()).with(at).with(ERASED));
        }
        let answers = self.write(statements).await?;
        let begun = answers.first().map_or(Ok(Vec::new()), |rows| all(rows, self::erasing))?;
        let rows =
            answers[removed..].iter().chain(&answers[ended.clone()]).map(|rows| rows.len() as u64).sum();
        let ids: Vec<_> =
            answers[ended].iter().map(|rows| all(rows, |row| row.text("id"))).collect::<Result<_, _>>()?;
        Ok(Begun {
            erasing: begun.into_iter().next().unwrap_or_else(|| erasing.clone()),
            rows,
            ended: ids.concat(),
        })
    }

    async fn erasures(&self) -> Answer<Vec<Erasing>> {
        all(&self.read(Statement::new(ERASURES)).await?, erasing)
    }

    async fn doomed(&self, user: &UserId, limit: usize) -> Answer<Vec<DocumentId>> {
        all(&self.read(Statement::new(DOOMED).with(user.as_str()).with(limit as i64)).await?, doc)
    }

    async fn is_gone(&self, user: &UserId, doc: &DocumentId) -> Answer<()> {
        let gone = Statement::new(GONE).with(user.as_str()).with(doc.as_str());
        self.write(vec![gone]).await.map(|_| ())
    }

    async fn rename_in(&self, doc: &DocumentId, erasing: &Erasing) -> Answer<bool> {
        let rename = |sql: &'static str| {
            Statement::new(sql)
                .with(erasing.user.as_str())
                .with(erasing.pseudonym.as_str())
                .with(doc.as_str())
                .with(i64::from(doc.shard()))
                .with(erasing.begun_at)
        };
        let statements =
            self.changed(doc.shard()).into_iter().chain(RENAMED_IN_LOG.iter().copied().map(rename));
        let answers = self.write(statements.collect()).await?;
        Ok(answers.last().is_some_and(|rows| !rows.is_empty()))
    }

    async fn end_erasure(&self, user: &UserId) -> Answer<()> {
        self.write(END.map(|sql| Statement::new(sql).with(user.as_str())).into()).await.map(|_| ())
    }
}

fn shown(given: &Given, row: &dyn Columns) -> Result<Value, sqlx::Error> {
    let mut shown = Map::new();
    for column in given.shown {
        let (name, value) = match *column {
            Shown::Text(name) => (name, json!(row.maybe_text(name)?)),
            Shown::Number(name) => (name, json!(row.maybe_number(name)?)),
            Shown::Flag(name) => (name, json!(row.flag(name)?)),
        };
        shown.insert(name.to_owned(), value);
    }
    Ok(Value::Object(shown))
}

fn erasing(row: &dyn Columns) -> Result<Erasing, sqlx::Error> {
    Ok(Erasing {
        user: UserId(row.text("user_id")?.into()),
        pseudonym: UserId(row.text("pseudonym")?.into()),
        fate: Fate::read(&row.text("documents")?),
        begun_at: row.number("begun_at")?,
    })
}

fn doc(row: &dyn Columns) -> Result<DocumentId, sqlx::Error> {
    row.text("id")?.parse().map_err(|error: InvalidDocumentId| sqlx::Error::Decode(error.into()))
}

fn all<T>(rows: &Rows, read: impl Fn(&dyn Columns) -> Result<T, sqlx::Error>) -> Answer<Vec<T>> {
    rows.iter().map(|row| read(&**row)).collect::<Result<_, _>>().map_err(StoreError::unavailable)
}

//! Reading the log: memory has its end, the database all before that.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;

use super::bulk::integer;
use super::error::read_error;
use super::{Inner, SqliteStore, rows};
use crate::ids::{ClientId, DocumentId, SHARDS, Shard, Version};
use crate::storage::page::{self, Page};
use crate::storage::{AppendEntry, AppendError, ClientRow, LoggedOp, OpLog, ShardPage, StoreError};

const READ_OPS: &str = include_str!("sql/read_ops.sql");
const READ_CLIENT: &str = "SELECT user_id, last_seq, last_version FROM clients
    WHERE shard = ?1 AND doc_id = ?2 AND client_id = ?3";
/// There is no index by version, and a document may have as many clients as operations: some of them have to do.
const READ_LEAST_HEAD: &str = "SELECT COALESCE(MAX(last_version), 0) AS least_head
    FROM (SELECT last_version FROM clients WHERE shard = ?1 AND doc_id = ?2 LIMIT 1024)";
/// No row when the document does not exist.
const READ_HEAD: &str = "SELECT
        COALESCE((SELECT MAX(o.version) FROM ops AS o WHERE o.shard = d.shard AND o.doc_id = d.id), 0) AS head
    FROM documents AS d WHERE d.id = ?1 AND d.purged_at IS NULL";

impl Inner {
    /// Reads the head of a document's log. Memory first: what leaves it is in the database by then.
    pub(super) async fn head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        if let Some(head) = self.recent.lock().head(doc) {
            return Ok(head);
        }
        let row = sqlx::query(READ_HEAD).bind(doc.as_str()).fetch_optional(&self.readers).await;
        match row.map_err(|error| read_error(doc, 0, error))? {
            Some(row) => rows::number(&row, "head").map_err(|error| read_error(doc, 0, error)),
            None => Err(not_found(doc)),
        }
    }

    /// Fills a page with `after < version <= upto`. Returns with it the head from before the page was read, if memory had
    /// it.
    async fn read_page(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        mut page: Page,
    ) -> Result<(Page, Option<Version>), StoreError> {
        let (head, tail) = {
            let recent = self.recent.lock();
            (recent.head(doc), recent.tail(doc, after, upto, page.room()))
        };
        let (settled_upto, tail) = match tail {
            Some((first, tail)) => (upto.min(first - 1), tail),
            None => (upto, Vec::new()),
        };
        if after < settled_upto {
            self.read_settled(doc, after, settled_upto, &mut page).await?;
        }
        for op in tail {
            page.push(op);
        }
        Ok((page, head))
    }

    /// Adds to `page` what the database has in `after < version <= upto`.
    async fn read_settled(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let mut come_to = after;
        let mut found = sqlx::query(READ_OPS)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .bind(integer(after))
            .bind(integer(upto))
            .bind(integer(page.room() as u64))
            .fetch(&self.readers);
        while let Some(row) = found.try_next().await.map_err(|error| read_error(doc, come_to + 1, error))? {
            let op = rows::op(&row).map_err(|error| read_error(doc, come_to + 1, error))?;
            come_to = op.version;
            page.push(op);
            if page.is_full() {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl OpLog for SqliteStore {
    async fn append(&self, batch: &[AppendEntry]) -> Result<(), AppendError> {
        let batch = batch.to_vec();
        let append = async move |inner: Arc<Inner>, writer| Ok(inner.append(writer, batch).await);
        self.inner.detached(append).await.unwrap_or_else(|error| Err(AppendError::Refused(error)))
    }

    async fn read_ops(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<LoggedOp>, StoreError> {
        let mut known = None;
        loop {
            let (page, held) = self.inner.read_page(doc, after, upto, Page::new(limit, max_bytes)).await?;
            if !page.is_empty() || limit == 0 {
                return page.finish(doc, after);
            }
            // Only a head that was known before the page was read tells that something is missing: others go on writing.
            match known.or(held) {
                Some(head) if after < upto.min(head) => {
                    // A document that was purged meanwhile is not damaged, but gone.
                    self.inner.head(doc).await?;
                    return Err(page::missing(doc, after, head));
                }
                Some(_) => return Ok(Vec::new()),
                None => known = Some(self.inner.head(doc).await?),
            }
        }
    }

    async fn find_op(
        &self,
        doc: &DocumentId,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError> {
        {
            let recent = self.inner.recent.lock();
            if recent.client(doc, client).is_some_and(|row| row.last_seq < seq) {
                return Ok(None);
            }
            if let Some(version) = recent.find_op(doc, client, seq) {
                return Ok(Some(version));
            }
        }
        rows::find_op(&self.inner.readers, doc, client, seq).await.map_err(|error| read_error(doc, 0, error))
    }

    async fn client(&self, doc: &DocumentId, client: ClientId) -> Result<Option<ClientRow>, StoreError> {
        if let Some(row) = self.inner.recent.lock().client(doc, client) {
            return Ok(Some(row.clone()));
        }
        let row = sqlx::query(READ_CLIENT)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .bind(client.0.as_bytes().as_slice())
            .fetch_optional(&self.inner.readers)
            .await;
        row.and_then(|row| row.map(|row| rows::client_row(&row)).transpose())
            .map_err(|error| read_error(doc, 0, error))
    }

    async fn least_head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let row = sqlx::query(READ_LEAST_HEAD)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .fetch_one(&self.inner.readers)
            .await;
        row.and_then(|row| rows::number(&row, "least_head")).map_err(|error| read_error(doc, 0, error))
    }

    async fn last_positions(&self) -> Result<Box<[u64; SHARDS]>, StoreError> {
        // After a write of unknown outcome only the database knows; asking for the writer makes memory right again.
        let _writer = self.inner.writer().await?;
        let recent = self.inner.recent.lock();
        Ok(Box::new(std::array::from_fn(|shard| recent.shards[shard].last_pos)))
    }

    async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        self.inner.read_shard(shard, after, limit, max_bytes).await
    }
}

pub(super) fn not_found(doc: &DocumentId) -> StoreError {
    StoreError::NotFound { what: format!("document {doc}") }
}

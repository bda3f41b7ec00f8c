//! Reading the log.

use async_trait::async_trait;

use super::error::{read_error, store_error};
use super::rows::{self, integer};
use super::sessions::statement;
use super::{PostgresStore, ledger};
use crate::ids::{ClientId, DocumentId, SHARDS, Shard, Version};
use crate::storage::page::{self, Page};
use crate::storage::{AppendEntry, AppendError, ClientRow, LoggedOp, OpLog, ShardPage, StoreError};

const READ_OPS: &str = include_str!("sql/read_ops.sql");
const READ_HEAD: &str = include_str!("sql/read_head.sql");
const FIND_OP: &str = include_str!("sql/find_op.sql");
const READ_CLIENT: &str = include_str!("sql/read_client.sql");
const READ_LEAST_HEAD: &str = include_str!("sql/read_least_head.sql");

impl PostgresStore {
    /// Reads the head of a document's log.
    pub(super) async fn head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let row = self.sessions.row(statement(READ_HEAD).bind(doc.as_str())).await;
        match row.map_err(|error| read_error(doc, 0, error))? {
            Some(row) => rows::number(&row, "head").map_err(|error| read_error(doc, 0, error)),
            None => Err(not_found(doc)),
        }
    }

    async fn read_page(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        mut page: Page,
        max_bytes: usize,
    ) -> Result<Page, StoreError> {
        let read = statement(READ_OPS)
            .bind(i16::from(doc.shard()))
            .bind(doc.as_str())
            .bind(integer(after))
            .bind(integer(upto))
            .bind(integer(page.room() as u64))
            .bind(integer(max_bytes as u64));
        let found = self.sessions.rows(read).await.map_err(|error| read_error(doc, after + 1, error))?;
        let mut come_to = after;
        for row in &found {
            let op = rows::op(row).map_err(|error| read_error(doc, come_to + 1, error))?;
            come_to = op.version;
            page.push(op);
        }
        Ok(page)
    }
}

#[async_trait]
impl OpLog for PostgresStore {
    async fn append(&self, batch: &[AppendEntry]) -> Result<(), AppendError> {
        self.append_batch(batch).await
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
            let page = self.read_page(doc, after, upto, Page::new(limit, max_bytes), max_bytes).await?;
            if !page.is_empty() || limit == 0 {
                let finished = page.finish(doc, after);
                if finished.is_err() {
                    // A document that is being purged is not damaged, but gone.
                    self.head(doc).await?;
                }
                return finished;
            }
            // Only a head that was known before the page was read tells that something is missing: others go on writing.
            match known {
                Some(head) if after < upto.min(head) => {
                    self.head(doc).await?;
                    return Err(page::missing(doc, after, head));
                }
                Some(_) => return Ok(Vec::new()),
                None => known = Some(self.head(doc).await?),
            }
        }
    }

    async fn find_op(
        &self,
        doc: &DocumentId,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError> {
        let find = statement(FIND_OP)
            .bind(i16::from(doc.shard()))
            .bind(doc.as_str())
            .bind(client.0)
            .bind(integer(seq));
        let row = self.sessions.row(find).await;
        row.and_then(|row| row.map(|row| rows::number(&row, "version")).transpose())
            .map_err(|error| read_error(doc, 0, error))
    }

    async fn client(&self, doc: &DocumentId, client: ClientId) -> Result<Option<ClientRow>, StoreError> {
        let read = statement(READ_CLIENT).bind(i16::from(doc.shard())).bind(doc.as_str()).bind(client.0);
        let row = self.sessions.row(read).await;
        row.and_then(|row| row.map(|row| rows::client_row(&row)).transpose())
            .map_err(|error| read_error(doc, 0, error))
    }

    async fn least_head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let read = statement(READ_LEAST_HEAD).bind(i16::from(doc.shard())).bind(doc.as_str());
        let row = self.sessions.row(read).await;
        row.and_then(|row| row.map_or(Ok(0), |row| rows::number(&row, "least_head")))
            .map_err(|error| read_error(doc, 0, error))
    }

    async fn last_positions(&self) -> Result<Box<[u64; SHARDS]>, StoreError> {
        let shards = ledger::shards(&self.sessions).await.map_err(store_error)?;
        Ok(Box::new(shards.map(|(_, last_pos)| last_pos)))
    }

    async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        self.read_page_of(shard, after, limit, max_bytes).await
    }
}

pub(super) fn not_found(doc: &DocumentId) -> StoreError {
    StoreError::NotFound { what: format!("document {doc}") }
}

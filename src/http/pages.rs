//! How lists are read page by page: the same everywhere.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::problem::Problem;

/// Entries on a page, unless asked otherwise, and at most.
const PAGE: usize = 50;
const MAX_PAGE: usize = 200;

/// Which page of a list to read.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// `next` of the page before; the first page without it.
    pub cursor: Option<String>,
    /// Entries on the page: 50 without it, and at most 200.
    #[param(minimum = 1)]
    pub limit: Option<usize>,
}

impl PageParameters {
    /// Reads how many entries are wanted.
    ///
    /// # Errors
    /// `bad_request` for none.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            Some(0) => Err(Problem::bad_request("limit begins at 1")),
            given => Ok(given.unwrap_or(PAGE).min(MAX_PAGE)),
        }
    }

    /// Reads where the page before has ended.
    ///
    /// # Errors
    /// `bad_request` for what no list has given.
    pub fn after<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let bad = || Problem::bad_request("cursor is not one that a list has given");
        self.cursor.as_deref().map(|cursor| read(cursor).ok_or_else(bad)).transpose()
    }
}

/// Cuts what was read, one more than the page may have, to the page; tells where the next one begins, if there is one.
pub fn cut<T>(entries: &mut Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Option<String> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    entries.last().filter(|_| more).map(cursor)
}

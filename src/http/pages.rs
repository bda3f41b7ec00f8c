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

    /// Reads a page with `list`, which is told after which entry it begins and how many are wanted: one more than the page has. Returns
    /// it with where the next one begins, if there is one.
    ///
    /// # Errors
    /// `bad_request` for parameters that are none, and those of `list`.
    pub async fn page<T, A, C>(
        &self,
        read: impl FnOnce(&str) -> Option<A>,
        list: impl AsyncFnOnce(Option<A>, usize) -> Result<Vec<T>, Problem>,
        cursor: impl FnOnce(&T) -> C,
    ) -> Result<(Vec<T>, Option<C>), Problem> {
        let limit = self.limit()?;
        let mut entries = list(self.after(read)?, limit + 1).await?;
        let next = cut(&mut entries, limit, cursor);
        Ok((entries, next))
    }
}

/// Cuts what was read, one more than the page may have, to the page; tells where the next one begins, if there is one.
pub fn cut<T, C>(entries: &mut Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> C) -> Option<C> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    entries.last().filter(|_| more).map(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_as_many_as_are_wanted_within_bounds() {
        let limit = |limit| PageParameters { cursor: None, limit }.limit().ok();
        assert_eq!(
            [None, Some(1), Some(200), Some(201), Some(0)].map(limit),
            [Some(50), Some(1), Some(200), Some(200), None]
        );
    }

    #[test]
    fn a_cursor_is_one_that_a_list_has_given() {
        let after = |cursor: Option<&str>| {
            let page = PageParameters { cursor: cursor.map(str::to_owned), limit: None };
            page.after(|cursor| cursor.parse::<u32>().ok()).ok()
        };
        assert_eq!([after(None), after(Some("7")), after(Some("x"))], [Some(None), Some(Some(7)), None]);
    }

    #[test]
    fn a_page_goes_on_where_there_is_more() {
        let cut_to = |limit| {
            let mut entries = vec![1, 2, 3];
            let next = cut(&mut entries, limit, |last| *last);
            (entries.len(), next)
        };
        assert_eq!([cut_to(2), cut_to(3), cut_to(4)], [(2, Some(2)), (3, None), (3, None)]);
    }
}

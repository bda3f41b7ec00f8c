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

/// Makes one page of those that several servers have of a list, with where each goes on: in order of `key`, nothing beyond where the
/// first of them ends, and at most `most` entries. Tells where it goes on.
pub fn join<T>(
    pages: Vec<(Vec<T>, Option<String>)>,
    most: usize,
    key: impl Fn(&T) -> &str,
) -> (Vec<T>, Option<String>) {
    let end = pages.iter().filter_map(|(_, next)| next.clone()).min();
    let mut entries: Vec<T> = pages.into_iter().flat_map(|(entries, _)| entries).collect();
    entries.retain(|entry| end.as_deref().is_none_or(|end| key(entry) <= end));
    entries.sort_by(|one, other| key(one).cmp(key(other)));
    let cut = cut(&mut entries, most, |last| key(last).to_owned());
    (entries, cut.or(end))
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
    fn pages_of_several_servers_are_one_without_a_gap() {
        let page = |entries: &str, next: Option<&str>| {
            (entries.chars().map(String::from).collect::<Vec<_>>(), next.map(str::to_owned))
        };
        let joined = |pages: Vec<_>, most| {
            let (entries, next) = join(pages, most, String::as_str);
            (entries.concat(), next)
        };
        assert_eq!(joined(vec![page("ad", None), page("bc", None)], 9), ("abcd".into(), None));
        // The first server may have another one between d and f.
        let cut = vec![page("ad", Some("d")), page("bcf", None)];
        assert_eq!(joined(cut.clone(), 9), ("abcd".into(), Some("d".into())));
        assert_eq!(joined(cut, 2), ("ab".into(), Some("b".into())));
        assert_eq!(
            joined(vec![page("ac", Some("c")), page("bd", Some("d"))], 2),
            ("ab".into(), Some("b".into()))
        );
        assert_eq!(joined(vec![page("", None)], 2), (String::new(), None));
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

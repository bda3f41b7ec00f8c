//! Whether a caller may do what is asked for with a document: the first thing that every handler of one asks.

use crate::access::{Access, Action};
use crate::actors::error::ErrorCode;
use crate::actors::service::Live;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Version};
use crate::storage::DocumentRow;

/// A document that is there, and what its caller is to it.
pub struct Permitted {
    pub row: DocumentRow,
    /// What its actor knows beyond the row, when it is in memory.
    pub live: Option<Live>,
    pub access: Access,
}

impl Permitted {
    /// Returns the durable head as far as it is known here.
    pub fn head(&self) -> Version {
        self.live.as_ref().map_or(self.row.version, |live| live.version.max(self.row.version))
    }

    /// Asks for something else as well.
    ///
    /// # Errors
    /// `read_only` where text is not to be changed, else `forbidden`.
    pub fn check(&self, action: Action) -> Result<(), Problem> {
        if self.access.allows(action) {
            return Ok(());
        }
        let doc = &self.row.id;
        Err(match action {
            Action::Edit if self.access.archived => {
                Problem::new(ErrorCode::ReadOnly, format!("document {doc} is archived"))
            }
            Action::Edit => {
                Problem::new(ErrorCode::ReadOnly, format!("this caller may not change document {doc}"))
            }
            _ => {
                Problem::new(ErrorCode::Forbidden, format!("this caller may not do this with document {doc}"))
            }
        })
    }
}

/// Reads a document for a caller who wants to do this with it: not one in the trash.
///
/// # Errors
/// `not_found`, with `deleted_at` for one in the trash; `forbidden`, or `read_only` where text is not to be changed.
pub async fn permitted(
    state: &HttpState,
    caller: &Caller,
    doc: &DocumentId,
    action: Action,
) -> Result<Permitted, Problem> {
    let permitted = permitted_even_in_trash(state, caller, doc, action).await?;
    match permitted.row.deleted_at {
        Some(at) => Err(Problem::in_trash(format!("document {doc} is in the trash"), at)),
        None => Ok(permitted),
    }
}

/// As [`permitted`], for what can be done with a document in the trash, too.
///
/// # Errors
/// `not_found`, `forbidden` and `read_only`.
pub async fn permitted_even_in_trash(
    state: &HttpState,
    caller: &Caller,
    doc: &DocumentId,
    action: Action,
) -> Result<Permitted, Problem> {
    let (row, live) = state.documents.row(doc).await?;
    let access = Access::of(&caller.author(), &row.owner, row.archived);
    let permitted = Permitted { row, live, access };
    permitted.check(action)?;
    Ok(permitted)
}

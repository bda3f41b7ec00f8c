//! Whether a caller may do what is asked for with a document: the first thing that every handler of one asks.

use crate::access::{Access, Action, Ground, Standing};
use crate::actors::document::Pass;
use crate::actors::error::ErrorCode;
use crate::actors::registry::SharedAddress;
use crate::actors::service::Live;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Version};
use crate::storage::DocumentRow;
use crate::storage::permissions::Asker;

/// A document that is there, and what its caller is to it.
pub struct Permitted {
    pub row: DocumentRow,
    /// What its actor knows beyond the row, when it is in memory.
    pub live: Option<Live>,
    pub access: Access,
    /// For whom more is read of it.
    pub asker: Asker,
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
        check(&self.row.id, self.access, action)
    }
}

fn check(doc: &DocumentId, access: Access, action: Action) -> Result<(), Problem> {
    if access.allows(action) {
        return Ok(());
    }
    Err(match action {
        _ if access.shown().is_none() => {
            Problem::new(ErrorCode::Forbidden, format!("this caller has no access to document {doc}"))
        }
        Action::Edit if access.archived => {
            Problem::new(ErrorCode::ReadOnly, format!("document {doc} is archived"))
        }
        Action::Edit => {
            Problem::new(ErrorCode::ReadOnly, format!("this caller may not change document {doc}"))
        }
        _ => Problem::new(
            ErrorCode::Forbidden,
            format!("this caller may not {} document {doc}", action.as_str()),
        ),
    })
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
    let (access, _) = access(state, caller, &row).await?;
    let permitted = Permitted { row, live, access, asker: caller.asker() };
    permitted.check(action)?;
    Ok(permitted)
}

/// Opens a document for a session, and says what its role follows from.
///
/// # Errors
/// `not_found` and `forbidden`; `unavailable` when it cannot be opened now.
pub async fn admitted(
    state: &HttpState,
    caller: &Caller,
    doc: &DocumentId,
) -> Result<(SharedAddress, Option<Pass>), Problem> {
    let row = state.documents.look_up(doc).await?;
    let (access, standing) = access(state, caller, &row).await?;
    check(doc, access, Action::Read)?;
    let address = state.documents.open_row(&row).await?;
    let is_plain = caller.author().is_guest() && caller.link.is_none();
    Ok((address, (!is_plain).then_some(Pass { standing, key: caller.link })))
}

async fn access(
    state: &HttpState,
    caller: &Caller,
    row: &DocumentRow,
) -> Result<(Access, Standing), Problem> {
    let user = caller.author();
    let standing = state.sharing.standing(row, &user, caller.link.as_ref(), caller.admin).await?;
    let ground = Ground { owner: &row.owner, link: row.link, archived: row.archived };
    Ok((Access::of(&user, ground, &standing), standing))
}

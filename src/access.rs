//! Who may do what with a document: the one table, and what somebody's role follows from. docs/permissions.md shows both to
//! people.

use crate::ids::{Millis, UserId};
use crate::protocol::Role;

/// What somebody may want to do with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look at it as it is and as it was: content, operations, versions, comments, and who is there.
    Read,
    /// Write, answer and settle comments.
    Comment,
    /// Change its text: operations, imports, going back to an old version.
    Edit,
    /// Give it another title, or one of its versions a name.
    Rename,
    /// Make it read-only, and take that back.
    Archive,
    /// Put it into the trash, and take it out.
    Trash,
    /// End it for good.
    Purge,
    /// See and change who may do what.
    Share,
    /// Give it to another owner. For the one whose it is: the role of an owner, granted, is not enough.
    Transfer,
}

impl Action {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Comment,
        Self::Edit,
        Self::Rename,
        Self::Archive,
        Self::Trash,
        Self::Purge,
        Self::Share,
        Self::Transfer,
    ];

    /// Returns its name, as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Comment => "comment",
            Self::Edit => "edit",
            Self::Rename => "rename",
            Self::Archive => "archive",
            Self::Trash => "trash",
            Self::Purge => "purge",
            Self::Share => "share",
            Self::Transfer => "transfer",
        }
    }

    /// Returns the role that it takes at least; `None` where no role is enough.
    fn needs(self) -> Option<Role> {
        match self {
            Self::Read => Some(Role::Viewer),
            Self::Comment => Some(Role::Commenter),
            Self::Edit | Self::Rename => Some(Role::Editor),
            Self::Archive | Self::Trash | Self::Purge | Self::Share => Some(Role::Owner),
            Self::Transfer => None,
        }
    }

    /// Returns the role that it takes where a document belongs to nobody. Who may share it is not told by the link's role: that could
    /// else be lowered once and never be raised again.
    fn needs_of_unowned(self) -> Option<Role> {
        match self {
            Self::Archive | Self::Trash | Self::Purge => Some(Role::Editor),
            Self::Share => Some(Role::Viewer),
            other => other.needs(),
        }
    }

    /// Tells whether it is off as long as a document is archived, for everybody.
    fn changes_text(self) -> bool {
        matches!(self, Self::Comment | Self::Edit)
    }

    /// Tells whether those may do it who look after the server: they see what they answer for, and put it into the right
    /// hands, their own included. That is seen in the document's permissions, and a silent edit would not be.
    fn is_for_admins(self) -> bool {
        matches!(self, Self::Read | Self::Share | Self::Transfer)
    }
}

/// What one person's role follows from, beside the row of the document. Without anything: a guest who has the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What was given to the user by name, else the most that was given to one of the user's groups.
    pub granted: Option<Role>,
    /// What comes with the share link that was presented.
    pub shared: Option<Role>,
    /// Looks after the server.
    pub admin: bool,
    /// The database itself does not show the document to this person, whatever was said.
    pub unseen: bool,
    /// When one of these ends, in Unix ms: to be read again then.
    pub until: Option<Millis>,
    /// The document's count of changes before it was read.
    pub changes: u64,
}

/// What of a document's row somebody's role follows from.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    pub owner: &'a UserId,
    /// The role of whoever has the address; `None` for none.
    pub link: Option<Role>,
    pub archived: bool,
}

/// What somebody is to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The role that was given; `None` for nobody.
    pub role: Option<Role>,
    pub archived: bool,
    /// It is this user's own, and no role that was granted.
    pub owns: bool,
    /// A guest has made it: nobody can prove to be that guest, so whoever may edit it looks after it.
    pub unowned: bool,
    /// Looks after the server.
    pub admin: bool,
}

impl Access {
    /// Tells what a user is to a document. What is said of the user comes before what is said of groups, and both before what
    /// is said of everybody, be it more or less; a share link adds to it. The owner is somebody who has signed in.
    pub fn of(user: &UserId, ground: Ground<'_>, standing: &Standing) -> Self {
        let unowned = ground.owner.is_guest();
        let owns = user == ground.owner && !unowned && !standing.unseen;
        let role = match () {
            () if standing.unseen => None,
            () if owns => Some(Role::Owner),
            () => higher(standing.granted.or(ground.link), standing.shared),
        };
        Self { role, archived: ground.archived, owns, unowned, admin: standing.admin }
    }

    /// Returns the role that clients are told, `None` for those who may not even look: nobody writes into an archived
    /// document, and whoever looks after the server has the role of a viewer at least.
    pub fn shown(self) -> Option<Role> {
        match self.role {
            None => self.admin.then_some(Role::Viewer),
            Some(_) if self.archived => Some(Role::Viewer),
            role => role,
        }
    }

    /// Tells whether this may be done.
    pub fn allows(self, action: Action) -> bool {
        let needs = if self.unowned { action.needs_of_unowned() } else { action.needs() };
        let by_role = match needs {
            Some(needs) => self.role.is_some_and(|role| role.includes(needs)),
            None => self.owns,
        };
        (by_role || self.admin && action.is_for_admins()) && !(self.archived && action.changes_text())
    }

    /// Tells whether such a role may be given by whoever has this: nobody gives more than they have, but for those who look
    /// after the server.
    pub fn may_give(self, role: Role) -> bool {
        self.allows(Action::Share) && (self.admin || self.role.is_some_and(|own| own.includes(role)))
    }
}

/// Returns the role of two that may do more.
pub fn higher(one: Option<Role>, other: Option<Role>) -> Option<Role> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.includes(other) { one } else { other }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;

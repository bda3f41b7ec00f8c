//! Who may do what with a document: the one table. docs/permissions.md shows it to people.

use crate::ids::UserId;
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
    /// Give it to another owner.
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

    /// Returns the role that it takes at least.
    fn needs(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Comment => Role::Commenter,
            Self::Edit | Self::Rename => Role::Editor,
            Self::Archive | Self::Trash | Self::Purge | Self::Share | Self::Transfer => Role::Owner,
        }
    }

    /// Tells whether it is off as long as a document is archived, for everybody.
    fn changes_text(self) -> bool {
        matches!(self, Self::Comment | Self::Edit)
    }
}

/// What somebody is to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The role that was given.
    pub role: Role,
    pub archived: bool,
    /// A guest has made it: nobody can prove to be that guest, so whoever may edit it looks after it.
    pub unowned: bool,
}

impl Access {
    /// Whoever has the link is an editor; a document's owner is somebody who has signed in.
    pub fn of(user: &UserId, owner: &UserId, archived: bool) -> Self {
        let unowned = owner.is_guest();
        let role = if user == owner && !unowned { Role::Owner } else { Role::Editor };
        Self { role, archived, unowned }
    }

    /// Returns the role that clients are told: nobody writes into an archived document.
    pub fn shown(self) -> Role {
        if self.archived { Role::Viewer } else { self.role }
    }

    /// Tells whether this may be done.
    pub fn allows(self, action: Action) -> bool {
        let tends = self.unowned && self.role == Role::Editor && action != Action::Transfer;
        let role = if tends { Role::Owner } else { self.role };
        role.includes(action.needs()) && !(self.archived && action.changes_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Viewer, Role::Commenter, Role::Editor, Role::Owner];

    fn allowed(access: Access) -> String {
        Action::ALL.iter().map(|action| if access.allows(*action) { 'x' } else { '-' }).collect()
    }

    #[test]
    fn the_whole_table() {
        let table = |archived, unowned| ROLES.map(|role| allowed(Access { role, archived, unowned }));
        assert_eq!(table(false, false), ["x--------", "xx-------", "xxxx-----", "xxxxxxxxx"]);
        assert_eq!(table(true, false), ["x--------", "x--------", "x--x-----", "x--xxxxxx"]);
        assert_eq!(table(false, true), ["x--------", "xx-------", "xxxxxxxx-", "xxxxxxxxx"]);
        assert_eq!(table(true, true), ["x--------", "x--------", "x--xxxxx-", "x--xxxxxx"]);
    }

    #[test]
    fn an_archived_document_is_shown_as_one_to_look_at() {
        for role in ROLES {
            assert_eq!(Access { role, archived: true, unowned: false }.shown(), Role::Viewer);
            assert_eq!(Access { role, archived: false, unowned: false }.shown(), role);
        }
    }

    #[test]
    fn the_owner_of_a_document_is_somebody_who_has_signed_in() {
        let [ada, bob] = ["ada", "bob"].map(|id| UserId(id.into()));
        assert_eq!(Access::of(&ada, &ada, false).shown(), Role::Owner);
        assert_eq!(Access::of(&bob, &ada, false).shown(), Role::Editor);
        assert_eq!(Access::of(&ada, &ada, true).shown(), Role::Viewer);
        // All guests of REST go by one id: none of them owns what another has made.
        let guests = Access::of(&UserId::guest_rest(), &UserId::guest_rest(), false);
        assert_eq!(guests, Access { role: Role::Editor, archived: false, unowned: true });
    }
}

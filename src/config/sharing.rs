//! Settings of sharing.

use clap::{Args, ValueEnum};

use super::Switch;
use crate::protocol::Role;

/// What new documents are to those who have their address.
#[derive(Args, Clone, Debug)]
pub struct SharingSettings {
    /// What whoever has the address of a document may do that somebody signed in has made; where it is not none, documents are
    /// also listed to everybody. auto is editor where guests are let in, else none. Guests' documents: editor, since they
    /// belong to nobody.
    #[arg(
        long,
        env = "QUIRE_LINK_ROLE",
        default_value = "auto",
        value_name = "auto|none|viewer|commenter|editor"
    )]
    pub link_role: LinkRole,
}

/// See [`SharingSettings::link_role`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkRole {
    Auto,
    None,
    Viewer,
    Commenter,
    Editor,
}

impl SharingSettings {
    /// Returns the role, where guests are let in or not.
    pub fn link_role(&self, guests: Switch) -> Option<Role> {
        match self.link_role {
            LinkRole::Auto => guests.is_on().then_some(Role::Editor),
            LinkRole::None => None,
            LinkRole::Viewer => Some(Role::Viewer),
            LinkRole::Commenter => Some(Role::Commenter),
            LinkRole::Editor => Some(Role::Editor),
        }
    }
}

//! Who a token is for, and what it may be used for.

use std::sync::Arc;

use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{Millis, UserId};

/// The longest id of a user in a token, in bytes.
const MAX_USER_BYTES: usize = 128;

/// The longest name in a token that is shown, in characters.
const MAX_NAME_CHARS: usize = 64;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub user: UserId,
    pub name: Option<String>,
    /// Whether this user looks after the server, and the token may be used for that.
    pub admin: bool,
    /// When the token ends, in Unix ms; `None` for a service token without an end.
    pub expires_at: Option<Millis>,
    /// When a token from elsewhere was made, in Unix ms, if it says so.
    pub issued_at: Option<Millis>,
    pub origin: Origin,
}

/// Where a token is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This server, for the sign-in with this id.
    SignIn(Arc<str>),
    /// This server, for a script: the id of the service token, and what it may be used for.
    Service(Arc<str>, Scopes),
    /// Somebody else, whom this server trusts.
    Elsewhere,
}

/// What a service token may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    pub read: bool,
    pub write: bool,
    pub admin: bool,
}

impl Bearer {
    /// Returns the id of what can be revoked before the token ends: the sign-in, or the service token.
    pub fn credential(&self) -> Option<&Arc<str>> {
        match &self.origin {
            Origin::SignIn(id) | Origin::Service(id, _) => Some(id),
            Origin::Elsewhere => None,
        }
    }

    /// Returns what a service token may be used for; `None` for any other, which may be used for everything.
    pub fn scopes(&self) -> Option<Scopes> {
        match &self.origin {
            Origin::Service(_, scopes) => Some(*scopes),
            _ => None,
        }
    }
}

impl Scopes {
    /// Reads words with spaces or commas between them. What may write may read.
    ///
    /// # Errors
    /// In words: one is none of them, or there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scopes = Self::default();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            match word {
                "read" => scopes.read = true,
                "write" => (scopes.read, scopes.write) = (true, true),
                "admin" => scopes.admin = true,
                other => return Err(format!("{other:?} is none of read, write and admin")),
            }
        }
        if scopes == Self::default() { Err("a token has one scope at least".to_owned()) } else { Ok(scopes) }
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [(self.read, "read"), (self.write, "write"), (self.admin, "admin")];
        let words: Vec<_> = words.into_iter().filter(|(has, _)| *has).map(|(_, word)| word).collect();
        f.write_str(&words.join(" "))
    }
}

/// Reads the id of a user from a token.
///
/// # Errors
/// `unauthorized`: no user has such an id.
pub fn user_id(text: &str) -> Result<UserId, Refusal> {
    let is_id = (1..=MAX_USER_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    let user = UserId(text.into());
    if !is_id || user.is_guest() {
        return Err(refused("the token's sub is not the id of a user"));
    }
    Ok(user)
}

/// Makes a name presentable: one line of limited length, or none.
pub fn shown_name(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// A token that is not taken.
pub fn refused(reason: &str) -> Refusal {
    Refusal::new(ErrorCode::Unauthorized, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words() {
        let all = Scopes::parse("admin, write").unwrap();
        assert_eq!(all, Scopes { read: true, write: true, admin: true });
        assert_eq!(Scopes::parse(&all.to_string()).unwrap(), all);
        assert_eq!(Scopes::parse("read").unwrap().to_string(), "read");
        for bad in ["", " ", "reads", "read owner"] {
            assert!(Scopes::parse(bad).is_err(), "{bad}");
        }
    }
}

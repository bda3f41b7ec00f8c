//! What is said of some people, as it is stored, and what one person's standing is by it.

use super::LinkKey;
use crate::access::{Standing, higher};
use crate::ids::{Millis, UserId};
use crate::protocol::Role;

/// Of whom something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// By name.
    User(UserId),
    /// Of a group that the user is in.
    GroupOf(UserId),
    /// Of whoever presents a link.
    Link(LinkKey),
}

/// One thing that is said. It may have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub of: Source,
    pub role: Role,
    pub expires_at: Option<Millis>,
}

/// All that is said of those who were asked about, and the document's own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub owner: UserId,
    pub link: Option<Role>,
    /// Not newer than the rest.
    pub changes: u64,
    pub rules: Vec<Rule>,
}

impl Rules {
    /// Tells what one person's standing is, who has to be among those who were asked about.
    pub fn standing(&self, user: &UserId, link: Option<&LinkKey>, admin: bool, now: Millis) -> Standing {
        let mut standing = Standing { admin, changes: self.changes, ..Standing::default() };
        let (mut by_name, mut by_group) = (None, None);
        for rule in &self.rules {
            let place = match &rule.of {
                Source::User(of) if of == user => &mut by_name,
                Source::GroupOf(of) if of == user => &mut by_group,
                Source::Link(of) if Some(of) == link => &mut standing.shared,
                _ => continue,
            };
            if rule.expires_at.is_some_and(|end| end <= now) {
                continue;
            }
            *place = higher(*place, Some(rule.role));
            standing.until = match (standing.until, rule.expires_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        standing.granted = by_name.or(by_group);
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_before_groups_and_of_groups_the_most_counts_until_it_ends() {
        let [ada, bob] = ["ada", "bob"].map(|id| UserId(id.into()));
        let (_, key) = LinkKey::generate();
        let rule = |of, role, expires_at| Rule { of, role, expires_at };
        let rules = Rules {
            owner: UserId("eve".into()),
            link: None,
            changes: 7,
            rules: vec![
                rule(Source::GroupOf(ada.clone()), Role::Viewer, None),
                rule(Source::GroupOf(ada.clone()), Role::Editor, Some(20)),
                rule(Source::GroupOf(bob.clone()), Role::Owner, None),
                rule(Source::User(bob.clone()), Role::Commenter, Some(10)),
                rule(Source::Link(key), Role::Editor, Some(15)),
            ],
        };
        let of = |user, link, now| {
            let standing = rules.standing(user, link, false, now);
            assert_eq!(standing.changes, 7);
            (standing.granted, standing.shared, standing.until)
        };
        assert_eq!(of(&ada, None, 5), (Some(Role::Editor), None, Some(20)));
        assert_eq!(of(&ada, None, 20), (Some(Role::Viewer), None, None));
        assert_eq!(of(&bob, None, 5), (Some(Role::Commenter), None, Some(10)));
        assert_eq!(of(&bob, None, 10), (Some(Role::Owner), None, None));
        assert_eq!(of(&ada, Some(&key), 5), (Some(Role::Editor), Some(Role::Editor), Some(15)));
        assert_eq!(of(&UserId("eve".into()), None, 5), (None, None, None));
    }
}

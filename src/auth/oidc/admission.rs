//! Whose account it is that somebody comes to: the one of the provider's issuer and of what that calls them, and never one that
//! has the same mail address. Whoever gets a provider to believe in an address would have its owner's account otherwise.

use uuid::Uuid;

use super::{Identity, Provider};
use crate::actors::error::{ErrorCode, Refusal};
use crate::auth::accounts::{Accounts, check_email};
use crate::auth::bearer::shown_name;
use crate::ids::UserId;
use crate::storage::StoreError;
use crate::storage::accounts::{OWN_PREFIX, User, UserPatch};

impl Accounts {
    /// Finds the account of somebody whom a provider has named, or makes it.
    ///
    /// # Errors
    /// `forbidden` for an address of another domain, a disabled user, or a stranger where none get an account.
    pub(super) async fn admit(&self, provider: &Provider, who: Identity) -> Result<User, Refusal> {
        let forbidden = |why| Refusal::new(ErrorCode::Forbidden, why);
        if !provider.domains.is_empty() && !who.is_of(&provider.domains) {
            return Err(forbidden("people with this mail address do not sign in here"));
        }
        let found = self.store.user_by_subject(&provider.issuer, &who.subject).await?;
        let user = match found {
            Some(user) => user,
            None if provider.creates => self.welcome(provider, &who).await?,
            None => return Err(forbidden("there is no account for you here: an administrator makes them")),
        };
        if user.disabled_at.is_some() {
            return Err(forbidden("this account is disabled"));
        }
        let Some(admin) = who.admin.filter(|admin| *admin != user.admin) else { return Ok(user) };
        let patch = UserPatch { admin: Some(admin), ..UserPatch::default() };
        let patched = self.store.patch_user(&user.id, &patch, self.clock.now()).await?;
        patched.ok_or_else(|| forbidden("the account was removed just now"))
    }

    async fn welcome(&self, provider: &Provider, who: &Identity) -> Result<User, Refusal> {
        let now = self.clock.now();
        let email = who.email.clone().filter(|email| check_email(email).is_ok());
        let before_at = email.as_deref().and_then(|email| email.split('@').next());
        let name = who.name.as_deref().and_then(shown_name).or_else(|| before_at.and_then(shown_name));
        let user = User {
            id: UserId(format!("{OWN_PREFIX}{}", Uuid::new_v4().simple()).into()),
            issuer: provider.issuer.clone(),
            subject: who.subject.clone(),
            name: name.unwrap_or_else(|| provider.label.clone()),
            email,
            created_at: now,
            seen_at: now,
            disabled_at: None,
            admin: who.admin.unwrap_or(false),
            may_create: true,
        };
        match self.store.create_user(&user, None).await {
            Ok(()) => Ok(user),
            // The same person in another window was faster.
            Err(error @ StoreError::Conflict { .. }) => {
                let there = self.store.user_by_subject(&provider.issuer, &who.subject).await?;
                there.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Identity {
    /// Tells whether somebody has a proved address of one of these domains.
    fn is_of(&self, domains: &[String]) -> bool {
        let email =
            self.email.as_deref().filter(|_| self.email_is_proved).filter(|email| check_email(email).is_ok());
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        domain.is_some_and(|domain| domains.contains(&domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proved_address_is_of_a_domain() {
        let is_of = |email: &str, email_is_proved| {
            let (subject, email) = ("1".to_owned(), Some(email.to_owned()));
            let who = Identity { subject, name: None, email, email_is_proved, admin: None };
            who.is_of(&["example.org".to_owned()])
        };
        assert!(is_of("ada@Example.org", true));
        assert!(!is_of("ada@example.org", false));
        for other in [
            "ada@sub.example.org",
            "ada@example.org.evil",
            "example.org",
            "ada@example.org@evil",
            "@example.org",
            "",
        ] {
            assert!(!is_of(other, true), "{other}");
        }
    }
}

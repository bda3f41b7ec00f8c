//! What webhooks' deliveries are signed with, as it is stored: encrypted where objects are.

use crate::ids::{DocumentId, HistoryId};
use crate::storage::StoreError;
use crate::storage::sealing::{KeyError, KeyId, Kind, Place, Unopened, Vault, key_of};

/// Seals and opens secrets. Clones share the keys.
#[derive(Clone, Debug)]
pub struct Secrets {
    vault: Vault,
}

/// What becomes of a secret when keys are exchanged.
pub(in crate::storage) enum Renewed {
    /// It is under the current key, or under none where there is none.
    Current(Option<KeyId>),
    /// It is under another one, or plain, and sealed anew it is this.
    Anew(Vec<u8>),
    Unreadable(Unopened),
}

impl Secrets {
    /// With the keys that objects are encrypted with, if they are.
    pub fn new(vault: Vault) -> Self {
        Self { vault }
    }

    /// Seals the secret of a webhook; it opens as that webhook's alone.
    ///
    /// # Errors
    /// `Unavailable` when the keys are.
    pub async fn seal(&self, hook: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        match self.vault.sealer(&place(&name(hook)?)).await? {
            Some(sealer) => sealer.seal(secret).map_err(StoreError::unavailable),
            None => Ok(secret.to_vec()),
        }
    }

    /// Opens what [`Self::seal`] has made; one from before there were keys is plain.
    ///
    /// # Errors
    /// `Unavailable`: there is no key for it, or it is another webhook's.
    pub async fn open(&self, hook: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let name = name(hook)?;
        match self.vault.unsealer(&place(&name), sealed).await.map_err(StoreError::unavailable)? {
            Some(unsealer) => unsealer.open(sealed).map_err(StoreError::unavailable),
            None => Ok(sealed.to_vec()),
        }
    }

    /// Seals a secret with the current key, unless it is. What is returned opens as what there was.
    ///
    /// # Errors
    /// `Unavailable` when the keys are.
    pub(in crate::storage) async fn renew(&self, hook: &str, sealed: &[u8]) -> Result<Renewed, StoreError> {
        match key_of(sealed) {
            Ok(key) if key == self.vault.current() => return Ok(Renewed::Current(key)),
            Ok(_) => {}
            Err(why) => return Ok(Renewed::Unreadable(why)),
        }
        let name = name(hook)?;
        let plain = match self.vault.unsealer(&place(&name), sealed).await {
            Ok(Some(unsealer)) => unsealer.open(sealed),
            Ok(None) => Ok(sealed.to_vec()),
            Err(away @ Unopened::Key(KeyError::Away { .. })) => return Err(StoreError::unavailable(away)),
            Err(why) => Err(why),
        };
        let plain = match plain {
            Ok(plain) => plain,
            Err(why) => return Ok(Renewed::Unreadable(why)),
        };
        let sealed = self.seal(hook, &plain).await?;
        if self.open(hook, &sealed).await? == plain {
            return Ok(Renewed::Anew(sealed));
        }
        Err(StoreError::unavailable(format!("the secret of {hook} that was sealed anew opens as another")))
    }
}

/// A place is named as documents are.
fn name(hook: &str) -> Result<DocumentId, StoreError> {
    hook.parse().map_err(StoreError::unavailable)
}

fn place(name: &DocumentId) -> Place<'_> {
    Place { kind: Kind::Webhook, doc: name, history: HistoryId(uuid::Uuid::nil()), versions: (0, 0) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::sealing::LocalKeys;

    #[tokio::test]
    async fn a_secret_opens_as_that_of_its_own_webhook_alone() {
        let ring = LocalKeys::parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let secrets = Secrets::new(Vault::new(Arc::new(ring)));
        let sealed = secrets.seal("wh_1", b"whsec_abc").await.unwrap();
        assert!(!sealed.windows(9).any(|part| part == b"whsec_abc"));
        assert_eq!(secrets.open("wh_1", &sealed).await.unwrap(), b"whsec_abc");
        assert!(secrets.open("wh_2", &sealed).await.is_err());
        assert!(Secrets::new(Vault::plain()).open("wh_1", &sealed).await.is_err());
        // From before there were keys.
        assert_eq!(secrets.open("wh_1", b"whsec_old").await.unwrap(), b"whsec_old");
        let Renewed::Anew(sealed) = secrets.renew("wh_1", b"whsec_old").await.unwrap() else {
            panic!("it is plain")
        };
        assert_eq!(secrets.open("wh_1", &sealed).await.unwrap(), b"whsec_old");
        assert!(matches!(secrets.renew("wh_1", &sealed).await.unwrap(), Renewed::Current(Some(_))));
        assert!(matches!(secrets.renew("wh_1", b"QENC damaged").await.unwrap(), Renewed::Unreadable(_)));
    }
}

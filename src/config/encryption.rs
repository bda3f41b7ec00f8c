//! Settings of encryption at rest.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Secret;
use crate::storage::OpenError;
use crate::storage::sealing::{LocalKeys, Vault};

/// With which keys snapshots and archived operations are encrypted.
#[derive(Args, Clone, Debug)]
pub struct EncryptionSettings {
    /// Keys for snapshots and archived operations, each ID:BASE64 of 32 bytes, a line or a comma between them. The first
    /// encrypts, the others still decrypt.
    #[arg(long, env = "QUIRE_ENCRYPTION_KEYS", hide_env_values = true, value_name = "KEYS")]
    pub encryption_keys: Option<Secret>,

    /// Whether to go on without keys: `required` refuses to.
    #[arg(long, env = "QUIRE_ENCRYPTION", default_value = "optional", value_name = "optional|required")]
    pub encryption: Encryption,
}

/// Whether objects may be plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encryption {
    /// What is written is encrypted if there are keys.
    Optional,
    /// Nothing is written plain.
    Required,
}

impl EncryptionSettings {
    /// Returns what encrypts and opens objects.
    ///
    /// # Errors
    /// The keys are none, or there are none and there have to be.
    pub fn vault(&self) -> Result<Vault, OpenError> {
        let failed = |why: String| OpenError::Keys { why };
        // A variable that is set to nothing is not set.
        let text = self.encryption_keys.as_ref().map(Secret::expose).filter(|text| !text.trim().is_empty());
        match text {
            Some(text) => Ok(Vault::new(Arc::new(LocalKeys::parse(text).map_err(failed)?))),
            None if self.encryption == Encryption::Required => {
                Err(failed("QUIRE_ENCRYPTION is required, and QUIRE_ENCRYPTION_KEYS is not set".to_owned()))
            }
            None => Ok(Vault::plain()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(keys: Option<&str>, encryption: Encryption) -> EncryptionSettings {
        EncryptionSettings { encryption_keys: keys.map(|keys| keys.to_owned().into()), encryption }
    }

    #[test]
    fn where_encryption_is_required_nothing_begins_without_keys() {
        let key = format!("one:{}=", "A".repeat(43));
        for (keys, encryption, current) in [
            (None, Encryption::Optional, Ok(None)),
            (Some(""), Encryption::Optional, Ok(None)),
            (Some(&*key), Encryption::Optional, Ok(Some("one"))),
            (Some(&*key), Encryption::Required, Ok(Some("one"))),
            (None, Encryption::Required, Err("is not set")),
            (Some("\n"), Encryption::Required, Err("is not set")),
            (Some("one:short"), Encryption::Optional, Err("32 bytes")),
        ] {
            let vault = settings(keys, encryption).vault();
            match (vault, current) {
                (Ok(vault), Ok(current)) => {
                    assert_eq!(vault.current().as_ref().map(crate::storage::sealing::KeyId::as_str), current);
                }
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

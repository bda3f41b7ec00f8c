//! Settings of Redis.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, value_parser};

use super::Secret;
use super::tls::{named, path};
use crate::redis::{RedisAddressError, RedisOptions};
use crate::tls::{self, TlsError};

/// A Redis beside the database, for what may be lost.
#[derive(Args, Clone, Debug)]
pub struct RedisSettings {
    /// Redis that caches documents and shares presence and rate limits between servers, redis://[USER:PASSWORD@]HOST:PORT/,
    /// or rediss://… with TLS; without one quire is slower where documents are read that are not in memory, and not wrong.
    #[arg(long, env = "QUIRE_REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis_url: Option<Secret>,

    /// Authority (PEM) that has signed the certificate of a rediss:// server; without one those of the system are trusted.
    #[arg(long, env = "QUIRE_REDIS_CA", value_name = "FILE", value_parser = path())]
    pub redis_ca: Option<PathBuf>,

    /// How long a reader waits for Redis before it does without, in milliseconds.
    #[arg(
        long,
        env = "QUIRE_REDIS_TIMEOUT_MS",
        default_value_t = 50,
        value_name = "MS",
        value_parser = value_parser!(u64).range(1..=10_000)
    )]
    pub redis_timeout_ms: u64,
}

/// Why Redis cannot be used as it is told.
#[derive(Debug, thiserror::Error)]
pub enum RedisSettingsError {
    #[error(transparent)]
    Address(#[from] RedisAddressError),
    #[error("--redis-ca")]
    Authority(#[source] TlsError),
    #[error("--redis-ca is given, and the address of --redis-url does not begin with rediss://")]
    Plain,
}

impl RedisSettings {
    /// Returns how Redis is to be used; `None` when it is not.
    ///
    /// # Errors
    /// The address is none, or the authority cannot be read or is named where nothing is encrypted.
    pub fn options(&self) -> Result<Option<RedisOptions>, RedisSettingsError> {
        let url = self.redis_url.as_ref().filter(|url| !url.expose().is_empty());
        let Some(url) = url else { return Ok(None) };
        let options = RedisOptions::new(url.expose())?.waiting(Duration::from_millis(self.redis_timeout_ms));
        let Some(authority) = named(self.redis_ca.as_ref()) else { return Ok(Some(options)) };
        if !options.uses_tls() {
            return Err(RedisSettingsError::Plain);
        }
        let trusted = tls::client_config(Some(authority)).map_err(RedisSettingsError::Authority)?;
        Ok(Some(options.trusting(trusted)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(url: &str, authority: Option<&Path>) -> RedisSettings {
        RedisSettings {
            redis_url: Some(url.to_owned().into()),
            redis_ca: authority.map(Path::to_owned),
            redis_timeout_ms: 50,
        }
    }

    fn refusal(url: &str, authority: Option<&Path>) -> String {
        let error = settings(url, authority).options().expect_err("it makes no sense");
        format!("{:#}", anyhow::Error::from(error))
    }

    #[test]
    fn an_authority_is_for_what_is_encrypted() {
        let folder = tempfile::tempdir().unwrap();
        let [authority, empty] = ["ca.pem", "empty.pem"].map(|name| folder.path().join(name));
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(["ca".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(&authority, cert.pem()).unwrap();
        std::fs::write(&empty, "no certificate\n").unwrap();
        for (url, authority) in
            [("redis://h/", None), ("rediss://h/", None), ("rediss://u:p@h:7/2", Some(&*authority))]
        {
            assert!(settings(url, authority).options().is_ok_and(|options| options.is_some()), "{url}");
        }
        // A variable that is set to nothing is not set.
        assert!(settings("redis://h/", Some(Path::new(""))).options().is_ok());
        assert!(settings("", Some(&authority)).options().is_ok_and(|options| options.is_none()));
        assert!(refusal("redis://h/", Some(&authority)).starts_with("--redis-ca is given, and"));
        let gone = refusal("rediss://h/", Some(Path::new("/nowhere.pem")));
        assert!(gone.starts_with("--redis-ca: /nowhere.pem cannot be read: "), "{gone}");
        let nothing = refusal("rediss://h/", Some(&empty));
        assert!(nothing.ends_with("empty.pem has no certificate in it"), "{nothing}");
    }
}

//! Settings of accounts, and of tokens from elsewhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum, value_parser};

use super::Switch;
use super::oidc::OidcSettings;
use super::tls::{named, path};
use crate::auth::foreign::{ForeignKeys, Source};
use crate::auth::mail::{FolderMailer, LogMailer, Mailer};
use crate::auth::oidc::Oidc;
use crate::auth::{Expected, Settings};

/// Who may have an account, and whose tokens are taken.
#[derive(Args, Clone, Debug)]
pub struct AccountSettings {
    /// Whether people may make accounts for themselves; else `quire user create` makes them.
    #[arg(long, env = "QUIRE_REGISTRATION", default_value = "closed", value_name = "open|closed")]
    pub registration: Registration,

    /// Whether people without a token may make documents, where they may write.
    #[arg(long, env = "QUIRE_GUESTS_CREATE", default_value = "on", value_name = "on|off")]
    pub guests_create: Switch,

    /// How many days a key signs access tokens before the next one does.
    #[arg(
        long,
        env = "QUIRE_KEY_ROTATION_DAYS",
        default_value_t = 30,
        value_name = "DAYS",
        value_parser = value_parser!(u32).range(1..=365)
    )]
    pub key_rotation_days: u32,

    /// Folder that mails are written to, a file each, for a program that sends them; `log` only notes that there was one.
    #[arg(long, env = "QUIRE_MAIL", default_value = "log", value_name = "log|DIR", value_parser = path())]
    pub mail: PathBuf,

    /// Address under which people reach this server, for links in mails: https://docs.example
    #[arg(long, env = "QUIRE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Address of the public keys (JWK set) of another issuer whose tokens are taken; https, or on this machine.
    #[arg(long, env = "QUIRE_JWKS_URL", value_name = "URL")]
    pub jwks_url: Option<String>,

    /// Authority (PEM) that has signed the certificate of that address; without one those of the system are trusted.
    #[arg(long, env = "QUIRE_JWKS_CA", value_name = "FILE", value_parser = path())]
    pub jwks_ca: Option<PathBuf>,

    /// File with these keys, instead of an address.
    #[arg(long, env = "QUIRE_JWKS_FILE", value_name = "FILE", value_parser = path())]
    pub jwks_file: Option<PathBuf>,

    /// Issuer (`iss`) that tokens from elsewhere must have; needed with keys of another issuer.
    #[arg(long, env = "QUIRE_JWT_ISSUER", value_name = "TEXT")]
    pub jwt_issuer: Option<String>,

    /// Audience (`aud`) that tokens from elsewhere must have; needed with keys of another issuer.
    #[arg(long, env = "QUIRE_JWT_AUDIENCE", value_name = "TEXT")]
    pub jwt_audience: Option<String>,

    /// Claim of tokens from elsewhere that is the user's id.
    #[arg(long, env = "QUIRE_JWT_CLAIM_ID", default_value = "sub", value_name = "NAME")]
    pub jwt_claim_id: String,

    /// Claim of tokens from elsewhere that is the user's name.
    #[arg(long, env = "QUIRE_JWT_CLAIM_NAME", default_value = "name", value_name = "NAME")]
    pub jwt_claim_name: String,

    /// Claim of tokens from elsewhere that is true for those who look after the server.
    #[arg(long, env = "QUIRE_JWT_CLAIM_ADMIN", default_value = "admin", value_name = "NAME")]
    pub jwt_claim_admin: String,

    #[command(flatten)]
    pub oidc: OidcSettings,
}

/// Who makes accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    Open,
    Closed,
}

impl AccountSettings {
    /// Returns how accounts and tokens are to be, with the secret that is shared with another application.
    ///
    /// # Errors
    /// A folder, an address or a file cannot be used, or something is named by half.
    pub fn settings(&self, secret: Option<&str>) -> anyhow::Result<Settings> {
        Ok(Settings {
            secret: secret.map(str::to_owned),
            expected: Expected {
                issuer: given(self.jwt_issuer.as_ref()).map(str::to_owned),
                audience: given(self.jwt_audience.as_ref()).map(str::to_owned),
                id: self.jwt_claim_id.clone(),
                name: self.jwt_claim_name.clone(),
                admin: self.jwt_claim_admin.clone(),
            },
            foreign: self.foreign()?.map(Arc::new),
            mailer: self.mailer()?,
            key_period: Duration::from_hours(24) * self.key_rotation_days,
            registration: self.registration == Registration::Open,
            public_url: self.public_url().map(str::to_owned),
            oidc: Oidc::new(self.oidc.providers()?, self.public_url())?,
        })
    }

    /// Returns under which address people reach this server, if that is known.
    pub fn public_url(&self) -> Option<&str> {
        given(self.public_url.as_ref())
    }

    fn foreign(&self) -> anyhow::Result<Option<ForeignKeys>> {
        let source = match (given(self.jwks_url.as_ref()), named(self.jwks_file.as_ref())) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => anyhow::bail!("--jwks-url and --jwks-file are both given"),
            (Some(url), None) => Source::url(url, named(self.jwks_ca.as_ref())).context("--jwks-url")?,
            (None, Some(file)) => Source::File(file.to_owned()),
        };
        // Without these, whoever has any account at that issuer would have one here.
        anyhow::ensure!(
            given(self.jwt_issuer.as_ref()).is_some(),
            "keys of another issuer want --jwt-issuer"
        );
        anyhow::ensure!(
            given(self.jwt_audience.as_ref()).is_some(),
            "keys of another issuer want --jwt-audience"
        );
        Ok(Some(ForeignKeys::new(source)))
    }

    fn mailer(&self) -> anyhow::Result<Arc<dyn Mailer>> {
        if self.mail.as_os_str().is_empty() || self.mail.as_os_str() == "log" {
            return Ok(Arc::new(LogMailer));
        }
        anyhow::ensure!(self.mail.is_dir(), "--mail: there is no folder {}", self.mail.display());
        Ok(Arc::new(FolderMailer(self.mail.clone())))
    }
}

/// A variable that is set to nothing is not set.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

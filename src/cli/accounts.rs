//! Where the accounts are, for the commands about them.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::deeds::{Chain, Deed};
use super::wait;
use crate::auth::accounts::normal;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::UserId;
use crate::storage::accounts::{Accounts, OWN_ISSUER, User};
use crate::storage::audit::Outcome;
use crate::storage::{DatabaseOptions, Reading, SqliteOptions};

/// Which database, as the server is told it.
#[derive(Args, Debug)]
pub struct Place {
    /// Folder of the embedded database; no server may be running on it.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    #[command(flatten)]
    chain: Chain,
}

impl Place {
    /// Opens it, looks at something, and closes it.
    ///
    /// # Errors
    /// Those of `work`; storage does not oblige, or a server uses the embedded database.
    pub fn with<T>(&self, work: impl AsyncFnOnce(&dyn Accounts) -> anyhow::Result<T>) -> anyhow::Result<T> {
        wait(async {
            let opened = self.open().await?;
            let done = work(&*opened.accounts).await;
            opened.close().await?;
            done
        })
    }

    /// Opens it, changes something, records that, and closes it.
    ///
    /// # Errors
    /// As [`Self::with`]; or it was done, and could not be recorded.
    pub fn act<T>(
        &self,
        work: impl AsyncFnOnce(&dyn Accounts) -> anyhow::Result<(T, Deed)>,
    ) -> anyhow::Result<T> {
        wait(async {
            let opened = self.open().await?;
            let done = match work(&*opened.accounts).await {
                Ok((done, deed)) => {
                    self.chain.record(&*opened.audit, deed, Outcome::Done).await.map(|()| done)
                }
                Err(error) => Err(error),
            };
            opened.close().await?;
            done
        })
    }

    async fn open(&self) -> anyhow::Result<Reading> {
        let database = match self.database.postgres()? {
            Some(postgres) => DatabaseOptions::Postgres(postgres),
            None => SqliteOptions::default().into(),
        };
        Ok(Reading::in_place(&self.data, self.objects.storage(database)?).await?)
    }
}

/// Finds a user by the address of an own account, or by id.
///
/// # Errors
/// There is none.
pub async fn find(accounts: &dyn Accounts, named: &str) -> anyhow::Result<User> {
    let found = match accounts.user_by_subject(OWN_ISSUER, &normal(named)).await? {
        Some(user) => Some(user),
        None => accounts.user(&UserId(named.into())).await?,
    };
    found.with_context(|| format!("there is no user {named}"))
}

/// Reads a password: one line of standard input, and never an argument, which other users of the machine see.
///
/// # Errors
/// There is none.
pub fn password() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprint!("password (it is shown): ");
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("the password cannot be read")?;
    let password = line.trim_end_matches(['\n', '\r']);
    anyhow::ensure!(!password.is_empty(), "a password is wanted on standard input");
    Ok(password.to_owned())
}

//! Where the accounts are, for the commands about them.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::wait;
use crate::auth::accounts::normal;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::UserId;
use crate::storage::accounts::{Accounts, OWN_ISSUER, User};
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
}

impl Place {
    /// Opens it, does something, and closes it.
    ///
    /// # Errors
    /// Those of `work`; storage does not oblige, or a server uses the embedded database.
    pub fn with<T>(&self, work: impl AsyncFnOnce(&dyn Accounts) -> anyhow::Result<T>) -> anyhow::Result<T> {
        wait(async {
            let database = match self.database.postgres()? {
                Some(postgres) => DatabaseOptions::Postgres(postgres),
                None => SqliteOptions::default().into(),
            };
            let storage = self.objects.storage(database)?;
            let opened = Reading::in_place(&self.data, storage).await?;
            let accounts = opened.accounts.clone();
            let done = work(&*accounts).await;
            opened.close().await?;
            done
        })
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

//! What a server that was ended has left on the disk. It is looked at in copies: to open a database changes its files.

use std::fs;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::harness::{DataFolder, Launch, quire};

/// Has a server settle operations all the time, as they come, so that its end falls into that.
pub fn settling(launch: Launch) -> Launch {
    launch.with("QUIRE_SETTLE_AFTER_MS", "1").with("QUIRE_SETTLE_OPS", "8")
}

/// Operations that were in each of the two places.
#[derive(Debug)]
pub struct Left {
    pub settled: i64,
    pub unsettled: i64,
}

/// Counts the operations.
pub fn count(data: &DataFolder) -> Left {
    let folder = copy(data, "counted");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("quire.db"));
        let mut connection: SqliteConnection = options.connect().await.expect("the database opens");
        let sql = "SELECT (SELECT COUNT(*) FROM ops), (SELECT COUNT(*) FROM unsettled_ops)";
        let (settled, unsettled) =
            sqlx::query_as(sql).fetch_one(&mut connection).await.expect("both are there");
        connection.close().await.expect("it closes");
        Left { settled, unsettled }
    })
}

/// Lets `quire verify` look.
///
/// # Errors
/// Its complaints.
pub fn verify(data: &DataFolder) -> Result<(), String> {
    let folder = copy(data, "verified");
    let mut command = quire();
    let done = command.arg("verify").arg("--data").arg(folder).output().expect("the binary can be started");
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned())
}

fn copy(data: &DataFolder, name: &str) -> std::path::PathBuf {
    let to = data.beside(name);
    // Of an earlier round.
    let _ = fs::remove_dir_all(&to);
    copy_folder(&data.path(), &to);
    to
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("the folder is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("it can be copied");
        }
    }
}

//! Everything durable of one server, opened together.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::accounts::SharedAccounts;
use super::annotations::SharedAnnotations;
use super::audit::SharedAuditLog;
use super::backup::rows::SharedBelongings;
use super::cluster::SharedCluster;
use super::erasure::Eraser;
use super::events::{Secrets, SharedEvents, SharedWebhooks};
use super::people::SharedPeople;
use super::permissions::SharedPermissions;
use super::projections::SharedProjections;
use super::sealing::Vault;
use super::strays::Age;
use super::{
    DataDir, Durability, ObjectOptions, OpenError, Places, PostgresOptions, PostgresStore, Segments,
    SharedStore, SnapshotBodies, SqliteOptions, SqliteStore, StoreError, Tiers, postgres,
};
use crate::ids::{DocumentId, HistoryId, Millis};

/// How long a server that starts waits before it asks again whether somebody is still alone with the database.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// No server has documents of the database in memory, and none begins to, until this is dropped.
#[derive(Debug)]
pub struct Alone {
    lock: Option<postgres::Alone>,
}

impl Alone {
    /// Ends it, and tells whether it has held until now.
    ///
    /// # Errors
    /// `Unavailable` when the connection was lost: somebody may have come meanwhile.
    pub async fn end(self) -> Result<(), StoreError> {
        match self.lock {
            None => Ok(()),
            Some(lock) => lock.end().await.map_err(StoreError::unavailable),
        }
    }
}

/// What came of asking to be alone with the database.
#[derive(Debug)]
pub enum Asked {
    Alone(Alone),
    /// A server is running.
    Company,
    /// Somebody else is alone, or looks just now whether he is.
    Busy,
}

/// Which database holds the log and all that goes with it.
#[derive(Clone, Debug)]
pub enum DatabaseOptions {
    /// SQLite, in the data folder.
    Embedded(SqliteOptions),
    Postgres(PostgresOptions),
}

impl From<SqliteOptions> for DatabaseOptions {
    fn from(options: SqliteOptions) -> Self {
        Self::Embedded(options)
    }
}

/// Which database, and where the objects are.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    pub database: DatabaseOptions,
    pub objects: ObjectOptions,
    /// What objects are encrypted with.
    pub vault: Vault,
}

impl<T: Into<DatabaseOptions>> From<T> for StorageOptions {
    /// Keeps objects in the data folder, and plain.
    fn from(database: T) -> Self {
        Self { database: database.into(), objects: ObjectOptions::DataFolder, vault: Vault::plain() }
    }
}

impl From<PostgresOptions> for DatabaseOptions {
    fn from(options: PostgresOptions) -> Self {
        Self::Postgres(options)
    }
}

/// An opened data folder, and the database and the object store if they are elsewhere. The folder is locked in any case.
pub struct Opened {
    /// All tiers as one.
    pub store: SharedStore,
    pub bodies: Arc<SnapshotBodies>,
    /// The tiers apart.
    pub tiers: Tiers,
    pub projections: SharedProjections,
    pub permissions: SharedPermissions,
    pub annotations: SharedAnnotations,
    pub accounts: SharedAccounts,
    pub audit: SharedAuditLog,
    pub people: SharedPeople,
    pub belongings: SharedBelongings,
    pub events: SharedEvents,
    pub webhooks: SharedWebhooks,
    /// Opens what webhooks sign with.
    pub secrets: Secrets,
    database: Database,
}

enum Database {
    Sqlite(Arc<SqliteStore>),
    /// The folder is unlocked after the connections are gone.
    Postgres(Arc<PostgresStore>, DataDir),
}

impl Opened {
    /// Locks and opens the folder `dir` and the database, making and migrating what is missing.
    ///
    /// # Errors
    /// With the reason: the folder is in use by another server, or cannot be read; the database cannot be reached.
    pub async fn at(dir: &Path, options: impl Into<StorageOptions>) -> Result<Self, OpenError> {
        let options = options.into();
        let folder = DataDir::lock(dir)?;
        let places = options.objects.open(dir)?.sealed_by(&options.vault);
        Self::with(folder, options.database, places, options.vault).await
    }

    async fn with(
        folder: DataDir,
        database: DatabaseOptions,
        places: Places,
        vault: Vault,
    ) -> Result<Self, OpenError> {
        let bodies = Arc::new(SnapshotBodies::over(places.snapshots));
        let segments = Segments::over(places.segments);
        let database = match database {
            DatabaseOptions::Embedded(options) => {
                Database::Sqlite(Arc::new(SqliteStore::open(folder, &options).await?))
            }
            DatabaseOptions::Postgres(options) => {
                Database::Postgres(Arc::new(PostgresStore::open(options).await?), folder)
            }
        };
        let (warm, projections, permissions): (SharedStore, SharedProjections, SharedPermissions) =
            match &database {
                Database::Sqlite(store) => (store.clone(), store.clone(), store.clone()),
                Database::Postgres(store, _) => (store.clone(), store.clone(), store.clone()),
            };
        let (annotations, accounts): (SharedAnnotations, SharedAccounts) = match &database {
            Database::Sqlite(store) => (store.clone(), store.clone()),
            Database::Postgres(store, _) => (store.clone(), store.clone()),
        };
        let (audit, people, belongings): (SharedAuditLog, SharedPeople, SharedBelongings) = match &database {
            Database::Sqlite(store) => (store.clone(), store.clone(), store.clone()),
            Database::Postgres(store, _) => (store.clone(), store.clone(), store.clone()),
        };
        let (events, webhooks): (SharedEvents, SharedWebhooks) = match &database {
            Database::Sqlite(store) => (store.clone(), store.clone()),
            Database::Postgres(store, _) => (store.clone(), store.clone()),
        };
        let tiers = Tiers { warm, segments };
        let store = tiers.joined();
        Ok(Self {
            store,
            bodies,
            tiers,
            projections,
            permissions,
            annotations,
            accounts,
            audit,
            people,
            belongings,
            events,
            webhooks,
            secrets: Secrets::new(vault),
            database,
        })
    }

    /// Ends what earlier runs have begun: purges and erasures. For a server that starts, before it has a document in memory, and for nobody
    /// else: beside another server both wait for the next start. What fails of that is logged, and waits as well. Before it whoever is alone
    /// with the database is waited for.
    ///
    /// # Errors
    /// `Unavailable` when nobody can tell whether somebody is.
    pub async fn finish(&self) -> Result<(), StoreError> {
        let mut told = false;
        let alone = loop {
            match self.alone().await? {
                Asked::Alone(alone) => break alone,
                Asked::Company => {
                    tracing::info!(
                        "other servers are running: purges and erasures end at a start without any"
                    );
                    return Ok(());
                }
                Asked::Busy => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(
                            "somebody is at work on the database who has to be alone with it: waiting"
                        );
                    }
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        };
        if let Err(error) = self.database.finish_purges(&self.bodies, &self.tiers.segments).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "objects of purged documents are left, until the next start");
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis() as Millis);
        match self.eraser(now).finish_all().await {
            Ok(0) => {}
            Ok(erased) => tracing::info!(erased, "people who had begun to be erased are"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "somebody is not erased to the end, until the next start");
            }
        }
        if let Database::Postgres(store, _) = &self.database {
            // Seen by the others before the lock goes, whatever has become of the connections.
            store.has_company().await?;
        }
        alone.end().await
    }

    /// Returns what people are erased from, while no server has documents in memory.
    pub fn eraser(&self, now: Millis) -> Eraser<'_> {
        let (tiers, bodies, people) = (&self.tiers, &*self.bodies, &*self.people);
        Eraser { tiers, bodies, people, now, strays: self.strays() }
    }

    /// Tells which objects without a row nobody is about to record: all of them where the folder is all there is, and it is locked.
    pub fn strays(&self) -> Age {
        match &self.database {
            Database::Sqlite(_) => Age::Any,
            Database::Postgres(..) => Age::Old,
        }
    }

    /// Returns how servers share the database; `None` where it is this one's alone.
    pub fn cluster(&self) -> Option<SharedCluster> {
        match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(store, _) => Some(store.clone()),
        }
    }

    /// Asks to be alone with the database: no server begins as long as that is kept.
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub async fn alone(&self) -> Result<Asked, StoreError> {
        match &self.database {
            // Whoever has opened it has its folder.
            Database::Sqlite(_) => Ok(Asked::Alone(Alone { lock: None })),
            Database::Postgres(store, _) => Ok(match store.alone().await? {
                postgres::Asked::Alone(lock) => Asked::Alone(Alone { lock: Some(lock) }),
                postgres::Asked::Company => Asked::Company,
                postgres::Asked::Busy => Asked::Busy,
            }),
        }
    }

    /// As [`Opened::at`], but makes neither the folder nor a database.
    ///
    /// # Errors
    /// `Missing` or `Empty` when there is none, and as [`Opened::at`].
    pub async fn existing(dir: &Path, options: impl Into<StorageOptions>) -> Result<Self, OpenError> {
        let options = options.into();
        match &options.database {
            DatabaseOptions::Embedded(_) if !SqliteStore::is_in(dir) => {
                return Err(OpenError::Missing { path: dir.to_owned() });
            }
            DatabaseOptions::Embedded(_) => {}
            DatabaseOptions::Postgres(_) if !dir.is_dir() => {
                let source = io::ErrorKind::NotFound.into();
                return Err(OpenError::Folder { path: dir.to_owned(), source });
            }
            DatabaseOptions::Postgres(options) => PostgresStore::expect(options).await?,
        }
        Self::at(dir, options).await
    }

    /// Checks the database as a whole, see [`SqliteStore::check`] and [`PostgresStore::check`].
    ///
    /// # Errors
    /// `Unavailable` when the check itself cannot be made.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        match &self.database {
            Database::Sqlite(store) => store.check().await,
            Database::Postgres(store, _) => store.check().await,
        }
    }

    /// Settles what waits and closes the database. Without it nothing is lost, but the next start has that to do.
    ///
    /// # Errors
    /// `Unavailable` when the disk is; it is closed all the same.
    pub async fn close(self) -> Result<(), StoreError> {
        match self.database {
            Database::Sqlite(store) => store.close().await,
            Database::Postgres(store, _folder) => {
                store.close().await;
                Ok(())
            }
        }
    }

    /// Lists the purges whose marks are still there.
    #[cfg(test)]
    pub(super) async fn purges(&self) -> Result<Vec<(DocumentId, HistoryId)>, StoreError> {
        self.database.purges().await
    }
}

/// A database that is only read, perhaps beside a server that uses it.
pub struct Reading {
    pub store: SharedStore,
    pub projections: SharedProjections,
    pub accounts: SharedAccounts,
    pub audit: SharedAuditLog,
    pub belongings: SharedBelongings,
    from: ReadFrom,
    /// Declared last: the copy of an embedded database goes after it is closed.
    _copy: Option<TempDir>,
}

enum ReadFrom {
    Opened(Box<Opened>),
    Postgres(Arc<PostgresStore>),
}

impl Reading {
    /// Opens what there is. Of an embedded database that a server uses, a copy is made, as of now.
    ///
    /// # Errors
    /// As [`Opened::existing`]; there is no room for a copy.
    pub async fn from(dir: &Path, options: impl Into<StorageOptions>) -> Result<Self, OpenError> {
        let options = options.into();
        let (database, objects) = (options.database.clone(), options.objects.clone());
        let vault = options.vault.clone();
        match database {
            DatabaseOptions::Postgres(database) => {
                PostgresStore::expect(&database).await?;
                let warm = Arc::new(PostgresStore::open(database).await?);
                let segments = Segments::over(objects.read_segments(dir)?.sealed_by(vault));
                let store = Tiers { warm: warm.clone(), segments }.joined();
                Ok(Self {
                    store,
                    projections: warm.clone(),
                    accounts: warm.clone(),
                    audit: warm.clone(),
                    belongings: warm.clone(),
                    from: ReadFrom::Postgres(warm),
                    _copy: None,
                })
            }
            DatabaseOptions::Embedded(database) => match Opened::existing(dir, options).await {
                Err(OpenError::Locked { .. }) => Self::copy(dir, database, &objects, vault).await,
                opened => Ok(Self::opened(opened?, None)),
            },
        }
    }

    /// Opens what there is, where it is, for whoever writes to what is made of the log: a copy will not do.
    ///
    /// # Errors
    /// As [`Self::from`], and `Locked` when a server uses the embedded database.
    pub async fn in_place(dir: &Path, options: impl Into<StorageOptions>) -> Result<Self, OpenError> {
        let options = options.into();
        match options.database {
            DatabaseOptions::Postgres(_) => Self::from(dir, options).await,
            DatabaseOptions::Embedded(_) => Ok(Self::opened(Opened::existing(dir, options).await?, None)),
        }
    }

    /// Copies the database alone: segments are read where they are, and the copy may not change them, whatever it is told to do.
    async fn copy(
        dir: &Path,
        options: SqliteOptions,
        objects: &ObjectOptions,
        vault: Vault,
    ) -> Result<Self, OpenError> {
        let folder = tempfile::Builder::new().prefix("quire-copy").tempdir();
        let folder = folder.map_err(|source| OpenError::Folder { path: std::env::temp_dir(), source })?;
        SqliteStore::copy(dir, folder.path()).await?;
        // It is read once, and goes.
        let options = SqliteOptions { durability: Durability::Off, ..options };
        let segments = objects.read_segments(dir)?;
        let places = Places { segments, ..ObjectOptions::DataFolder.open(folder.path())? }.sealed_by(&vault);
        let opened = Opened::with(DataDir::lock(folder.path())?, options.into(), places, vault).await?;
        Ok(Self::opened(opened, Some(folder)))
    }

    fn opened(opened: Opened, copy: Option<TempDir>) -> Self {
        let (store, projections) = (opened.store.clone(), opened.projections.clone());
        let accounts = opened.accounts.clone();
        let (audit, belongings) = (opened.audit.clone(), opened.belongings.clone());
        let from = ReadFrom::Opened(Box::new(opened));
        Self { store, projections, accounts, audit, belongings, from, _copy: copy }
    }

    /// Closes it.
    ///
    /// # Errors
    /// As [`Opened::close`].
    pub async fn close(self) -> Result<(), StoreError> {
        match self.from {
            ReadFrom::Opened(opened) => opened.close().await,
            ReadFrom::Postgres(store) => {
                store.close().await;
                Ok(())
            }
        }
    }
}

impl Database {
    /// Ends the purges of earlier runs. Their marks stay until here although their objects were removed at once: a snapshot or
    /// a segment that was on its way may have been written after that. Nobody writes one now.
    async fn finish_purges(&self, bodies: &SnapshotBodies, segments: &Segments) -> Result<(), StoreError> {
        let purges = self.purges().await?;
        for (doc, history) in &purges {
            bodies.purge(doc, *history).await?;
            segments.purge(doc).await?;
        }
        match self {
            _ if purges.is_empty() => Ok(()),
            Self::Sqlite(store) => store.end_purges().await,
            Self::Postgres(store, _) => store.end_purges(&purges).await,
        }
    }

    async fn purges(&self) -> Result<Vec<(DocumentId, HistoryId)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.purges().await,
            Self::Postgres(store, _) => store.purges().await,
        }
    }
}

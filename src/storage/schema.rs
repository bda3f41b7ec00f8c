//! The schema, as steps that only go forward. The same number means the same step in every backend that has it.

use sqlx::SqlSafeStr;
use sqlx::migrate::{AppliedMigration, MigrateError, Migration, MigrationType, Migrator};

/// One step that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    pub number: i64,
    /// Its name as words: "create ops".
    pub name: String,
}

/// Why a schema cannot be brought to this program's version.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error("its schema is at step {found}, of a newer quire: this one knows {known}")]
    Newer { found: i64, known: i64 },
    #[error(transparent)]
    Failed(#[from] MigrateError),
}

/// A step as its file has it: the name, which begins with the number, and the text.
pub(super) type Step = (&'static str, &'static str);

/// Lists steps by their files' names. By hand rather than by `sqlx::migrate!`, whose feature builds all of sqlx a second
/// time.
macro_rules! steps {
    ($folder:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../migrations/", $folder, "/", $file, ".sql")))),*]
    };
}
pub(super) use steps;

/// Makes what applies the steps.
pub(super) fn migrator(steps: &'static [Step]) -> Migrator {
    let step = |&(file, sql): &Step| {
        let (number, name) = file.split_once('_').unwrap_or_default();
        // What is no number becomes one that cannot be passed over, and the test below fails.
        let number = number.parse().unwrap_or(i64::MAX);
        Migration::new(
            number,
            name.replace('_', " ").into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(steps.iter().map(step).collect())
}

/// Returns which steps a database lacks that has had `applied`.
///
/// # Errors
/// `Newer` when it has had one that this program does not know.
pub(super) fn missing(
    migrator: &Migrator,
    applied: &[AppliedMigration],
) -> Result<Vec<Migrated>, SchemaError> {
    let known = migrator.iter().map(|step| step.version).max().unwrap_or(0);
    let newest = applied.iter().map(|step| step.version).max();
    if let Some(found) = newest.filter(|found| *found > known) {
        return Err(SchemaError::Newer { found, known });
    }
    let missing = migrator.iter().filter(|step| applied.iter().all(|had| had.version != step.version));
    Ok(missing.map(|step| Migrated { number: step.version, name: step.description.to_string() }).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every file of the folder is a step, and is numbered by its name.
    pub(in crate::storage) fn check_steps(folder: &str, steps: &'static [Step]) {
        let migrator = migrator(steps);
        for (step, (file, _)) in migrator.iter().zip(steps) {
            assert!(file.starts_with(&format!("{:04}_", step.version)), "{file}");
        }
        assert!(steps.is_sorted_by(|a, b| a.0[..4] < b.0[..4]));
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), steps.len());
    }

    #[test]
    fn a_number_is_the_same_step_in_every_backend_that_has_it() {
        let names = |folder: &str| {
            let entries = std::fs::read_dir(folder).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<Vec<_>>()
        };
        // Each has its own way to make commits cheap.
        let own = ["0006_"];
        for theirs in names("migrations/postgres") {
            let number = &theirs[..5];
            let ours = names("migrations/sqlite").into_iter().find(|name| name.starts_with(number));
            if !own.contains(&number) {
                assert!(ours.as_ref().is_none_or(|ours| *ours == theirs), "{ours:?} and {theirs}");
            }
        }
    }
}

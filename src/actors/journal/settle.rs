//! The three outcomes of a commit, and how the third becomes one of the other two.

use std::time::Duration;

use super::ReplyTo;
use super::batch::{Batch, Outcome};
use crate::actors::document::AppendRefused;
use crate::ids::{Epoch, SHARDS, Shard};
use crate::metrics::METRICS;
use crate::storage::{AppendEntry, AppendError, SharedStore, StoreError};

/// A commit that takes longer has an unknown outcome.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Storage that has not told the outcome of a commit after this time keeps others waiting no longer.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// How long to wait between two looks at a log that cannot be read: first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Writes a batch and returns when every entry of it is settled. Entries that are refused by name are taken out and the
/// rest is tried again at once, in order. `doubt` is called when that may take long, because storage does not tell what
/// became of it; whoever waits for the batch has been told the same then.
pub(super) async fn commit(
    store: SharedStore,
    node: String,
    mut batch: Batch,
    doubt: impl FnOnce(),
) -> Outcome {
    while !batch.is_empty() {
        let appended = tokio::time::timeout(COMMIT_TIMEOUT, store.append(&batch.entries)).await;
        let appended =
            appended.unwrap_or_else(|_| Err(AppendError::Unknown(StoreError::unavailable("timed out"))));
        match appended {
            Ok(()) => return batch.all_durable(),
            Err(AppendError::Entries(culprits)) if !culprits.is_empty() => {
                refuse_entries(&mut batch, culprits);
            }
            Err(AppendError::Entries(_)) => {
                return batch
                    .all_refused(&AppendRefused::Unavailable("storage refused without a reason".into()));
            }
            Err(AppendError::Refused(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a commit was refused");
                return batch.all_refused(&refusal(&error));
            }
            Err(AppendError::Unknown(error)) => {
                METRICS.unknown_commits.inc();
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the outcome of a commit is unknown"
                );
                return find_out(&store, &node, batch, doubt).await;
            }
        }
    }
    batch.all_durable()
}

fn refusal(error: &StoreError) -> AppendRefused {
    match error {
        StoreError::Fenced { .. } => AppendRefused::Fenced,
        StoreError::Unavailable(_) => AppendRefused::Unavailable(error.to_string()),
        other => AppendRefused::Conflict(other.to_string()),
    }
}

fn refuse_entries(batch: &mut Batch, mut culprits: Vec<(usize, StoreError)>) {
    culprits.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
    for (index, error) in culprits {
        if index < batch.entries.len() {
            batch.answer(index, 0, Some(refusal(&error)));
        }
    }
    batch.place_again();
}

/// What a look into the log has shown of a batch.
struct Seen {
    /// The epochs that the batch's shards were raised to.
    epochs: Vec<(Shard, Epoch)>,
    /// Where the logs of the shards end.
    ends: Box<[u64; SHARDS]>,
    /// Of each entry in turn.
    found: Vec<Found>,
}

/// What the log has of an entry.
enum Found {
    Nothing,
    /// So many of its operations, or the document without any.
    There(usize),
    /// Nobody can tell, and to ask again is of no use: its document is gone, or cannot be read.
    Unreadable(StoreError),
}

/// Raises this node's own epochs, which waits for the commit or fences it off, and then reads what is there: as often as
/// it takes. A shard that another node has by now is left out, and the rest is looked at.
async fn find_out(store: &SharedStore, node: &str, mut batch: Batch, doubt: impl FnOnce()) -> Outcome {
    let mut doubt = Some(doubt);
    while !batch.is_empty() {
        match find_out_once(store, node, &mut batch, &mut doubt).await {
            Ok(seen) => {
                take_in(&mut batch, seen);
                return batch.all_refused(&failed());
            }
            Err(fenced) => batch.refuse_shard(fenced),
        }
    }
    batch.all_durable()
}

/// Looks until storage has answered, or one of the shards is another node's: which one it is.
async fn find_out_once(
    store: &SharedStore,
    node: &str,
    batch: &mut Batch,
    doubt: &mut Option<impl FnOnce()>,
) -> Result<Seen, Shard> {
    let mut first = Box::pin(look(store, node, &batch.entries, &batch.epochs));
    let failed = match tokio::time::timeout(FIRST_LOOK, &mut first).await {
        Ok(Ok(seen)) => return Ok(seen),
        Ok(Err(StoreError::Fenced { shard, .. })) => return Err(shard),
        no_answer => {
            batch.replies.iter_mut().for_each(ReplyTo::doubt);
            if let Some(doubt) = doubt.take() {
                doubt();
            }
            // One that takes long is not cut short: it would leave storage busy with it all the same.
            match no_answer {
                Ok(failed) => failed,
                Err(_) => first.await,
            }
        }
    };
    look_again(store, node, batch, failed).await
}

/// Looks until storage has answered.
///
/// # Errors
/// A shard that is another node's.
async fn look_again(
    store: &SharedStore,
    node: &str,
    batch: &Batch,
    first: Result<Seen, StoreError>,
) -> Result<Seen, Shard> {
    let mut pause = FIRST_PAUSE;
    let mut seen = first;
    loop {
        match seen {
            Ok(seen) => return Ok(seen),
            Err(StoreError::Fenced { shard, .. }) => return Err(shard),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "still unknown: storage does not answer");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        seen = look(store, node, &batch.entries, &batch.epochs).await;
    }
}

async fn look(
    store: &SharedStore,
    node: &str,
    entries: &[AppendEntry],
    epochs: &[Epoch; SHARDS],
) -> Result<Seen, StoreError> {
    let mut shards: Vec<Shard> = entries.iter().map(|entry| entry.doc.shard()).collect();
    shards.sort_unstable();
    shards.dedup();
    let held: Vec<_> = shards.iter().map(|shard| (*shard, epochs[usize::from(*shard)])).collect();
    let raised = store.raise(node, &held).await?;
    // Nobody else appends at the epochs that hold now.
    let ends = store.last_positions().await?;
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        found.push(match durable_operations(store, entry).await {
            Err(error) if !error.is_transient() => Found::Unreadable(error),
            found => found?,
        });
    }
    Ok(Seen { epochs: shards.into_iter().zip(raised).collect(), ends, found })
}

/// Answers those entries whose operations are in the log, and those of which nobody can tell; the others stay in the batch.
fn take_in(batch: &mut Batch, seen: Seen) {
    for (shard, epoch) in seen.epochs {
        batch.epochs[usize::from(shard)] = epoch;
        batch.ends_at(shard, seen.ends[usize::from(shard)]);
    }
    for (index, found) in seen.found.into_iter().enumerate().rev() {
        let (count, why) = match found {
            Found::Nothing => continue,
            Found::There(count) => (count, (count < batch.entries[index].ops.len()).then(failed)),
            Found::Unreadable(error) => {
                let (document_id, cause) = (&batch.entries[index].doc, &error as &dyn std::error::Error);
                tracing::error!(%document_id, error = cause, "what became of a document's operations cannot be read");
                (0, Some(refusal(&error)))
            }
        };
        batch.answer(index, count, why);
    }
}

fn failed() -> AppendRefused {
    AppendRefused::Unavailable("storage failed; send it again".into())
}

/// Looks how many of the entry's operations are in the log.
async fn durable_operations(store: &SharedStore, entry: &AppendEntry) -> Result<Found, StoreError> {
    let (Some(first), Some(last)) = (entry.ops.first(), entry.ops.last()) else {
        // A document without content: its row tells.
        return match store.document(&entry.doc).await {
            Ok(row) if entry.create.as_ref().is_some_and(|new| new.history == row.history) => {
                Ok(Found::There(0))
            }
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(Found::Nothing),
            Err(error) => Err(error),
        };
    };
    let limit = entry.ops.len();
    let there = match store.read_ops(&entry.doc, first.version - 1, last.version, limit, usize::MAX).await {
        Err(StoreError::NotFound { .. }) if entry.create.is_some() => return Ok(Found::Nothing),
        other => other?,
    };
    let same = |(ours, theirs): &(&_, &crate::storage::LoggedOp)| {
        let ours: &crate::storage::LoggedOp = ours;
        (ours.version, ours.client, ours.seq) == (theirs.version, theirs.client, theirs.seq)
    };
    let count = entry.ops.iter().zip(&there).take_while(same).count();
    Ok(if count > 0 { Found::There(count) } else { Found::Nothing })
}

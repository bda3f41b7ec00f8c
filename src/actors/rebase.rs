//! Transforms an operation over history that is only in the log, off the document's actor.

use crate::actors::document::operation::Submission;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{DocumentId, Version};
use crate::storage::SharedStore;
use crate::storage::history::read_delta;

/// Operations read from the log at a time.
const PAGE: usize = 500;
/// Bytes of deltas read at a time.
const PAGE_BYTES: usize = 1 << 20;

/// Transforms `submission` over the log from its base to `upto`, one operation at a time.
pub async fn over_log(
    store: SharedStore,
    doc: DocumentId,
    mut submission: Submission,
    upto: Version,
) -> Result<Submission, Refusal> {
    while submission.base < upto {
        let page = store.read_ops(&doc, submission.base, upto, PAGE, PAGE_BYTES).await?;
        if page.is_empty() {
            let message = format!("the log has no version {}", submission.base + 1);
            return Err(Refusal::new(ErrorCode::Internal, message));
        }
        for op in &page {
            submission.delta = read_delta(&doc, op)?.transform(&submission.delta, true);
            submission.base = op.version;
        }
        // A long way back is walked in steps, so that this thread's other documents go on between them.
        tokio::task::yield_now().await;
    }
    submission.base_checked = true;
    Ok(submission)
}

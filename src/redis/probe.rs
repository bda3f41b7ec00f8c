//! Looks for Redis while the breaker is open.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::pause;
use super::link::Link;

/// How long a probe waits. Longer than whoever reads: it also makes the first connection.
const PROBE_WITHIN: Duration = Duration::from_millis(500);

/// Runs for ever: closes the breaker whenever Redis answers again.
pub async fn run(link: Arc<Link>) {
    let mut failed = 0;
    loop {
        link.breaker.try_again();
        let answered = link.probe(PROBE_WITHIN).await;
        link.breaker.probed(answered);
        if answered {
            tracing::info!(redis = link.place, "Redis answers");
            failed = 0;
            link.breaker.open().await;
        } else {
            if failed == 0 {
                tracing::warn!(redis = link.place, "Redis does not answer: going on without it");
            }
            failed += 1;
        }
        tokio::time::sleep(pause(failed)).await;
    }
}

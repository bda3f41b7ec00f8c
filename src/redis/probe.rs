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
        link.breaker.probed(answered.is_ok());
        match answered {
            Ok(()) => {
                tracing::info!(redis = link.place, "Redis answers");
                failed = 0;
                link.breaker.open().await;
            }
            Err(reason) => {
                // Once for each outage, and not for each probe.
                if failed == 0 {
                    tracing::warn!(redis = link.place, reason, "Redis does not answer: going on without it");
                } else {
                    tracing::debug!(redis = link.place, reason, "Redis is not there yet");
                }
                failed += 1;
            }
        }
        tokio::time::sleep(pause(failed)).await;
    }
}

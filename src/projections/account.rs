//! Tells what projecting comes to: metrics, and who writes far more than usual.

use super::{Anomaly, Kind, Outcome, Part, Usual};
use crate::ids::Millis;
use crate::metrics::METRICS;
use crate::storage::StoreError;

/// Milliseconds of a minute.
const MINUTE: Millis = 60_000;

/// What one process that projects has noticed.
#[derive(Debug, Default)]
pub struct Account {
    usual: Usual,
    /// Nothing could be stored the last time, and that has been told.
    fails: bool,
}

impl Account {
    /// Parts of the log are about to be projected.
    pub fn begun(&self, parts: &[Part], now: Millis) {
        let oldest = parts.iter().filter_map(|part| part.ops.first()).map(|placed| placed.op.at).min();
        if let Some(oldest) = oldest {
            METRICS.projections.lag_seconds.set((now - oldest).max(0) as f64 / 1000.0);
        }
    }

    /// They are stored.
    pub fn done(&mut self, outcome: &Outcome, now: Millis) {
        if std::mem::take(&mut self.fails) {
            tracing::info!("projections go on");
        }
        METRICS.projections.documents.inc_by(outcome.changes.len() as u64);
        METRICS.projections.operations.inc_by(outcome.written.iter().map(|one| one.ops).sum());
        for error in &outcome.failed {
            METRICS.projections.failures.inc();
            let error = error as &dyn std::error::Error;
            tracing::error!(error, "a document is not projected");
        }
        for Anomaly { of, ops, usual } in self.usual.note(&outcome.written, now.div_euclid(MINUTE)) {
            let usual = usual.round();
            match of {
                Kind::User(user) => {
                    METRICS.projections.users.inc();
                    tracing::warn!(user = %user.0, ops, usual, "a user writes far more in this minute than usual");
                }
                Kind::Document(document_id) => {
                    METRICS.projections.written_to.inc();
                    tracing::warn!(%document_id, ops, usual, "a document is written to far more in this minute than usual");
                }
            }
        }
    }

    /// They are not: whoever projects begins with what is stored.
    pub fn failed(&mut self, error: &StoreError) {
        if matches!(error, StoreError::Conflict { .. }) {
            METRICS.projections.conflicts.inc();
            tracing::debug!(%error, "somebody else projects, too");
        } else {
            METRICS.projections.failures.inc();
            if !std::mem::replace(&mut self.fails, true) {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, "projections stay where they are; trying again");
            }
        }
    }
}

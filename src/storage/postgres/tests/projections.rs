//! Projections that a stream leads, which may have what the log has lost.

use super::TestDatabase;
use crate::storage::StoreError;
use crate::storage::projections::{Move, Projections};

#[tokio::test]
async fn a_watermark_does_not_go_beyond_the_end_of_the_log() {
    let store = TestDatabase::new().await.open().await;
    let beyond = Move { shard: 3, from: 0, to: 1 };
    let refused = store.project(&[beyond], &[]).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    store.project(&[Move { to: 0, ..beyond }], &[]).await.unwrap();
}

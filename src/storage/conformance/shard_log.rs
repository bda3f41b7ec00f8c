use super::fixture::{Fixture, history, id, neighbours};
use crate::ids::{Shard, Version};
use crate::storage::{ShardOp, ShardPage};

async fn read(f: &Fixture, shard: Shard, after: u64, limit: usize, max_bytes: usize) -> ShardPage {
    f.store().read_shard(shard, after, limit, max_bytes).await.unwrap()
}

/// What a reader sees who takes page after page.
async fn read_all(f: &Fixture, shard: Shard, limit: usize) -> (Vec<ShardOp>, u64) {
    let (mut ops, mut upto) = (Vec::new(), 0);
    loop {
        let page = read(f, shard, upto, limit, usize::MAX).await;
        if page.upto == upto {
            return (ops, upto);
        }
        upto = page.upto;
        ops.extend(page.ops);
    }
}

fn places(ops: &[ShardOp]) -> Vec<(u64, &str, Version)> {
    ops.iter().map(|op| (op.pos, op.doc.as_str(), op.op.version)).collect()
}

/// Two documents of one shard that take turns, and one of another shard.
pub(super) async fn a_shard_is_read_in_order_of_position_and_page_by_page(mut f: Fixture) {
    let (first, second, other) = neighbours();
    let shard = id(&first).shard();
    assert_eq!(read(&f, shard, 0, 10, 1000).await, ShardPage::default());
    for doc in [&second, &first, &other, &second] {
        f.write(doc, 2).await;
    }
    let all = read(&f, shard, 0, 10, usize::MAX).await;
    assert_eq!(all.upto, 6);
    let expected =
        [(1, &second, 1), (2, &second, 2), (3, &first, 1), (4, &first, 2), (5, &second, 3), (6, &second, 4)];
    assert_eq!(places(&all.ops), expected.map(|(pos, doc, version)| (pos, doc.as_str(), version)));
    assert_eq!(all.ops[2].history, history(&id(&first)));
    assert_eq!(
        all.ops[2].op,
        f.read(&first, 1..=1).await[0],
        "the operation is as its document's log has it"
    );

    let page = read(&f, shard, 1, 3, usize::MAX).await;
    assert_eq!((page.upto, page.ops.len()), (4, 3));
    let two = all.ops[0].op.delta.len() + all.ops[1].op.delta.len();
    let page = read(&f, shard, 0, 10, two).await;
    assert_eq!((page.upto, page.ops.len()), (2, 2));
    let page = read(&f, shard, 3, 10, 0).await;
    assert_eq!((page.upto, page.ops.len()), (4, 1), "one operation is read however large it is");
    let page = read(&f, shard, 6, 10, 1000).await;
    assert_eq!((page.upto, page.ops.len()), (6, 0));
}

/// Settling moves what is written by document: whatever is where at the time of a page, the reader misses nothing.
pub(super) async fn a_shard_is_read_whole_while_it_is_written_to_and_settles(mut f: Fixture) {
    let (first, second, _) = neighbours();
    let shard = id(&first).shard();
    let (mut seen, mut upto) = (Vec::new(), 0);
    for round in 0..6 {
        f.write(if round % 2 == 0 { &second } else { &first }, 3).await;
        let page = read(&f, shard, upto, 2, usize::MAX).await;
        upto = page.upto;
        seen.extend(page.ops);
    }
    let (all, end) = read_all(&f, shard, 5).await;
    assert_eq!((all.len(), end), (18, 18));
    assert!(all.iter().map(|op| op.pos).eq(1..=18));
    assert_eq!(seen[..], all[..seen.len()]);
    assert_eq!(upto, 12);
}

pub(super) async fn purged_documents_leave_gaps_that_a_reader_comes_over(mut f: Fixture) {
    let (first, second, _) = neighbours();
    let shard = id(&first).shard();
    for doc in [&first, &second, &first, &second] {
        f.write(doc, 2).await;
    }
    f.store().purge_document(&id(&second), 0).await.unwrap();

    let (all, end) = read_all(&f, shard, 3).await;
    assert_eq!(all.iter().map(|op| op.pos).collect::<Vec<_>>(), [1, 2, 5, 6]);
    assert_eq!(end, 8, "the last ones are gone, and the reader is past them");
    let page = read(&f, shard, 6, 3, usize::MAX).await;
    assert_eq!((page.ops.len(), page.upto), (0, 8));
    f.write(&first, 1).await;
    let page = read(&f, shard, end, 3, usize::MAX).await;
    assert_eq!(page.ops.iter().map(|op| op.pos).collect::<Vec<_>>(), [9]);
}

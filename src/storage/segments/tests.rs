use std::path::{Path, PathBuf};

use super::fixture::{doc, history, ops};
use super::*;

fn folder() -> (tempfile::TempDir, Segments) {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments::over(Objects::local(folder.path()).unwrap());
    (folder, segments)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

async fn read(segments: &Segments, meta: &SegmentMeta, after: Version, upto: Version) -> Vec<LoggedOp> {
    let mut page = Page::new(usize::MAX, usize::MAX);
    segments.read(meta, after, upto, &mut page).await.unwrap();
    page.finish(&meta.doc, after).unwrap()
}

#[tokio::test]
async fn any_range_of_a_segment_is_read_and_any_operation_found() {
    let (folder, segments) = folder();
    let written = ops(101..=5_000);
    let meta = segments.write(&doc(), history(), written.clone().into()).await.unwrap();
    segments.compare(&meta, written.clone().into()).await.unwrap();
    assert_eq!((meta.first, meta.last, meta.first_at, meta.last_at), (101, 5_000, 1_101, 6_000));
    for (after, upto) in [(100, 5_000), (100, 101), (1_123, 1_126), (2_000, 4_500), (4_999, 9_999)] {
        let wanted: Vec<_> =
            written.iter().filter(|op| after < op.version && op.version <= upto).cloned().collect();
        assert_eq!(read(&segments, &meta, after, upto).await, wanted, "{after} to {upto}");
    }
    for op in [&written[0], &written[1_024], &written[4_899]] {
        let found = segments.find(&meta, op.client, op.seq).await.unwrap();
        assert_eq!(found, Some(op.version));
    }
    assert_eq!(segments.find(&meta, written[0].client, 1).await.unwrap(), None);
    assert_eq!(segments.find(&meta, ClientId::generate(), 100).await.unwrap(), None);
    for file in files(folder.path()) {
        assert!(!file.to_string_lossy().contains("doc"), "{file:?} gives the id away");
    }
}

#[tokio::test]
async fn a_segment_with_other_operations_is_not_what_was_to_be_stored() {
    let (_folder, segments) = folder();
    let meta = segments.write(&doc(), history(), ops(1..=50).into()).await.unwrap();
    let mut others = ops(1..=50);
    others[30].at += 1;
    for others in [others, ops(1..=49), ops(1..=51)] {
        let compared = segments.compare(&meta, others.into()).await;
        assert!(matches!(compared, Err(StoreError::Corrupt { .. })), "{compared:?}");
    }
}

#[tokio::test]
async fn what_happened_to_a_segment_is_told_with_document_and_version() {
    let (folder, segments) = folder();
    let written: Arc<[LoggedOp]> = ops(1..=3_000).into();
    let meta = segments.write(&doc(), history(), written.clone()).await.unwrap();
    let file = files(folder.path()).pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[HEADER_AND_MORE] ^= 1;
    for (stored, why) in [(&whole[..100], "bytes"), (&flipped, "checksum")] {
        std::fs::write(&file, stored).unwrap();
        // Nothing is remembered of it.
        let segments = Segments::over(Objects::local(folder.path()).unwrap());
        assert!(segments.compare(&meta, written.clone()).await.is_err());
        let mut page = Page::new(usize::MAX, usize::MAX);
        let error = segments.read(&meta, 17, 20, &mut page).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { version: 18, .. }), "{error:?}");
        assert!(error.to_string().contains("document doc"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    let segments = Segments::over(Objects::local(folder.path()).unwrap());
    let error = segments.find(&meta, written[0].client, 1).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

/// A byte of the first block.
const HEADER_AND_MORE: usize = 40;

#[tokio::test]
async fn a_purge_takes_the_segments_of_every_history_and_none_of_another_document() {
    let (folder, local) = folder();
    for segments in [local, Segments::over(Objects::in_memory())] {
        let other = "Doc".parse().unwrap();
        let kept = segments.write(&other, history(), ops(1..=9).into()).await.unwrap();
        for history in [history(), HistoryId::generate()] {
            segments.write(&doc(), history, ops(1..=9).into()).await.unwrap();
        }
        segments.purge(&doc()).await.unwrap();
        segments.purge(&doc()).await.unwrap();
        segments.compare(&kept, ops(1..=9).into()).await.unwrap();
    }
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn two_who_store_the_same_do_not_share_an_object() {
    let (_folder, segments) = folder();
    let mine = segments.write(&doc(), history(), ops(1..=9).into()).await.unwrap();
    let yours = segments.write(&doc(), history(), ops(1..=9).into()).await.unwrap();
    segments.discard(&yours).await.unwrap();
    segments.compare(&mine, ops(1..=9).into()).await.unwrap();
}

#[tokio::test]
async fn an_encrypted_segment_is_read_block_by_block_with_its_key_and_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Objects::local(folder.path()).unwrap();
    let with = |keys| Segments::over(objects.clone().sealed_by(crate::storage::sealing::tests::vault(keys)));
    let segments = with(&[("one", 1)]);
    let written = ops(101..=5_000);
    let meta = segments.write(&doc(), history(), written.clone().into()).await.unwrap();
    segments.compare(&meta, written.clone().into()).await.unwrap();
    let file = std::fs::read(files(folder.path()).pop().unwrap()).unwrap();
    assert!(!file.windows(6).any(|part| part == b"insert"));
    for (after, upto) in [(100, 5_000), (100, 101), (1_123, 1_126), (4_999, 9_999)] {
        let wanted: Vec<_> =
            written.iter().filter(|op| after < op.version && op.version <= upto).cloned().collect();
        assert_eq!(read(&with(&[("two", 2), ("one", 1)]), &meta, after, upto).await, wanted);
    }
    let op = &written[1_024];
    assert_eq!(with(&[("one", 1)]).find(&meta, op.client, op.seq).await.unwrap(), Some(op.version));
    assert_eq!(segments.key_of(&meta).await.unwrap().unwrap().as_str(), "one");

    let other = segments.write(&"other".parse().unwrap(), history(), written.into()).await.unwrap();
    let swapped = SegmentMeta { doc: doc(), ..other };
    let plain = Segments::over(objects.clone());
    for (segments, meta, why) in [
        (plain, &meta, "no encryption keys"),
        (with(&[("two", 1)]), &meta, "not among the keys"),
        (with(&[("one", 2)]), &meta, "another key of that name"),
        (with(&[("one", 1)]), &swapped, "belongs somewhere else"),
    ] {
        let mut page = Page::new(usize::MAX, usize::MAX);
        let error = segments.read(meta, 117, 120, &mut page).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { version: 118, .. }), "{error:?}");
        let told = error.to_string();
        assert!(["document doc", "key one", why].iter().all(|word| told.contains(word)), "{told}");
    }
}

#[tokio::test]
async fn a_byte_of_an_encrypted_segment_that_is_another_is_found_even_with_a_right_checksum() {
    let vault = crate::storage::sealing::tests::vault(&[("one", 1)]);
    let place = Place { kind: Kind::Segment, doc: &doc(), history: history(), versions: (1, 300) };
    let sealer = vault.sealer(&place).await.unwrap();
    let encoded = format::encode(&doc(), history(), &ops(1..=300), sealer.as_ref()).unwrap();
    let begin = encoded.body.len() - encoded.index_bytes as usize;
    for at in (begin..encoded.body.len()).step_by(3) {
        let mut body = encoded.body[begin..].to_vec();
        body[at - begin] ^= 1;
        let opened = match vault.unsealer(&place, &body).await {
            Ok(unsealer) => format::decode_index(&body, unsealer, &doc(), (1, 300)).map(|_| ()),
            Err(error) => Err(error.into()),
        };
        assert!(opened.is_err(), "byte {at}");
    }
}

use super::*;

/// A line for each of these keys, all bytes of which are the number.
pub(in crate::storage) fn lines(keys: &[(&str, u8)]) -> String {
    use base64::Engine as _;
    let line =
        |(id, byte): &(&str, u8)| format!("{id}:{}\n", base64::prelude::BASE64_STANDARD.encode([*byte; 32]));
    keys.iter().map(line).collect()
}

pub(in crate::storage) fn vault(keys: &[(&str, u8)]) -> Vault {
    Vault::new(Arc::new(LocalKeys::parse(&lines(keys)).unwrap()))
}

fn doc(id: &str) -> DocumentId {
    id.parse().unwrap()
}

fn place(doc: &DocumentId) -> Place<'_> {
    Place { kind: Kind::Snapshot, doc, history: HistoryId(uuid::Uuid::from_u128(7)), versions: (3, 3) }
}

async fn seal(vault: &Vault, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
    vault.sealer(place).await.unwrap().unwrap().seal(plain).unwrap()
}

async fn open(vault: &Vault, place: &Place<'_>, object: &[u8]) -> Result<Vec<u8>, Unopened> {
    vault.unsealer(place, object).await?.ok_or(Unopened::Envelope)?.open(object)
}

#[tokio::test]
async fn what_is_sealed_is_opened_and_does_not_look_like_what_it_was() {
    let (vault, doc) = (vault(&[("one", 1)]), doc("doc"));
    let plain = b"hello, hello, hello".repeat(100);
    let sealed = seal(&vault, &place(&doc), &plain).await;
    assert_eq!(open(&vault, &place(&doc), &sealed).await.unwrap(), plain);
    assert!(!sealed.windows(5).any(|part| part == b"hello"));
    assert_ne!(sealed, seal(&vault, &place(&doc), &plain).await, "each object has a key of its own");
    assert_eq!(key_of(&sealed).unwrap().unwrap().as_str(), "one");
    assert_eq!(key_of(b"QSNP\x01").unwrap(), None);
}

#[tokio::test]
async fn a_byte_that_is_another_is_noticed_wherever_it_is() {
    let (vault, doc) = (vault(&[("one", 1)]), doc("doc"));
    let sealed = seal(&vault, &place(&doc), b"some text").await;
    for at in 0..sealed.len() {
        for bit in [1, 0x80] {
            let mut changed = sealed.clone();
            changed[at] ^= bit;
            assert!(open(&vault, &place(&doc), &changed).await.is_err(), "byte {at}");
        }
        assert!(open(&vault, &place(&doc), &sealed[..at]).await.is_err(), "only {at} bytes");
    }
    let longer = [&sealed[..], b"x"].concat();
    assert!(open(&vault, &place(&doc), &longer).await.is_err());
}

#[tokio::test]
async fn an_object_opens_in_its_own_place_alone() {
    let (vault, doc, other) = (vault(&[("one", 1)]), doc("doc"), doc("doc2"));
    let sealed = seal(&vault, &place(&doc), b"some text").await;
    let others = [
        place(&other),
        Place { kind: Kind::Segment, ..place(&doc) },
        Place { history: HistoryId::generate(), ..place(&doc) },
        Place { versions: (3, 4), ..place(&doc) },
        Place { versions: (2, 3), ..place(&doc) },
    ];
    for other in others {
        let error = open(&vault, &other, &sealed).await.unwrap_err();
        assert!(error.to_string().contains("key one"), "{error}");
    }
}

#[tokio::test]
async fn parts_cannot_change_places() {
    let (vault, doc) = (vault(&[("one", 1)]), doc("doc"));
    let sealer = vault.sealer(&place(&doc)).await.unwrap().unwrap();
    let head = sealer.seal(b"index").unwrap();
    let parts = [sealer.seal_part(1, b"first").unwrap(), sealer.seal_part(2, b"other").unwrap()];
    let unsealer = vault.unsealer(&place(&doc), &head).await.unwrap().unwrap();
    assert_eq!(unsealer.open_part(1, &parts[0]).unwrap(), b"first");
    assert_eq!(unsealer.open_part(2, &parts[1]).unwrap(), b"other");
    assert!(unsealer.open_part(1, &parts[1]).is_err());
    assert!(unsealer.open_part(0, &parts[0]).is_err());
}

#[tokio::test]
async fn who_has_not_the_key_is_told_which_it_is() {
    let doc = doc("doc");
    let sealed = seal(&vault(&[("one", 1)]), &place(&doc), b"some text").await;
    let cases = [
        (Vault::plain(), "no encryption keys"),
        (vault(&[("two", 1)]), "not among the keys"),
        (vault(&[("one", 2)]), "another key of that name"),
    ];
    for (vault, why) in cases {
        let error = open(&vault, &place(&doc), &sealed).await.unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("one"), "{error}");
    }
}

#[tokio::test]
async fn a_new_key_on_top_seals_and_the_old_one_still_opens() {
    let doc = doc("doc");
    let (old, both) = (vault(&[("one", 1)]), vault(&[("two", 2), ("one", 1)]));
    let before = seal(&old, &place(&doc), b"before").await;
    let after = seal(&both, &place(&doc), b"after").await;
    assert_eq!(open(&both, &place(&doc), &before).await.unwrap(), b"before");
    assert_eq!(open(&both, &place(&doc), &after).await.unwrap(), b"after");
    assert_eq!(key_of(&after).unwrap().unwrap().as_str(), "two");
    assert!(open(&old, &place(&doc), &after).await.is_err());
}

#[test]
fn keys_are_read_line_by_line_and_a_bad_line_is_told_without_its_key() {
    let good = lines(&[("2026-11", 1), ("old", 2)]);
    let keys = LocalKeys::parse(&format!("# keys\n\n{good}")).unwrap();
    assert_eq!(keys.current().as_str(), "2026-11");
    assert!(LocalKeys::parse(&good.trim().replace('\n', ",")).is_ok());
    let secret = "c2VjcmV0";
    let bad = [
        String::new(),
        "# nothing".to_owned(),
        secret.to_owned(),
        format!("one:{secret}"),
        format!("one:{secret}!"),
        format!("o e:{}", &good[8..]),
        lines(&[("one", 1), ("one", 2)]),
        format!("one:{}", "A".repeat(64)),
    ];
    for text in bad {
        let why = LocalKeys::parse(&text).unwrap_err();
        assert!(!why.contains(secret), "{why}");
    }
    assert!(!format!("{keys:?}").contains("AQEB"));
}

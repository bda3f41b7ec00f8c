use super::*;

fn entry(action: &str) -> Entry {
    Entry {
        at: 1_000,
        actor: "ada".to_owned(),
        address: Some("::1".to_owned()),
        action: action.to_owned(),
        subject: "doc:minutes".to_owned(),
        outcome: Outcome::Done,
        details: serde_json::json!({ "status": 200 }),
    }
}

/// A chain of so many records, and its end.
fn chain(length: usize) -> (Vec<AuditRecord>, Head) {
    let mut head = Head::new("main");
    let records = (0..length).map(|n| head.add(&entry(&format!("doc.{n}")))).collect();
    (records, head)
}

fn walk(records: &[AuditRecord], head: &Head, noted: &[Head]) -> Result<Head, Misfit> {
    let mut walk = Walk::new("main", noted);
    records.iter().try_for_each(|record| walk.take(record))?;
    walk.end(head)
}

fn first_misfit(records: &[AuditRecord], head: &Head) -> u64 {
    walk(records, head, &[]).unwrap_err().n
}

#[test]
fn a_chain_as_it_was_written_fits() {
    let (records, head) = chain(20);
    assert_eq!(walk(&records, &head, &[]).unwrap(), head);
    let begin = Head::new("main");
    assert_eq!(walk(&[], &begin, &[]).unwrap(), begin);
}

#[test]
fn each_field_that_is_changed_is_noticed() {
    let (records, head) = chain(9);
    let changes: [fn(&mut AuditRecord); 9] = [
        |record| record.at += 1,
        |record| record.actor = "eve".to_owned(),
        |record| record.address = None,
        |record| record.address = Some(String::new()),
        |record| record.action.push('x'),
        |record| record.subject.clear(),
        |record| record.outcome = "refused".to_owned(),
        |record| record.details = "{}".to_owned(),
        // A letter that moves from one field to the next.
        |record| {
            record.actor.pop();
            record.action.insert(0, 'a');
        },
    ];
    for change in changes {
        let mut changed = records.clone();
        change(&mut changed[4]);
        assert_eq!(first_misfit(&changed, &head), 5);
        // With a hash of its own that is right it does not lead on to the next one.
        changed[4].hash = changed[4].hashed();
        assert_eq!(first_misfit(&changed, &head), 6);
    }
}

#[test]
fn a_record_that_is_missing_moved_or_put_in_is_noticed() {
    let (records, head) = chain(9);
    for missing in 0..9 {
        let mut some = records.clone();
        some.remove(missing);
        assert_eq!(first_misfit(&some, &head), missing as u64 + 1, "{missing}");
    }
    let mut swapped = records.clone();
    let (at, n) = (swapped[3].n, swapped[4].n);
    swapped.swap(3, 4);
    (swapped[3].n, swapped[4].n) = (at, n);
    assert_eq!(first_misfit(&swapped, &head), 4);
    let mut more = records.clone();
    let mut fake = Head { chain: "main".to_owned(), n: 9, hash: records[8].hash };
    more.push(fake.add(&entry("doc.fake")));
    assert_eq!(first_misfit(&more, &head), 10);
}

#[test]
fn a_chain_that_was_made_anew_differs_from_what_was_noted() {
    let (records, _) = chain(9);
    let noted = records[5].head();
    let mut head = Head::new("main");
    let anew: Vec<_> = (0..9).map(|n| head.add(&entry(&format!("other.{n}")))).collect();
    walk(&anew, &head, &[]).unwrap();
    assert_eq!(walk(&anew, &head, std::slice::from_ref(&noted)).unwrap_err().n, 6);
    assert_eq!(walk(&anew[..4], &anew[3].head(), &[noted]).unwrap_err().n, 6);
}

#[test]
fn names_are_cut_and_details_bounded() {
    let mut long = entry("doc.read");
    long.actor = "ü".repeat(MOST_NAME);
    long.details = serde_json::json!({ "text": "x".repeat(MOST_DETAILS) });
    let record = Head::new("main").add(&long);
    assert_eq!(record.actor.len(), MOST_NAME);
    assert!(record.details.len() < 30, "{}", record.details);
}

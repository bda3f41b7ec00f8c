//! `quire verify`: a sound folder passes, whatever was changed in it is found.

use serde_json::json;

use crate::client::TestClient;
use crate::command::{Ran, quire};
use crate::database;
use crate::harness::{DataFolder, TestServer};
use crate::rest::Rest;

/// Versions of the document that is looked at: the first is its content, and there are snapshots on the way and at the
/// end.
const VERSIONS: u64 = 230;

/// What is checked of a folder: a document that two people wrote, and one beside it.
struct Written {
    doc: String,
    /// Who wrote every version but the first and the last, and who the last.
    writers: [String; 2],
    data: DataFolder,
}

fn written() -> Written {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    rest.create(&json!([{ "insert": "beside it\n" }]));
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let [mut often, mut once] = [(); 2].map(|()| TestClient::join(&server, &doc));
    for n in 2..VERSIONS {
        often.insert(n % 5, "typed");
    }
    once.until_version(VERSIONS - 1);
    once.insert(0, "the last word");
    let writers = [often, once].map(|client| client.replica.client.to_string());
    server.signal(libc::SIGTERM);
    Written { doc, writers, data: server.ended().1 }
}

fn verify(data: &DataFolder) -> Ran {
    quire(["verify".into(), "--data".into(), data.path().into_os_string()])
}

impl Written {
    /// Does something to the folder that nobody should, and looks for the one complaint with these words.
    #[track_caller]
    fn complains_after(&self, sql: &str, complaints: usize, words: &[&str]) {
        database::change(&self.data, &sql.replace("{doc}", &self.doc));
        let told = verify(&self.data).fails_with(&[&format!("complaints: {complaints}")]);
        // A name ends with a space or a colon.
        let names = [" ", ":"].map(|end| format!("document {}{end}", self.doc));
        let complained = told.lines().any(|line| {
            names.iter().any(|name| line.starts_with(name)) && words.iter().all(|word| line.contains(word))
        });
        assert!(complained, "{words:?} is not told of {}: {told}", self.doc);
    }
}

#[test]
fn a_sound_folder_passes_and_it_is_told_what_was_checked() {
    let written = written();
    for _ in 0..2 {
        let told = verify(&written.data).succeeds();
        assert!(
            told.starts_with(&format!("2 documents verified: {} versions replayed, ", VERSIONS + 1)),
            "{told}"
        );
        let snapshots =
            told.split(", ").nth(1).and_then(|part| part.split(' ').next()?.parse::<usize>().ok());
        assert!(snapshots.is_some_and(|count| count >= 3), "{told}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_is_named() {
    let sql = "UPDATE snapshots SET body = zeroblob(bytes) WHERE doc_id = '{doc}' AND version = 230";
    written().complains_after(sql, 1, &["version 230", "checksum"]);
}

#[test]
fn a_gap_in_the_log_is_named() {
    let sql = "DELETE FROM ops WHERE doc_id = '{doc}' AND version = 20";
    // The shard's log has a gap as well.
    written().complains_after(sql, 2, &["version 20"]);
}

#[test]
fn a_changed_operation_that_leads_elsewhere_is_noticed_at_the_next_snapshot() {
    let written = written();
    let sql = r#"UPDATE ops SET delta = CAST('[{"insert":"other"}]' AS BLOB) WHERE doc_id = '{doc}' AND version = 150"#;
    // And at all after it. Where a document has its turns depends on its id.
    let after = format!("SELECT count(*) FROM snapshots WHERE doc_id = '{}' AND version >= 150", written.doc);
    let snapshots = database::number(&written.data, &after);
    assert!(snapshots >= 1, "there is one at the end");
    written.complains_after(sql, snapshots, &["snapshot at version 230", "not what the log leads to"]);
}

#[test]
fn an_operation_that_cannot_be_read_or_applied_is_named() {
    let change = |delta: &str| {
        format!("UPDATE ops SET delta = CAST('{delta}' AS BLOB) WHERE doc_id = '{{doc}}' AND version = 77")
    };
    let written = written();
    for delta in ["[{", r#"[{"retain":99999},{"insert":"x"}]"#] {
        written.complains_after(&change(delta), 1, &["version 77"]);
    }
}

#[test]
fn a_lost_end_of_the_log_is_noticed() {
    let written = written();
    let sql = "DELETE FROM ops WHERE doc_id = '{doc}' AND version = 230";
    // Its snapshot and its author; that a last position was once given, nothing tells.
    written.complains_after(sql, 2, &["snapshot at version 230", "the log ends at 229"]);
    let told = verify(&written.data).out;
    let author = written.writers[1].replace('-', "");
    assert!(told.contains(&format!("client {author} made version 230")), "{told}");
}

#[test]
fn a_client_that_is_known_to_be_elsewhere_than_the_log_says_is_named() {
    let written = written();
    let sql = "UPDATE clients SET last_seq = last_seq + 1 WHERE doc_id = '{doc}' AND last_version = 229";
    written.complains_after(sql, 1, &[&written.writers[0], "version 229"]);
}

#[test]
fn what_is_held_of_no_document_is_noticed() {
    let written = written();
    database::change(
        &written.data,
        "INSERT INTO clients SELECT shard, 'nobody', client_id, user_id, last_seq, last_version FROM clients LIMIT 1",
    );
    let told = verify(&written.data).fails_with(&["complaints: 1"]);
    assert!(told.contains("document nobody does not exist, but there are clients of it"), "{told}");
}

#[test]
fn a_folder_in_use_is_refused_and_left_alone() {
    let server = TestServer::start();
    verify(server.data()).fails_with(&["in use", &format!("process {}", server.pid())]);
    Rest::of(&server).get("/readyz").expect(200);
}

#[test]
fn a_folder_without_a_database_is_an_error_and_stays_as_it_is() {
    let data = DataFolder::new();
    verify(&data).fails_with(&["there is no database", data.path().to_str().expect("UTF-8")]);
    assert!(!data.path().exists(), "it has made the folder");
}

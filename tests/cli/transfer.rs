//! `quire export` and `quire import`: documents go out and come in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::TestClient;
use crate::command::{Ran, quire, quire_reading};
use crate::harness::TestServer;
use crate::rest::Rest;

struct Desk {
    server: TestServer,
    rest: Rest,
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let server = TestServer::start();
        let rest = Rest::of(&server);
        Self { server, rest, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file with this in it.
    fn written(&self, name: &str, text: impl AsRef<str>) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text.as_ref()).expect("the folder is ours");
        path
    }

    fn args(&self, command: &str, what: &Path, options: &[&str]) -> Vec<OsString> {
        let url = format!("http://{}", self.server.address());
        let mut args = vec![command.into(), what.into(), "--url".into(), url.into()];
        args.extend(options.iter().map(OsString::from));
        args
    }

    fn export(&self, doc: &str, options: &[&str]) -> Ran {
        quire(self.args("export", Path::new(doc), options))
    }

    fn import(&self, file: &Path, options: &[&str]) -> Ran {
        quire(self.args("import", file, options))
    }

    /// The id that `import` has printed, after a look at the address beside it.
    fn imported(&self, ran: Ran) -> String {
        let out = ran.succeeds();
        let (id, page) = out.trim_end().split_once(' ').expect("an id and an address");
        assert_eq!(page, format!("http://{}/d/{id}", self.server.address()));
        id.to_owned()
    }
}

/// One of everything that a document can have.
fn rich() -> Value {
    json!([
        { "insert": "A title" },
        { "insert": "\n", "attributes": { "header": 1 } },
        { "insert": "plain, " },
        { "insert": "bold 😀", "attributes": { "bold": true } },
        { "insert": " and a " },
        { "insert": "link", "attributes": { "link": "https://example.org/" } },
        { "insert": "\n" },
        { "insert": { "image": "https://example.org/a.png" } },
        { "insert": "\nfirst" },
        { "insert": "\n", "attributes": { "list": "ordered" } },
        { "insert": "second" },
        { "insert": "\n", "attributes": { "list": "ordered" } },
    ])
}

#[test]
fn a_document_comes_back_from_its_export_as_it_was() {
    let desk = Desk::new();
    let doc = desk.rest.create(&rich());
    let file = desk.file("copy.json");
    let told = desk.export(&doc, &["--output", file.to_str().expect("UTF-8")]).succeeds();
    assert_eq!(told, "", "it went into the file");
    let copy = desk.imported(desk.import(&file, &[]));
    assert_ne!(copy, doc);
    assert_eq!(desk.rest.content(&copy), (1, rich()));

    // The same through a pipe.
    let exported = desk.export(&doc, &[]).succeeds();
    let args = desk.args("import", Path::new("-"), &["--format", "delta", "--id", "through-a-pipe"]);
    assert_eq!(desk.imported(quire_reading(&exported, args)), "through-a-pipe");
    assert_eq!(desk.rest.content("through-a-pipe").1, rich());
}

#[test]
fn a_delta_comes_in_bare_and_as_an_object() {
    let desk = Desk::new();
    for (name, file) in [("bare.json", rich()), ("object.json", json!({ "ops": rich() }))] {
        let id = desk.imported(desk.import(&desk.written(name, file.to_string()), &[]));
        assert_eq!(desk.rest.content(&id).1, rich(), "{name}");
    }
}

#[test]
fn text_markdown_and_html_go_out_as_the_server_writes_them_and_come_in() {
    let desk = Desk::new();
    let doc = desk.rest.create(&rich());
    for (format, extension) in [("text", "txt"), ("markdown", "md"), ("html", "html")] {
        let exported = desk.export(&doc, &["--format", format]).succeeds();
        let answer = desk.rest.get(&format!("/v1/docs/{doc}/content?format={format}")).expect(200);
        assert_eq!(exported, answer.text(), "{format}");
        // Whatever it is comes in as text if that is wanted, with the newline that editors end a document with.
        let file = desk.written(&format!("notes.{extension}"), &exported);
        let id = desk.imported(desk.import(&file, &["--format", "text"]));
        assert_eq!(desk.rest.text(&id).trim_end_matches('\n'), exported.trim_end_matches('\n'), "{format}");
        let metadata = &desk.rest.get(&format!("/v1/docs/{id}")).expect(200).json()["metadata"];
        assert_eq!(metadata["title"], "notes", "named after its file");
        let read = desk.imported(desk.import(&file, &[]));
        assert_eq!(desk.export(&read, &["--format", format]).succeeds(), exported, "{format} and back");
    }
    let markdown = desk.export(&doc, &["--format", "markdown"]).succeeds();
    assert!(markdown.contains("# A title") && markdown.contains("**bold 😀**"), "{markdown}");
}

#[test]
fn an_old_version_goes_out_when_it_is_asked_for() {
    let desk = Desk::new();
    let doc = desk.rest.create(&json!([{ "insert": "first\n" }]));
    TestClient::join(&desk.server, &doc).insert(0, "not the ");
    let text = |options: &[&str]| desk.export(&doc, &[&["--format", "text"], options].concat());
    assert_eq!(text(&[]).succeeds(), "not the first\n");
    assert_eq!(text(&["--version", "1"]).succeeds(), "first\n");
    text(&["--version", "9"]).fails_with(&["404", "version 9"]);
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let desk = Desk::new();
    let problem = desk.rest.get("/v1/docs/nobody/content").expect_problem(404, "not_found").json();
    let words = problem["detail"].as_str().expect("a sentence");
    desk.export("nobody", &[]).fails_with(&["nobody", "404", words]);

    let file = desk.written("notes.txt", "text");
    desk.imported(desk.import(&file, &["--id", "taken"]));
    let created = json!({ "id": "taken" });
    let problem = desk.rest.post("/v1/docs", &created).expect(409).json();
    desk.import(&file, &["--id", "taken"])
        .fails_with(&["409", problem["detail"].as_str().expect("a sentence")]);
    assert_eq!(desk.rest.text("taken"), "text\n");
}

#[test]
fn what_cannot_be_a_document_is_refused_by_name() {
    let desk = Desk::new();
    let before = desk.rest.get("/v1/docs").expect(200).json();
    for (text, words) in [
        (r#"[{"retain":1}]"#, "reading the delta: "),
        ("[{", "reading the delta"),
        (r#"{"a":1}"#, "reading the delta"),
    ] {
        desk.import(&desk.written("bad.json", text), &[]).fails_with(&[words]);
    }
    desk.import(&desk.file("absent.txt"), &[]).fails_with(&["absent.txt", "No such file"]);
    assert_eq!(desk.rest.get("/v1/docs").expect(200).json(), before, "nothing was made");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let ran = quire(["export", "welcome", "--url", "http://127.0.0.1:1"]);
    ran.fails_with(&["http://127.0.0.1:1", "refused"]);
}

//! Addresses that lead out of where they should stay.

use crate::harness::TestServer;
use crate::raw::request;
use crate::rest::Rest;

/// Asks with a target as it stands, which libraries would tidy up; the status, and the body.
fn ask(server: &TestServer, target: &str) -> (u16, String) {
    use std::io::Read as _;
    let headers = [("Host", server.address().to_owned()), ("Connection", "close".to_owned())];
    let (head, mut rest) = request(server.address(), &format!("GET {target}"), &headers);
    let mut body = Vec::new();
    rest.read_to_end(&mut body).expect("it ends");
    (head.status, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn no_address_leads_out_of_the_files_of_the_pages() {
    let server = TestServer::start();
    let up = [
        "..",
        "%2e%2e",
        "..%2f..",
        "%2e%2e%2f%2e%2e",
        "..%5c..",
        ".%2e",
        "..;",
        "%252e%252e",
        "....//",
        "..%00",
    ];
    for up in up {
        for file in ["etc/passwd", "Cargo.toml", "package.json", "index.html"] {
            for target in [
                format!("/assets/{up}/{up}/{up}/{up}/{up}/{up}/{file}"),
                format!("/assets/{up}%2f{up}%2f{file}"),
                format!("/assets//{file}"),
                format!("/assets/%2f{file}"),
            ] {
                let (status, body) = ask(&server, &target);
                assert!([400, 404].contains(&status), "{target}: {status}");
                for inside in ["root:", "[package]", "devDependencies"] {
                    assert!(!body.contains(inside), "{target}: {body}");
                }
            }
        }
    }
}

#[test]
fn an_id_is_never_a_path() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let ids = [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "a%2fb",
        "a%5cb",
        "a%00b",
        "%00",
        "a%0d%0aSet-Cookie:%20x=1",
        "%ff%fe",
        "a%20b",
        "%c0%ae%c0%ae",
        "a:b",
        "a*b",
        "%",
        "%zz",
    ];
    for id in ids.iter().map(|id| (*id).to_owned()).chain(["a".repeat(129), "é".into()]) {
        let target = id.replace('é', "%C3%A9");
        for path in ["", "/content", "/ops", "/history", "/presence"] {
            let (status, body) = ask(&server, &format!("/v1/docs/{target}{path}"));
            assert!([400, 404].contains(&status), "{target}{path}: {status} {body}");
        }
        let made = rest.post("/v1/docs", &serde_json::json!({ "id": id }));
        assert!(made.status == 400, "{id}: {}", made.status);
    }
    // Nothing beside the data has been touched.
    let folder = server.data().path();
    let names: Vec<_> = std::fs::read_dir(folder.parent().expect("it is in a folder"))
        .expect("it can be listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert!(names.iter().all(|name| ["data", "server.log"].contains(&&**name)), "{names:?}");
}

#[test]
fn no_header_is_made_of_what_was_asked_for() {
    let server = TestServer::start();
    for target in ["/v1/docs/a%0d%0aX-Evil:%201", "/nowhere%0d%0aX-Evil:%201", "/d/%0d%0aX-Evil:%201"] {
        let headers = [("Host", server.address().to_owned()), ("X-Request-Id", "a\u{b}b".to_owned())];
        let (head, _) = request(server.address(), &format!("GET {target}"), &headers);
        assert_eq!(head.header("x-evil"), None, "{target}");
    }
}

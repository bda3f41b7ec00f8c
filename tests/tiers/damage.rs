//! Segments that are not what they were.

use std::fs;
use std::path::Path;

use crate::harness::{DataFolder, TestServer};
use crate::rest::Rest;
use crate::scene::{Scene, files, stopped, wait_for, written};

/// A server that has archived a document, and nothing of it in memory.
fn archived(scene: &Scene) -> (TestServer, String) {
    let server = scene.launch(DataFolder::new()).start();
    let (doc, _) = written(&server, 230, 20);
    // The stop makes a snapshot of all of it.
    let server = scene.archiving(stopped(server)).start();
    wait_for(&Rest::of(&server), "quire_archived_operations", |archived| archived >= 200.0);
    (scene.launch(stopped(server)).start(), doc)
}

/// Flips a bit of a file.
fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).expect("it is there");
    bytes[at] ^= 0x40;
    fs::write(file, bytes).expect("it can be written");
}

fn first_segment(server: &TestServer) -> std::path::PathBuf {
    let mut segments = files(&server.data().path().join("segments"));
    segments.sort();
    segments.into_iter().next().expect("there is one")
}

/// The document itself is read from its snapshot; its past is an error, and no gap.
fn past_is_an_error(server: TestServer, doc: &str, scene: &Scene) {
    let rest = Rest::of(&server);
    assert_eq!(rest.content(doc).0, 230);
    let answer = rest.get(&format!("/v1/docs/{doc}/ops?from=0&limit=5"));
    assert!(answer.status == 500 && answer.text().contains("at version 1"), "{}", answer.text());
    let answer = rest.get(&format!("/v1/docs/{doc}/content?version=7"));
    assert!(answer.status == 500 && answer.text().contains(doc), "{}", answer.text());
    let found = scene.quire(&["verify"], &stopped(server));
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.out.contains(&format!("document {doc} cannot be read at version 1")), "{found:?}");
}

#[test]
fn a_damaged_segment_is_an_error_that_names_document_and_version() {
    let scene = Scene::folder();
    let (server, doc) = archived(&scene);
    flip(&first_segment(&server), 30);
    past_is_an_error(server, &doc, &scene);
}

#[test]
fn a_missing_segment_is_an_error_that_names_document_and_version() {
    let scene = Scene::folder();
    let (server, doc) = archived(&scene);
    fs::remove_file(first_segment(&server)).expect("it is there");
    past_is_an_error(server, &doc, &scene);
}

//! Bodies that are read and written by hand, as types: they are only looked at, to say what is in them.
#![allow(dead_code, reason = "nothing is ever made of these")]

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::http::compare::Summary;
use crate::ids::{ClientId, DocumentId, Millis, UserId, Version};

/// A delta: its parts, as in `quill-delta`. Each inserts, retains or deletes.
#[derive(ToSchema)]
pub struct DeltaView(Vec<PartView>);

/// A part of a delta. Lengths are in UTF-16 code units.
#[derive(ToSchema)]
pub struct PartView {
    /// Text, or an object with one key.
    #[schema(schema_with = text_or_object)]
    insert: Option<Value>,
    #[schema(minimum = 1)]
    retain: Option<u64>,
    #[schema(minimum = 1)]
    delete: Option<u64>,
    /// Formatting by key; `null` removes.
    attributes: Option<HashMap<String, Value>>,
}

/// Text, or an object.
fn text_or_object() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Object])).into()
}

/// A document to be made.
#[derive(ToSchema)]
pub struct NewDocumentBody {
    /// One line.
    #[schema(max_length = 256)]
    title: Option<String>,
    content: Option<DeltaView>,
    /// Made by the server without one.
    id: Option<DocumentId>,
}

/// What to change of a document; what is absent stays.
#[derive(ToSchema)]
pub struct DocumentPatchBody {
    #[schema(max_length = 256)]
    title: Option<String>,
    archived: Option<bool>,
    /// `false` takes it out of the trash.
    deleted: Option<bool>,
}

/// An operation: either `delta` or `edit`.
#[derive(ToSchema)]
pub struct OperationBody {
    /// The version that it was made on.
    base: Version,
    delta: Option<DeltaView>,
    /// The short form: `{"type": "insert", "pos", "text", "attributes"?}`, `{"type": "delete", "pos", "len"}` or
    /// `{"type": "format", "pos", "len", "attributes"}`.
    edit: Option<HashMap<String, Value>>,
}

/// A name for a version.
#[derive(ToSchema)]
pub struct NameBody {
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// The durable head, if it is absent.
    version: Option<Version>,
}

/// Where to go back to.
#[derive(ToSchema)]
pub struct RestoreBody {
    version: Version,
}

/// A comment to be made.
#[derive(ToSchema)]
pub struct NewCommentBody {
    #[schema(min_length = 1, max_length = 10_000)]
    text: String,
    anchor: NewAnchor,
}

/// What a comment is about.
#[derive(ToSchema)]
pub struct NewAnchor {
    index: u64,
    #[schema(minimum = 1)]
    length: u64,
    /// The durable head, if it is absent.
    version: Option<Version>,
}

/// An answer to a comment.
#[derive(ToSchema)]
pub struct ReplyBody {
    #[schema(min_length = 1, max_length = 10_000)]
    text: String,
}

/// What to change of a comment; what is absent stays.
#[derive(ToSchema)]
pub struct CommentPatchBody {
    #[schema(min_length = 1, max_length = 10_000)]
    text: Option<String>,
    resolved: Option<bool>,
}

/// The version that was made.
#[derive(ToSchema)]
pub struct MadeVersion {
    version: Version,
}

/// Content at a version.
#[derive(ToSchema)]
pub struct ContentView {
    version: Version,
    content: DeltaView,
}

/// An operation of the log.
#[derive(ToSchema)]
pub struct OpView {
    /// The version that it made.
    version: Version,
    client: ClientId,
    seq: u64,
    user: UserId,
    at: Millis,
    delta: DeltaView,
}

/// A page of the log.
#[derive(ToSchema)]
pub struct OpsPage {
    ops: Vec<OpView>,
    /// The `from` of the next page.
    next: Option<Version>,
}

/// A version with its author.
#[derive(ToSchema)]
pub struct VersionAuthor {
    version: Version,
    client: ClientId,
    seq: u64,
    user: UserId,
    at: Millis,
}

/// With `version` the content at it, without one a page of versions.
#[derive(ToSchema)]
pub struct HistoryView {
    version: Option<Version>,
    content: Option<DeltaView>,
    versions: Option<Vec<VersionAuthor>>,
    /// The `from` of the next page.
    next: Option<Version>,
}

/// What leads from one version to another.
#[derive(ToSchema)]
pub struct DiffView {
    from: Version,
    to: Version,
    delta: DeltaView,
    summary: Summary,
}

/// Who has written what.
#[derive(ToSchema)]
pub struct BlameView {
    version: Version,
    /// What was there at this version is not told apart.
    since: Version,
    runs: Vec<BlameRun>,
}

/// A piece of content by one operation.
#[derive(ToSchema)]
pub struct BlameRun {
    /// In UTF-16 code units.
    length: u64,
    /// The one that has brought it, or with `older` one that it is no newer than.
    version: Version,
    user: Option<UserId>,
    at: Option<Millis>,
    older: Option<bool>,
}

/// Who is in a document.
#[derive(ToSchema)]
pub struct PresenceView {
    /// As in a `presence` frame of the protocol.
    #[schema(value_type = Vec<Object>)]
    peers: Vec<Value>,
}

/// How the server is.
#[derive(ToSchema)]
pub struct StatusView {
    status: String,
}

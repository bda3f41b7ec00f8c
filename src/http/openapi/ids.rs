//! The schemas of ids, and of what else is defined below HTTP.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::common::uuid;
use crate::actors::error::ErrorCode;
use crate::ids::{ClientId, DocumentId, HistoryId, UserId};
use crate::protocol::Role;
use crate::storage::permissions::GroupId;

impl PartialSchema for DocumentId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9._~-]{1,128}$"))
            .description(Some("1 to 128 of A-Z a-z 0-9 . _ ~ -, neither . nor .."))
            .into()
    }
}

impl ToSchema for DocumentId {}

impl PartialSchema for UserId {
    fn schema() -> RefOr<Schema> {
        let description = "`guest:` and a client's id for guests";
        ObjectBuilder::new().schema_type(Type::String).description(Some(description)).into()
    }
}

impl ToSchema for UserId {}

impl PartialSchema for HistoryId {
    fn schema() -> RefOr<Schema> {
        uuid()
    }
}

impl ToSchema for HistoryId {}

impl PartialSchema for ClientId {
    fn schema() -> RefOr<Schema> {
        uuid()
    }
}

impl ToSchema for ClientId {}

impl PartialSchema for GroupId {
    fn schema() -> RefOr<Schema> {
        uuid()
    }
}

impl ToSchema for GroupId {}

impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        let names = ["viewer", "commenter", "editor", "owner"];
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for Role {}

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.map(Self::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for ErrorCode {}

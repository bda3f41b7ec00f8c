//! Bodies of the calls about who may do what, and about groups.
#![allow(dead_code, reason = "nothing is ever made of these")]

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::ids::{Millis, UserId};
use crate::protocol::Role;

/// What somebody is given.
#[derive(ToSchema)]
pub struct GrantBody {
    role: Role,
    /// When it ends, in Unix milliseconds.
    expires_at: Option<Millis>,
}

/// What whoever has the address may do.
#[derive(ToSchema)]
pub struct LinkBody {
    #[schema(schema_with = link_role)]
    role: Value,
}

/// A role that an address can give, or nothing in two ways.
fn link_role() -> Schema {
    let names = ["viewer", "commenter", "editor", "none"].map(Value::from);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(names.into_iter().chain([Value::Null])))
        .into()
}

/// What whoever has the address may do; `null` for nothing.
#[derive(ToSchema)]
pub struct LinkRoleView {
    role: Option<Role>,
}

/// Who is to have a document.
#[derive(ToSchema)]
pub struct OwnerBody {
    #[schema(min_length = 1, max_length = 128)]
    user: String,
}

/// Who has a document.
#[derive(ToSchema)]
pub struct OwnerView {
    owner: UserId,
}

/// A share link to be made.
#[derive(ToSchema)]
pub struct NewLinkBody {
    /// Any but `owner`.
    role: Role,
    /// When it ends, in Unix milliseconds.
    expires_at: Option<Millis>,
}

/// What a group is called.
#[derive(ToSchema)]
pub struct GroupBody {
    /// One line.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// What somebody is in a group.
#[derive(ToSchema)]
pub struct MemberBody {
    /// Whether they say who is in it.
    manager: Option<bool>,
}

//! What all calls have in common: what they are named, the parts of their addresses, how callers say who they are, and how
//! whatever is not done is answered.

use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::problem;
use crate::ids::{DocumentId, Version};

/// A condition of what is to be changed.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it is only looked at, to say what is in it")]
pub struct IfMatch {
    /// Only what has this tag is changed; else the answer is 412.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// What a request is known by that may be sent again.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it is only looked at, to say what is in it")]
pub struct IdempotencyKey {
    /// Sent again within 24 hours, the request answers with what it has made; another request under the key is 422. ASCII
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// Adds what all calls have in common to what their handlers say.
pub fn complete(mut api: OpenApi) -> Value {
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            let named = operation.parameters.take().unwrap_or_default();
            let parameters: Vec<_> = names_in(path).map(|name| part(path, name)).chain(named).collect();
            operation.parameters = Some(parameters).filter(|all| !all.is_empty());
            operation.operation_id = Some(operation_id(method, path));
            let responses = &mut operation.responses.responses;
            responses.insert("4XX".into(), problem("Why it was not done: nothing was changed"));
            responses.insert("5XX".into(), problem("Why the server could not do it"));
        }
    }
    let schemes = &mut api.components.get_or_insert_default().security_schemes;
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Any of the server's kinds"));
    schemes.insert("token".into(), SecurityScheme::Http(bearer.build()).into());
    let link =
        ApiKeyValue::with_description("Quire-Link", "The token of a share link, also beside the other");
    schemes.insert("link".into(), SecurityScheme::ApiKey(ApiKey::Header(link)).into());
    let with = |scheme: &str| SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []);
    // Or nothing: where guests are let in, none is needed.
    api.security = Some(vec![SecurityRequirement::default(), with("token"), with("link")]);
    let mut document = serde_json::to_value(api).unwrap_or_default();
    spell_out_numbers(&mut document);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let methods = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Names a call by its method and its address: no two have the same.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(method.to_owned(), |id, word| format!("{id}_{word}"))
}

/// The names in braces of an address.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// A part of an address, which means the same wherever it has the same name.
fn part(path: &str, name: &str) -> RefOr<Parameter> {
    let (schema, description) = match name {
        "version" => (Version::schema(), "A version of the document"),
        "comment" => (uuid(), "The id of a comment"),
        "link" => (uuid(), "The id of a share link"),
        "ban" => (text(), "The id of a ban"),
        "hook" => (text(), "The id of a webhook"),
        "delivery" => (text(), "The id of a delivery"),
        "provider" => (text(), "The name of a provider"),
        "session" => (text(), "The id of a session, as the list of them tells it"),
        "subject" => (text(), "The id of a user, or `group:` and the id of a group"),
        "user" if path.starts_with("/v1/users/") => (text(), "`me`, or the id of a user"),
        "user" => (text(), "The id of a user"),
        "id" if path.starts_with("/v1/groups/") => (uuid(), "The id of a group"),
        "id" if path.starts_with("/v1/auth/") => (text(), "The id of a sign-in"),
        _ => (DocumentId::schema(), "The id of a document"),
    };
    let part = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    part.description(Some(description)).schema(Some(schema)).build().into()
}

/// Text.
pub fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// A UUID as text.
pub fn uuid() -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
}

fn problem(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name(problem::Body::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
        .into()
}

/// Puts what numbers are in place of references to them: to utoipa the other name of a number is a schema of its own.
fn spell_out_numbers(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
        return;
    };
    let numbers = ["i64", "u64"].map(|name| (format!("#/components/schemas/{name}"), schemas.remove(name)));
    let mut left = vec![document];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(members) => {
                let named = members.get("$ref").and_then(Value::as_str);
                let number = numbers.iter().find(|(name, _)| named == Some(name));
                if let Some((_, Some(Value::Object(number)))) = number {
                    members.remove("$ref");
                    members.extend(number.clone());
                } else {
                    left.extend(members.values_mut());
                }
            }
            _ => {}
        }
    }
}

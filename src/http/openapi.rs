//! What there is to call, as a document of OpenAPI: made of the handlers and the types they answer with.
//!
//! What all calls have in common is added here: the parts of an address, the problem that any of them may answer with, and how
//! callers say who they are. The page that shows it is our own, so that nothing is loaded from anywhere else.

mod accounts;
mod administration;
mod bodies;
mod ids;
mod sharing;

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

pub use self::accounts::*;
pub use self::administration::*;
pub use self::bodies::*;
use self::ids::uuid;
pub use self::sharing::*;
use crate::http::problem::Problem;
use crate::http::{
    accounts as sign_in, admin, audit, comments, compare, content, documents, groups, health, import, links,
    ops, people, permissions, presence, sockets, versions,
};
use crate::ids::{DocumentId, Version};

#[derive(OpenApi)]
#[openapi(
    info(title = "quire", description = "Live documents: REST beside the protocol `quire.v1`."),
    paths(
        documents::create, documents::list, documents::read, documents::change, documents::delete,
        content::read, ops::submit, import::import,
        ops::list, ops::history, versions::snapshot, versions::list, versions::name, versions::forget,
        compare::restore, compare::diff, compare::blame,
        comments::list, comments::create, comments::read, comments::change, comments::delete, comments::reply,
        presence::read, sockets::collab,
        permissions::list, permissions::read, permissions::grant, permissions::revoke, permissions::set_link,
        permissions::transfer, links::list, links::create, links::revoke,
        groups::list, groups::create, groups::read, groups::rename, groups::delete, groups::set_member,
        groups::remove_member,
        sign_in::register, sign_in::login, sign_in::refresh, sign_in::logout, sign_in::me,
        sign_in::change_password, sign_in::forget_password, sign_in::reset_password, sign_in::sign_ins,
        sign_in::end_sign_in, sign_in::second::enrol, sign_in::second::confirm, sign_in::second::remove,
        sign_in::jwks, people::export, people::erase,
        admin::documents, admin::passivate, admin::verify, admin::sessions, admin::dismiss, admin::nodes, admin::drain,
        audit::list,
        health::live, health::ready, health::metrics, json,
    ),
    components(schemas(ProblemView)),
    tags(
        (name = "documents", description = "Documents themselves"),
        (name = "content", description = "What is in them"),
        (name = "history", description = "What was in them, and who has written it"),
        (name = "comments", description = "What is said about them"),
        (name = "presence", description = "Who is there"),
        (name = "sharing", description = "Who may do what with a document"),
        (name = "groups", description = "People who are given documents together"),
        (name = "accounts", description = "Signing in and out, where the server has accounts"),
        (name = "people", description = "What is kept of a person"),
        (name = "administration", description = "For those who look after the server"),
        (name = "service", description = "The server itself"),
    ),
)]
struct Api;

/// The document as it is sent: it does not change while the server runs.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    // It consists of maps with text for keys.
    serde_json::to_vec(&document()).unwrap_or_default().into()
});

/// Makes the document.
fn document() -> utoipa::openapi::OpenApi {
    let mut api = Api::openapi();
    for (path, item) in &mut api.paths.paths {
        let parameters: Vec<_> = names_in(path).map(|name| RefOr::T(parameter(path, name))).collect();
        for (method, operation) in operations(item) {
            if !parameters.is_empty() {
                operation.parameters.get_or_insert_default().extend(parameters.iter().cloned());
            }
            operation.operation_id = Some(operation_id(method, path));
            operation.responses.responses.insert("default".into(), problem());
        }
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let schemes = &mut api.components.get_or_insert_default().security_schemes;
    schemes.insert("bearer".into(), SecurityScheme::Http(bearer));
    // Or nothing: where guests are let in, none is needed.
    let with_token = SecurityRequirement::new::<_, [&str; 0], &str>("bearer", []);
    api.security = Some(vec![SecurityRequirement::default(), with_token]);
    api
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

fn parameter(path: &str, name: &str) -> utoipa::openapi::path::Parameter {
    let text = || ObjectBuilder::new().schema_type(Type::String).into();
    let (schema, description): (RefOr<Schema>, _) = match name {
        "version" => (Version::schema(), "A version of the document"),
        "comment" => (uuid(), "The id of a comment"),
        "link" => (uuid(), "The id of a share link"),
        "session" => (text(), "The id of a session, as the list of them tells it"),
        "subject" => (text(), "The id of a user, or `group:` and the id of a group"),
        "user" if path.starts_with("/v1/users/") => (text(), "`me`, or the id of a user"),
        "user" => (text(), "The id of a user"),
        "id" if path.starts_with("/v1/groups/") => (uuid(), "The id of a group"),
        "id" if path.starts_with("/v1/auth/") => (text(), "The id of a sign-in"),
        _ => (Ref::from_schema_name(DocumentId::name()).into(), "The id of a document"),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn problem() -> RefOr<utoipa::openapi::Response> {
    let schema = Ref::from_schema_name(ProblemView::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description("Why it was not done: nothing was changed");
    response.content("application/problem+json", content).build().into()
}

/// `GET /openapi.json`
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", summary = "Tell what there is to call",
    responses((status = 200, description = "A document of OpenAPI 3.1", body = serde_json::Value))
)]
pub async fn json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT.clone())
}

/// What the page may do: load its own two files, and ask for the document.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /docs`: the document for people.
pub async fn page() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("openapi/page.html"))
}

/// `GET /docs/{name}`: what the page consists of.
pub async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    match name.as_str() {
        "page.js" => Ok(file("text/javascript; charset=utf-8", include_str!("openapi/page.js"))),
        "page.css" => Ok(file("text/css; charset=utf-8", include_str!("openapi/page.css"))),
        _ => Err(Problem::not_found("there is no such file")),
    }
}

fn file(media_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header(("Cache-Control", "no-cache"))
        .insert_header(("Content-Security-Policy", PAGE_POLICY))
        .body(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Pages for people, which are no calls.
    const PAGES: [&str; 6] = ["/", "/d/{id}", "/admin", "/assets/{name}", "/docs", "/docs/{name}"];

    /// The methods of each address in the table of routes, and in the administrators' part of it.
    fn routes() -> BTreeSet<(String, String)> {
        let (table, admin) = (include_str!("mod.rs"), include_str!("admin.rs"));
        let table = table[..table.find("default_service").expect("the end of the table")].to_owned() + admin;
        let mut routes = BTreeSet::new();
        for entry in table.split("at(\"").skip(1) {
            let mut texts = entry.split('"');
            let (path, methods) = (texts.next().expect("an address"), texts.nth(1).expect("its methods"));
            if !PAGES.contains(&path) {
                // Every GET answers HEAD as well.
                let methods = methods.split(", ").filter(|method| *method != "HEAD");
                routes.extend(methods.map(|method| (path.to_owned(), method.to_lowercase())));
            }
        }
        routes
    }

    #[test]
    fn every_route_is_in_the_document_and_no_other() {
        let json = serde_json::to_value(document()).unwrap();
        let mut told = BTreeSet::new();
        for (path, item) in json["paths"].as_object().unwrap() {
            told.extend(item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())));
        }
        assert_eq!(told, routes());
    }

    #[test]
    fn whatever_is_referred_to_is_there_and_all_have_the_same_shape_of_problem() {
        let json = serde_json::to_value(document()).unwrap();
        let text = json.to_string();
        for reference in text.split(r##""$ref":"#"##).skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(json.pointer(pointer).is_some(), "{pointer}");
        }
        for item in json["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
                assert!(problem["schema"]["$ref"].is_string(), "{operation}");
            }
        }
    }
}

//! Every route that there is, read from the server's own table, so that none is forgotten.

/// The tables of routes.
const TABLES: [&str; 3] = [
    include_str!("../../src/http/mod.rs"),
    include_str!("../../src/http/admin.rs"),
    include_str!("../../src/http/restraints.rs"),
];

/// The id of nothing, where a UUID is wanted.
const NOTHING: &str = "0195e7a4-0000-7000-8000-000000000000";

/// What anybody may ask, with a token or without: pages, probes, keys, and how one comes to a token.
const PUBLIC: [&str; 24] = [
    "/",
    "/account",
    "/admin",
    "/assets/{name}",
    "/d/{id}",
    "/docs",
    "/docs/{name}",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/readyz",
    "/reset",
    "/sign-in",
    "/.well-known/jwks.json",
    "/v1/auth",
    "/v1/auth/login",
    "/v1/auth/logout",
    "/v1/auth/oidc",
    "/v1/auth/oidc/{provider}",
    "/v1/auth/oidc/{provider}/callback",
    "/v1/auth/password/forgot",
    "/v1/auth/password/reset",
    "/v1/auth/refresh",
    "/v1/auth/register",
];

/// A call of a route.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    path: String,
    /// Only a method that changes something has one; it says nothing.
    pub body: Option<&'static str>,
}

impl Call {
    /// Its path for a document.
    pub fn of(&self, doc: &str) -> String {
        let path = self.path.replace("{id}", doc);
        // Whatever else is asked for: it is not there.
        let parts = path.split('/').map(|part| match part {
            "{comment}" | "{link}" => NOTHING,
            part if part.starts_with('{') => "1",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Whether what is asked for in the query may be missed before anybody looks at the token.
    pub fn asks_for_more(&self) -> bool {
        self.path.ends_with("/diff")
    }
}

/// All calls that need to know who makes them, sockets aside.
pub fn guarded() -> Vec<Call> {
    let mut calls = in_tables();
    let purge = Call { method: "DELETE".into(), path: "/v1/docs/{id}?purge=true".into(), body: None };
    calls.push(purge);
    calls
}

fn in_tables() -> Vec<Call> {
    let entries = TABLES.iter().flat_map(|table| table.split("at(").skip(1));
    let calls: Vec<Call> = entries.filter_map(entry).flatten().collect();
    assert!(calls.len() >= 60, "the tables cannot be read: {calls:?}");
    calls
}

/// The calls about one document, each as its method and what follows the document's id.
pub fn of_a_document() -> Vec<(String, String)> {
    let rest = |call: Call| Some((call.method, call.path.strip_prefix("/v1/docs/{id}")?.to_owned()));
    in_tables().into_iter().filter_map(rest).collect()
}

/// Reads what follows `at(`: a path and its methods, both in quotes.
fn entry(text: &str) -> Option<Vec<Call>> {
    let mut quoted = text.trim_start().strip_prefix('"')?.split('"');
    let (path, methods) = (quoted.next()?, quoted.nth(1)?);
    let is_ours = path.starts_with('/') && !PUBLIC.contains(&path) && !path.starts_with("/v1/collab");
    let call = |method: &str| Call {
        method: method.to_owned(),
        path: path.to_owned(),
        body: ["POST", "PUT", "PATCH"].contains(&method).then_some("{}"),
    };
    is_ours.then(|| methods.split(", ").filter(|method| *method != "HEAD").map(call).collect())
}

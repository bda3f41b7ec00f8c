//! Every route that there is, read from the server's own table, so that none is forgotten.

/// The one table of routes.
const TABLE: &str = include_str!("../../src/http/mod.rs");

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
        path.split('/')
            .map(|part| if part.starts_with('{') { "1" } else { part })
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Whether what is asked for beside a document, or for a range in it, may be missed before anybody looks at the token.
    pub fn asks_for_more(&self) -> bool {
        let beside = self.path.strip_prefix("/v1/docs/{id}").unwrap_or(&self.path);
        beside.contains('{') || beside.ends_with("/diff")
    }
}

/// All calls that need to know who makes them, sockets aside.
pub fn guarded() -> Vec<Call> {
    let mut calls: Vec<Call> = TABLE.split("at(").skip(1).filter_map(entry).flatten().collect();
    assert!(calls.len() >= 10, "the table cannot be read: {calls:?}");
    let purge = Call { method: "DELETE".into(), path: "/v1/docs/{id}?purge=true".into(), body: None };
    calls.push(purge);
    calls
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

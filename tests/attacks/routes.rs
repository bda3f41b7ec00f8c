//! Every route that there is, as the server's own table has it.

/// A call: its method, its path with `{id}` for a document, and a body that would be sound.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub method: &'static str,
    pub path: &'static str,
    pub body: Option<&'static str>,
}

const fn call(method: &'static str, path: &'static str, body: Option<&'static str>) -> Call {
    Call { method, path, body }
}

/// All that need to know who calls.
pub const GUARDED: [Call; 13] = [
    call("GET", "/v1/docs", None),
    call("POST", "/v1/docs", Some("{}")),
    call("GET", "/v1/docs/{id}", None),
    call("PATCH", "/v1/docs/{id}", Some(r#"{"title":"t"}"#)),
    call("DELETE", "/v1/docs/{id}", None),
    call("DELETE", "/v1/docs/{id}?purge=true", None),
    call("GET", "/v1/docs/{id}/content", None),
    call("GET", "/v1/docs/{id}/content?format=html", None),
    call("GET", "/v1/docs/{id}/ops", None),
    call("POST", "/v1/docs/{id}/ops", Some(r#"{"base":0,"delta":[{"insert":"x"}]}"#)),
    call("GET", "/v1/docs/{id}/history", None),
    call("GET", "/v1/docs/{id}/history?version=1", None),
    call("GET", "/v1/docs/{id}/presence", None),
];

impl Call {
    /// Its path for a document.
    pub fn of(&self, doc: &str) -> String {
        self.path.replace("{id}", doc)
    }
}

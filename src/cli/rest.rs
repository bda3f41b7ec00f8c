//! A small client of the REST interface, blocking: commands wait for the answer anyway.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ureq::RequestBuilder;
pub use ureq::http::Method;

use crate::ids::{DocumentId, Version};

/// What is escaped in a segment of a path: all but what never needs to be (RFC 3986 section 2.3).
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long one call may take: a large import waits for its commit.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The largest answer taken: a document of 10 MB as JSON, with room for its attributes.
const MAX_ANSWER: u64 = 256 << 20;

/// The forms in which a document's content can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `{"version", "content"}` with the content as a delta, the only form that loses nothing.
    Delta,
    Text,
    Markdown,
    Html,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

/// Which server a command speaks to, and as whom.
#[derive(Args, Debug)]
pub struct ServerOptions {
    /// Address of the server.
    #[arg(long, env = "QUIRE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    url: String,

    /// Token to present, where guests may not read or write.
    #[arg(long, env = "QUIRE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

impl ServerOptions {
    /// Names the server; nothing is sent yet.
    pub fn rest(&self) -> Rest {
        Rest::new(&self.url, self.token.clone())
    }
}

/// What is asked for in `POST /v1/docs`; the server fills in what is absent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewDocument<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a RawValue>,
}

/// What commands need of a document's metadata.
#[derive(Clone, Debug, Deserialize)]
pub struct Created {
    pub id: DocumentId,
}

/// The part of a problem (RFC 9457) that a person reads.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// A server, and the token to present to it.
#[derive(Clone, Debug)]
pub struct Rest {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

impl Rest {
    /// Names a server by its address, such as `http://127.0.0.1:8080`; nothing is sent yet.
    pub fn new(url: &str, token: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .build();
        Self { base: url.trim_end_matches('/').to_owned(), token, agent: config.into() }
    }

    /// Returns the address of a document's page.
    pub fn page(&self, id: &DocumentId) -> String {
        format!("{}/d/{id}", self.base)
    }

    /// Makes a document.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses, in its own words.
    pub fn create(&self, document: &NewDocument<'_>) -> anyhow::Result<Created> {
        let url = format!("{}/v1/docs", self.base);
        let request = self.presenting_token(self.agent.post(&url));
        let answer = request.send_json(document).with_context(|| format!("calling {url}"))?;
        let body = text_of(answer).with_context(|| format!("making a document at {}", self.base))?;
        serde_json::from_str(&body).context("reading the new document's metadata")
    }

    /// Reads a document's content at a version, the newest one by default.
    ///
    /// # Errors
    /// As [`Rest::create`].
    pub fn content(&self, id: &str, format: Format, version: Option<Version>) -> anyhow::Result<String> {
        let mut url = format!("{}/v1/docs/{id}/content?format={}", self.base, format.as_str());
        if let Some(version) = version {
            url.push_str(&format!("&version={version}"));
        }
        let answer =
            self.presenting_token(self.agent.get(&url)).call().with_context(|| format!("calling {url}"))?;
        text_of(answer).with_context(|| format!("reading document {id}"))
    }

    /// Calls an address below `/v1` and reads the JSON that it answers with, if it does.
    ///
    /// # Errors
    /// As [`Rest::create`].
    pub fn call(&self, method: Method, path: &str) -> anyhow::Result<serde_json::Value> {
        self.send(method, path, None)
    }

    /// The same with a body of JSON.
    ///
    /// # Errors
    /// As [`Rest::create`].
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> anyhow::Result<serde_json::Value> {
        let url = format!("{}/v1/{path}", self.base);
        let request = ureq::http::Request::builder().method(method).uri(&url);
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let calling = || format!("calling {url}");
        let answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string())?;
                self.agent.run(request).with_context(calling)?
            }
            None => self.agent.run(request.body(())?).with_context(calling)?,
        };
        let body = text_of(answer).with_context(|| format!("asking {}", self.base))?;
        if body.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        serde_json::from_str(&body).with_context(|| format!("reading what {url} has answered"))
    }

    fn presenting_token<Body>(&self, request: RequestBuilder<Body>) -> RequestBuilder<Body> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

/// Writes what somebody calls something so that it is one segment of a path, or one value of a query.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, &SEGMENT).to_string()
}

/// Returns the body of a good answer; a refusal becomes an error in the server's words.
fn text_of(answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<String> {
    let status = answer.status();
    let body = answer.into_body().into_with_config().limit(MAX_ANSWER).read_to_string()?;
    if status.is_success() {
        return Ok(body);
    }
    bail!("the server answered {status}{}", in_words(&body))
}

fn in_words(body: &str) -> String {
    let problem: Option<Problem> = serde_json::from_str(body).ok();
    match problem.and_then(|problem| problem.detail.or(problem.title)) {
        Some(words) => format!(": {words}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        assert_eq!(
            in_words(r#"{"type":"about:blank","title":"Not Found","detail":"no such document"}"#),
            ": no such document"
        );
        assert_eq!(in_words(r#"{"title":"Not Found"}"#), ": Not Found");
        assert_eq!(in_words("<html>"), "");
    }

    #[test]
    fn absent_fields_of_a_new_document_are_not_sent() {
        let empty = serde_json::to_string(&NewDocument::default()).unwrap();
        assert_eq!(empty, "{}");
    }
}

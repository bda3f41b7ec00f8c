//! REST calls to a server under test.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{HeaderMap, Request};

use super::harness::TestServer;

/// A caller of the REST interface, without a token: a guest.
#[derive(Clone)]
pub struct Rest {
    agent: ureq::Agent,
    base: String,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Method and path, for messages.
    call: String,
}

impl Rest {
    pub fn of(server: &TestServer) -> Self {
        Self::at(server.address())
    }

    /// A caller of the server at `HOST:PORT`.
    pub fn at(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[], Some(body.to_string()))
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &[], Some(body.to_string()))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, &[], Some(body.to_string()))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &[], None)
    }

    /// Any call, with headers in place of or beside the usual ones.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        self.try_call(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path} was not answered: {error}"))
    }

    /// As [`Rest::call`], while the server may be down.
    pub fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let is_named = headers.iter().any(|(name, _)| *name == "content-type");
        if body.is_some() && !is_named {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
            call: format!("{method} {path}"),
        })
    }

    /// Creates a document with this content and gives its id.
    pub fn create(&self, content: &Value) -> String {
        let made = self.post("/v1/docs", &json!({ "content": content })).expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Creates a document without content: it is at version 0.
    pub fn create_empty(&self) -> String {
        let made = self.post("/v1/docs", &json!({})).expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    /// The version and the content of a document.
    pub fn content(&self, doc: &str) -> (u64, Value) {
        let mut answer = self.get(&format!("/v1/docs/{doc}/content")).expect(200).json();
        (answer["version"].as_u64().expect("a version"), answer["content"].take())
    }

    /// The plain text of a document.
    pub fn text(&self, doc: &str) -> String {
        self.get(&format!("/v1/docs/{doc}/content?format=text")).expect(200).text()
    }

    /// The whole log of a document, page by page.
    pub fn ops(&self, doc: &str) -> Vec<Value> {
        let log = self.try_ops(doc);
        log.unwrap_or_else(|answer| panic!("{doc}: the log is answered with {}", answer.status))
    }

    /// The same, or the answer that is none.
    pub fn try_ops(&self, doc: &str) -> Result<Vec<Value>, Box<Answer>> {
        let mut all = Vec::new();
        loop {
            let answer = self.get(&format!("/v1/docs/{doc}/ops?from={}", all.len()));
            if answer.status != 200 {
                return Err(Box::new(answer));
            }
            let mut page = answer.json();
            let ops = page["ops"].as_array_mut().expect("a list");
            if ops.is_empty() {
                return Ok(all);
            }
            all.append(ops);
        }
    }
}

impl Answer {
    /// Fails the test unless the status is this.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}", self.call, String::from_utf8_lossy(&self.body));
        self
    }

    /// Fails the test unless this is a problem (RFC 9457) with the status and the code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.call);
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{}: {problem}", answer.call);
        assert_eq!(problem["status"], status, "{}: {problem}", answer.call);
        for field in ["title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {problem}");
        }
        answer
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} answered no JSON ({error}): {}", self.call, String::from_utf8_lossy(&self.body))
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// A header's value, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

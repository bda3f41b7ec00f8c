//! As much of a browser as a sign-in takes: it keeps cookies, follows redirects, and fills forms.

use std::time::Duration;

use ureq::http::Request;

use crate::harness::TestServer;

/// Where people reach the server under test, as it is told before it has a port.
pub const PUBLIC: &str = "http://127.0.0.1:9";

/// A browser that finds the server under test behind [`PUBLIC`].
pub struct Browser {
    agent: ureq::Agent,
    server: String,
    jar: Vec<Cookie>,
}

/// A cookie of a host and a path.
#[derive(Clone)]
pub struct Cookie {
    host: String,
    path: String,
    pair: (String, String),
}

/// What came of a request.
pub struct Page {
    pub status: u16,
    /// Of the request.
    pub address: String,
    /// The whole address that it sends the browser to, or nothing.
    pub location: String,
    pub set_cookies: Vec<String>,
    pub content_type: String,
    pub body: String,
}

impl Browser {
    pub fn of(server: &TestServer) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: config.into(), server: server.address().to_owned(), jar: Vec::new() }
    }

    /// Loads an address, or a path of the server, without following a redirect.
    pub fn get(&mut self, address: &str) -> Page {
        self.call("GET", address, None, &[("accept", "text/html")])
    }

    /// The same as a program would, which gets problems.
    pub fn ask(&mut self, address: &str) -> Page {
        self.call("GET", address, None, &[])
    }

    /// Sends a form, and follows.
    fn submit(&mut self, address: &str, form: &str) -> Page {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let page = self.call("POST", address, Some(form), &headers);
        self.follow(page)
    }

    /// Follows redirects, to the server under test and beyond no further than its callback.
    fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            if page.location.is_empty() || page.location.starts_with(PUBLIC) {
                return page;
            }
            page = self.get(&page.location.clone());
        }
        panic!("{} is the tenth redirect", page.address)
    }

    /// Goes to the provider by the server's own link, and signs in there as this person; what the provider sends it back to.
    pub fn sign_in_there(&mut self, link: &str, login: &str) -> String {
        let begun = self.get(link);
        assert_eq!(begun.status, 302, "{}", begun.body);
        let mut page = self.get(&begun.location);
        for _ in 0..4 {
            page = self.follow(page);
            if page.location.starts_with(PUBLIC) {
                return page.location;
            }
            let form = if page.body.contains("name=\"login\"") {
                format!("prompt=login&login={login}&password=x")
            } else {
                "prompt=consent".to_owned()
            };
            let action = page.body.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
            let action =
                action.unwrap_or_else(|| panic!("no form in {}: {}", page.address, page.body)).to_owned();
            page = self.submit(&action, &form);
        }
        panic!("the provider asks on and on: {}", page.body)
    }

    /// Goes to the provider, and turns back there.
    pub fn turn_back_there(&mut self, link: &str) -> String {
        let begun = self.get(link);
        let page = self.get(&begun.location);
        let page = self.follow(page);
        let page = self.get(&format!("{}/abort", page.address));
        self.follow(page).location
    }

    /// All that it has.
    pub fn cookies(&self) -> Vec<Cookie> {
        self.jar.clone()
    }

    /// Has what another had.
    pub fn take(&mut self, jar: Vec<Cookie>) {
        self.jar = jar;
    }

    /// Exchanges the refresh token at another server on the same data.
    pub fn refresh_at(&mut self, server: &TestServer) -> Page {
        server.address().clone_into(&mut self.server);
        self.refresh()
    }

    /// Exchanges the refresh token in the cookie, as a page of the server does.
    pub fn refresh(&mut self) -> Page {
        let origin = format!("http://{}", self.server);
        let headers = [("origin", &*origin), ("content-type", "application/json")];
        self.call("POST", &format!("{PUBLIC}/v1/auth/refresh"), Some("{}"), &headers)
    }

    fn call(&mut self, method: &str, address: &str, body: Option<&str>, headers: &[(&str, &str)]) -> Page {
        let address =
            if address.starts_with('/') { format!("{PUBLIC}{address}") } else { address.to_owned() };
        let (host, path) = split(&address);
        let reached = address.replacen(PUBLIC, &format!("http://{}", self.server), 1);
        let sent = self.jar.iter().filter(|cookie| cookie.host == host && path.starts_with(&cookie.path));
        let sent: Vec<_> = sent.map(|cookie| format!("{}={}", cookie.pair.0, cookie.pair.1)).collect();
        let mut request = Request::builder().method(method).uri(&reached);
        if !sent.is_empty() {
            request = request.header("cookie", sent.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).expect("a request")),
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {reached}: {error}"));
        let header = |name: &str| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (location, content_type) = (header("location"), header("content-type"));
        let set_cookies = answer.headers().get_all("set-cookie").iter();
        let set_cookies: Vec<_> =
            set_cookies.map(|value| value.to_str().expect("ASCII").to_owned()).collect();
        set_cookies.iter().for_each(|line| self.keep(&host, line));
        let origin = address.split('/').take(3).collect::<Vec<_>>().join("/");
        let location = if location.starts_with('/') { format!("{origin}{location}") } else { location };
        let body = answer.body_mut().read_to_string().expect("UTF-8");
        Page { status: answer.status().as_u16(), address, location, set_cookies, content_type, body }
    }

    fn keep(&mut self, host: &str, line: &str) {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a pair");
        let path = parts
            .clone()
            .find_map(|part| part.to_lowercase().strip_prefix("path=").map(|_| part[5..].to_owned()));
        let path = path.unwrap_or_else(|| "/".to_owned());
        self.jar.retain(|cookie| !(cookie.host == host && cookie.path == path && cookie.pair.0 == name));
        if !value.is_empty() {
            let pair = (name.to_owned(), value.to_owned());
            self.jar.push(Cookie { host: host.to_owned(), path, pair });
        }
    }
}

impl Page {
    /// Fails the test unless this is a problem with the status and the code.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}: {}", self.address, self.body);
        assert_eq!(self.content_type, "application/problem+json");
        assert_eq!(self.json()["code"], code, "{}", self.body);
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Host with port, and path.
fn split(address: &str) -> (String, String) {
    let rest = address.split_once("://").expect("an address").1;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    (host.to_owned(), format!("/{}", path.split('?').next().unwrap_or_default()))
}

/// The value of a parameter in an address.
pub fn parameter(address: &str, name: &str) -> String {
    let query = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("no {name} in {address}")).1.to_owned()
}

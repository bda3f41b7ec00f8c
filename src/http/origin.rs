//! Which pages may speak to this server: `Host` and `Origin` of every request, sockets included.
//!
//! `Host` stops DNS rebinding: a foreign page that has its own name resolve to this server (to loopback, above all)
//! still sends that name. `Origin` (RFC 6454) stops cross-site requests and cross-site WebSocket hijacking, since
//! browsers let any page open a socket anywhere and leave it to the server to look at the origin (RFC 6455 section
//! 10.2). Programs that are no browsers send no `Origin` and pass.

use std::net::IpAddr;
use std::str::FromStr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError, web};

use crate::actors::error::ErrorCode;
use crate::http::forward::FromPeer;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// Probes come by the address of a pod or of a container, and what these two tell is no secret.
pub const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Which hosts and origins are ours.
pub struct Origins {
    listen: IpAddr,
    hosts: Vec<HostName>,
    foreign: Vec<Origin>,
}

/// A setting that is not a host, or not an origin.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct InvalidSetting {
    text: String,
    wanted: &'static str,
}

/// A name or address in lower case, without brackets and trailing dot, and a port if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostName {
    name: String,
    port: Option<u16>,
}

impl FromStr for HostName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.contains('@') {
            return Err(());
        }
        let authority: Authority = text.parse().map_err(|_| ())?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let port = match &text[authority.host().len()..] {
            "" => None,
            rest => {
                let digits = rest.strip_prefix(':').filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
                Some(digits.and_then(|digits| digits.parse().ok()).ok_or(())?)
            }
        };
        if name.is_empty() { Err(()) } else { Ok(Self { name: name.to_ascii_lowercase(), port }) }
    }
}

impl HostName {
    fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }

    fn is_loopback(&self) -> bool {
        let named = self.name == "localhost" || self.name.ends_with(".localhost");
        named || self.address().is_some_and(|address| address.is_loopback())
    }
}

/// `scheme://host[:port]`, as browsers write it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: HostName,
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (scheme, rest) = text.split_once("://").ok_or(())?;
        let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if scheme.is_empty() || !is_scheme || rest.contains(['/', '?', '#']) {
            return Err(());
        }
        let mut origin = Self { scheme: scheme.to_ascii_lowercase(), host: rest.parse()? };
        // Browsers leave the default port out; here it is always in.
        origin.host.port = origin.host.port.or(origin.default_port());
        Ok(origin)
    }
}

impl Origin {
    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }

    /// Whether a page of this origin came from `host`. The scheme cannot be compared: TLS may end at a proxy.
    fn is_of(&self, host: &HostName) -> bool {
        let is_web = self.default_port().is_some();
        is_web && self.host.name == host.name && self.host.port == host.port.or(self.default_port())
    }
}

impl Origins {
    /// Takes the address that the server listens on, and what is allowed beyond it: hosts with or without port, and
    /// origins of pages that are served elsewhere.
    ///
    /// # Errors
    /// A host or an origin that is none.
    pub fn new(listen: IpAddr, hosts: &[String], origins: &[String]) -> Result<Self, InvalidSetting> {
        Ok(Self {
            listen,
            hosts: parse_all(hosts, "a host name with or without port")?,
            foreign: parse_all(origins, "an origin such as https://wiki.example")?,
        })
    }

    /// Checks the host of a request, and its origin. Returns the origin if it is a foreign one that is allowed.
    ///
    /// # Errors
    /// `forbidden` for a foreign one, `bad_request` without any `Host`.
    fn check<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Result<Option<&'a HeaderValue>, Problem> {
        let host = self.check_host(uri, headers)?;
        let mut origins = headers.get_all(header::ORIGIN);
        let Some(value) = origins.next() else { return Ok(None) };
        let foreign = || Problem::new(ErrorCode::Forbidden, "the page's Origin is foreign to this server");
        let origin: Origin = value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|_| origins.next().is_none())
            .ok_or_else(foreign)?;
        if origin.is_of(&host) {
            Ok(None)
        } else if self.foreign.contains(&origin) {
            Ok(Some(value))
        } else {
            Err(foreign())
        }
    }

    /// Tells whether a request comes from a page of this server: its `Origin` says so. For what a browser adds by itself (cookies),
    /// which a page of another origin must not make use of; a request without `Origin` is none of a page.
    pub fn is_own_page(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        headers.contains_key(header::ORIGIN) && matches!(self.check(uri, headers), Ok(None))
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<HostName, Problem> {
        let mut named = headers.get_all(header::HOST).map(|value| value.to_str().unwrap_or_default());
        // A target in absolute form overrides the header (RFC 9112 section 3.2.2).
        let text = match (uri.authority(), named.next(), named.next()) {
            (Some(authority), _, None) => authority.as_str(),
            (None, Some(host), None) => host,
            (_, None, _) => return Err(Problem::bad_request("the Host header is missing")),
            _ => return Err(Problem::bad_request("there is more than one Host")),
        };
        let foreign = || Problem::new(ErrorCode::Forbidden, "this server does not go by the name in Host");
        let host: HostName = text.parse().map_err(|()| foreign())?;
        if self.is_ours(&host) { Ok(host) } else { Err(foreign()) }
    }

    /// Loopback always is, so is the address listened on; a server that listens on all addresses is reached by any of
    /// them, which is safe, since a name is needed to rebind.
    fn is_ours(&self, host: &HostName) -> bool {
        let by_address =
            host.address().is_some_and(|address| self.listen.is_unspecified() || address == self.listen);
        let configured =
            |ours: &HostName| ours.name == host.name && (ours.port.is_none() || ours.port == host.port);
        host.is_loopback() || by_address || self.hosts.iter().any(configured)
    }
}

fn parse_all<T: FromStr>(texts: &[String], wanted: &'static str) -> Result<Vec<T>, InvalidSetting> {
    let given = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    given.map(|text| text.parse().map_err(|_| InvalidSetting { text: text.to_owned(), wanted })).collect()
}

/// Middleware: refuses foreign hosts and origins, and tells browsers what pages of allowed origins may do (CORS).
pub async fn guard<B: MessageBody + 'static>(
    state: web::Data<HttpState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // What another server has forwarded was checked there, and is answered there.
    if PROBES.contains(&request.path()) || request.extensions().contains::<FromPeer>() {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let allowed = match state.security.origins.check(request.uri(), request.headers()) {
        Ok(foreign) => foreign.cloned(),
        Err(problem) => return Ok(request.into_response(problem.error_response()).map_into_right_body()),
    };
    let Some(origin) = allowed else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let mut response = if is_preflight(&request) {
        request.into_response(preflight()).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

/// What a page may read of an answer beyond what CORS lets it read anyway.
const EXPOSED: &str = "ETag, Location, Retry-After, X-Request-Id";

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers what a browser asks before a request that is not simple. There are no cookies, hence no credentials.
fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Quire-Link, \
            X-Request-Id",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(listen: &str, hosts: &[&str], foreign: &[&str]) -> Origins {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Origins::new(listen.parse().unwrap(), &owned(hosts), &owned(foreign)).unwrap()
    }

    /// The status for a request to `host` from a page of `origin`; 0 if it passes, 1 if it passes as foreign.
    fn status(origins: &Origins, host: &str, origin: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        match origins.check(&Uri::from_static("/v1/docs"), &headers) {
            Ok(foreign) => u16::from(foreign.is_some()),
            Err(problem) => problem.status_code().as_u16(),
        }
    }

    #[test]
    fn loopback_goes_by_all_its_names_and_by_no_other() {
        let origins = origins("127.0.0.1", &[], &[]);
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:80",
            "a.localhost",
            "localhost.",
        ] {
            assert_eq!(status(&origins, host, None), 0, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "127.0.0.1.evil.example",
            "u@localhost",
            "",
            "a b",
            "localhost:x",
            "localhost:",
        ] {
            assert_eq!(status(&origins, host, None), 403, "{host}");
        }
    }

    #[test]
    fn other_hosts_are_configured_or_addresses_that_are_listened_on() {
        assert_eq!(status(&origins("10.0.0.1", &[], &[]), "10.0.0.1:80", None), 0);
        assert_eq!(status(&origins("10.0.0.1", &[], &[]), "10.0.0.2:80", None), 403);
        assert_eq!(status(&origins("0.0.0.0", &[], &[]), "10.0.0.2:80", None), 0);
        assert_eq!(status(&origins("0.0.0.0", &[], &[]), "evil.example", None), 403);
        let named = origins("0.0.0.0", &["Docs.example", "other.example:8443"], &[]);
        assert_eq!(status(&named, "docs.example:1", None), 0);
        assert_eq!(status(&named, "other.example:8443", None), 0);
        assert_eq!(status(&named, "other.example", None), 403);
    }

    #[test]
    fn an_origin_is_the_host_itself_or_configured() {
        let origins =
            origins("127.0.0.1", &["docs.example"], &["https://wiki.example", "http://localhost:5173"]);
        for (host, origin, expected) in [
            ("localhost:8080", "http://localhost:8080", 0),
            ("docs.example", "https://docs.example", 0),
            ("docs.example", "http://docs.example", 0),
            ("docs.example:443", "https://docs.example", 0),
            ("localhost:8080", "https://wiki.example", 1),
            ("localhost:8080", "https://WIKI.example:443", 1),
            ("localhost:8080", "http://localhost:5173", 1),
            ("localhost:8080", "http://wiki.example", 403),
            ("localhost:8080", "http://localhost:8081", 403),
            ("localhost:8080", "http://127.0.0.1:8080", 403),
            ("localhost:8080", "null", 403),
            ("localhost:8080", "", 403),
            ("localhost:8080", "http://localhost:8080/", 403),
            ("localhost:8080", "http://localhost:8080.evil.example", 403),
            ("localhost:8080", "chrome-extension://localhost:8080", 403),
        ] {
            assert_eq!(status(&origins, host, Some(origin)), expected, "{host} from {origin}");
        }
    }

    #[test]
    fn the_host_must_be_one_and_a_target_in_absolute_form_counts() {
        let origins = origins("127.0.0.1", &[], &[]);
        let code = |uri: &'static str, hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            origins
                .check(&Uri::from_static(uri), &headers)
                .err()
                .map(|problem| problem.status_code().as_u16())
        };
        assert_eq!(code("/", &[]), Some(400));
        assert_eq!(code("/", &["localhost", "localhost"]), Some(400));
        assert_eq!(code("http://evil.example/", &["localhost"]), Some(403));
        assert_eq!(code("http://localhost/", &["localhost"]), None);
    }

    #[test]
    fn settings_that_say_nothing_are_refused() {
        let listen = [127, 0, 0, 1].into();
        assert!(Origins::new(listen, &["http://a".into()], &[]).is_err());
        assert!(Origins::new(listen, &[], &["wiki.example".into()]).is_err());
        assert!(Origins::new(listen, &[" ".into()], &[String::new()]).is_ok());
    }
}

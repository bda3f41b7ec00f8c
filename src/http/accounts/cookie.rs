//! The cookie that a refresh token may be in: no script reads it, no foreign page has it sent, and only `/v1/auth` gets it.
//!
//! Beside it, and for `/v1/auth/oidc/{provider}` alone, there is one for the ten minutes that somebody is at a provider. The way
//! back begins at another site, so that one has to be sent then (`SameSite=Lax`), and proves nothing by itself.
//!
//! What a browser adds by itself is taken from pages of this server alone (RFC 6454), so that no other page can make use of it.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderMap};

use super::State;
use crate::auth::oidc::AWAY;
use crate::http::address::Client;
use crate::ids::Millis;

/// The name; browsers take the one with the prefix over TLS alone (RFC 6265bis section 4.1.3).
fn name(secure: bool) -> &'static str {
    if secure { "__Secure-quire_refresh" } else { "quire_refresh" }
}

/// Tells whether a browser is to send cookies back over TLS alone: it has come by that, to this server or to a gateway that says so, or
/// the server is known to be reached by it.
fn is_secure(state: &State, request: &HttpRequest) -> bool {
    state.security.secure_cookies || Client::of(request).secure
}

/// Returns the token in the cookie of a request that a page of this server makes.
pub fn of(state: &State, request: &HttpRequest) -> Option<String> {
    let own = state.security.origins.is_own_page(request.uri(), request.headers());
    let found = find(request.headers(), name(is_secure(state, request))).filter(|_| own)?;
    Some(found.to_owned())
}

/// Tells whether a browser has one, whatever it is good for.
pub fn is_there(state: &State, request: &HttpRequest) -> bool {
    find(request.headers(), name(is_secure(state, request))).is_some()
}

/// Finds a cookie (RFC 6265 section 4.2); of two with one name, neither.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    found.next().filter(|value| !value.is_empty() && found.next().is_none())
}

/// Returns the header that hands out a token, until it ends.
pub fn of_token(state: &State, request: &HttpRequest, token: &str, expires_at: Millis) -> String {
    let left = (expires_at - state.sessions.clock.now()).max(0) / 1_000;
    header(is_secure(state, request), token, left)
}

/// Returns the header that takes it back.
pub fn removal(state: &State, request: &HttpRequest) -> String {
    header(is_secure(state, request), "", 0)
}

/// The token has no letter that would have to be escaped.
fn header(secure: bool, token: &str, seconds: i64) -> String {
    let flag = if secure { "; Secure" } else { "" };
    let name = name(secure);
    format!("{name}={token}; Path=/v1/auth; Max-Age={seconds}; HttpOnly; SameSite=Strict{flag}")
}

/// Returns the ticket of somebody who comes back from a provider.
pub fn ticket(state: &State, request: &HttpRequest) -> Option<String> {
    find(request.headers(), ticket_name(is_secure(state, request))).map(str::to_owned)
}

/// Returns the header that hands out a ticket for a provider.
pub fn of_ticket(state: &State, request: &HttpRequest, provider: &str, ticket: &str) -> String {
    ticket_header(is_secure(state, request), provider, ticket, AWAY / 1_000)
}

/// Returns the header that takes it back.
pub fn ticket_removal(state: &State, request: &HttpRequest, provider: &str) -> String {
    ticket_header(is_secure(state, request), provider, "", 0)
}

fn ticket_name(secure: bool) -> &'static str {
    if secure { "__Secure-quire_oidc" } else { "quire_oidc" }
}

/// Neither a ticket nor the name of a provider has a letter that would have to be escaped.
fn ticket_header(secure: bool, provider: &str, ticket: &str, seconds: i64) -> String {
    let flag = if secure { "; Secure" } else { "" };
    let name = ticket_name(secure);
    format!("{name}={ticket}; Path=/v1/auth/oidc/{provider}; Max-Age={seconds}; HttpOnly; SameSite=Lax{flag}")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_name_and_only_if_it_is_one() {
        let found = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_static(line));
            }
            find(&headers, "quire_refresh").map(str::to_owned)
        };
        assert_eq!(found(&["a=b; quire_refresh=qr_x; c"]).as_deref(), Some("qr_x"));
        for none in
            [&["a=b"][..], &["quire_refresh="], &["quire_refresh=a; quire_refresh=b"], &["xquire_refresh=a"]]
        {
            assert_eq!(found(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_cookie_is_for_this_server_alone() {
        assert_eq!(
            header(true, "qr_x", 60),
            "__Secure-quire_refresh=qr_x; Path=/v1/auth; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!header(false, "", 0).contains("Secure"));
        assert_eq!(
            ticket_header(true, "google", "x", 600),
            "__Secure-quire_oidc=x; Path=/v1/auth/oidc/google; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
        );
    }
}

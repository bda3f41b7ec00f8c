//! Where a request comes from: by itself, or through gateways that are trusted to tell.
//!
//! Each gateway adds at the end of `X-Forwarded-For` whom it was called by. Only what a trusted gateway has added is believed:
//! the list is read from the right, and the first address that is no such gateway is the client. What stands left of it anybody
//! may have written. Where that header is missing, `Forwarded` (RFC 7239) is read in the same way; never both, since a gateway
//! that sets one of them passes the other on as its client has made it up.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError as _, web};
use ipnet::IpNet;

use crate::http::state::HttpState;
use crate::limits::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request comes from. An extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address of whoever has sent it, as far as trusted gateways tell.
    pub address: IpAddr,
    /// Whether it came to this server, or to the gateway before it, by TLS.
    pub secure: bool,
}

impl Client {
    /// Whom the address belongs to.
    pub fn network(&self) -> Network {
        self.address.into()
    }

    /// Of a request that has come through [`note`]; else of nobody in particular.
    pub fn of(request: &impl HttpMessage) -> Self {
        let nobody = Self { address: Ipv4Addr::UNSPECIFIED.into(), secure: false };
        request.extensions().get::<Self>().copied().unwrap_or(nobody)
    }
}

impl FromRequest for Client {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Gateways that are believed.
#[derive(Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// A gateway that is not among them has been told of.
    told: AtomicBool,
}

impl TrustedProxies {
    /// Trusts whoever is in one of these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().collect(), told: AtomicBool::new(false) }
    }

    /// Tells whether an address is a gateway's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Tells where a request comes from that `peer` has sent, by TLS or not.
    fn client(&self, peer: IpAddr, by_tls: bool, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            self.wonder(peer, headers);
            return Client { address: peer, secure: by_tls };
        }
        // The gateway knows whether its own client came by TLS; what does not say so did not.
        let secure =
            last(headers, &FORWARDED_PROTO).map_or(by_tls, |scheme| scheme.eq_ignore_ascii_case("https"));
        let mut address = peer;
        for hop in hops(headers).iter().rev() {
            // What cannot be read is where the trail ends.
            let Some(hop) = hop else { break };
            address = *hop;
            if !self.trusts(address) {
                break;
            }
        }
        Client { address, secure }
    }

    /// A gateway that nobody has named makes one client of all who come by it: said once.
    fn wonder(&self, peer: IpAddr, headers: &HeaderMap) {
        if headers.contains_key(FORWARDED_FOR) && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(%peer, "X-Forwarded-For is not believed: if this is your gateway, name it in --trusted-proxies");
        }
    }
}

/// The items of a list that may be spread over several headers, the last one of them.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).last().map(str::trim)
}

/// The addresses that gateways have written down, each after the one before it; `None` for one that is none.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let items = |name: HeaderName| {
        let values = headers.get_all(name).map(|value| value.to_str().unwrap_or_default());
        values.flat_map(|value| value.split(',')).map(str::trim).collect::<Vec<_>>()
    };
    let forwarded_for = items(FORWARDED_FOR);
    if !forwarded_for.is_empty() {
        return forwarded_for.into_iter().map(address).collect();
    }
    items(header::FORWARDED).into_iter().map(|element| address(forwarded_by(element)?)).collect()
}

/// Who an element of `Forwarded` says the request is for: `for=192.0.2.7;proto=https`.
fn forwarded_by(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    Some(node.trim_matches('"'))
}

/// Reads an address with or without port, an IPv6 one with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    Some(bare.parse::<IpAddr>().ok()?.to_canonical())
}

/// Middleware: finds out where a request comes from, for everything behind it. Over TLS, browsers are told to use nothing else
/// if that is wished (RFC 6797).
pub async fn note<B: MessageBody>(
    state: web::Data<HttpState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let by_tls = request.app_config().secure();
    let now = state.sessions.clock.now();
    let forwarded = state.forwarder.as_ref().map_or(Ok(None), |forwarder| forwarder.client_of(&request, now));
    let client = match forwarded {
        Ok(Some(client)) => client,
        Ok(None) => state.security.proxies.client(peer, by_tls, request.headers()),
        Err(forged) => return Ok(request.into_response(forged.error_response()).map_into_right_body()),
    };
    request.extensions_mut().insert(client);
    let mut response = next.call(request).await?.map_into_left_body();
    let hsts = state.security.hsts.as_ref().filter(|_| client.secure);
    if let Some(hsts) = hsts.and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> Client {
        let proxies =
            TrustedProxies::new(["10.0.0.0/8", "2001:db8:f::/48"].map(|text| text.parse().unwrap()));
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        proxies.client(peer.parse().unwrap(), false, &headers.iter().map(pair).collect())
    }

    fn address_of(peer: &str, headers: &[(&'static str, &str)]) -> String {
        client(peer, headers).address.to_string()
    }

    #[test]
    fn what_somebody_says_of_himself_is_not_believed() {
        let says = [
            ("x-forwarded-for", "203.0.113.1"),
            ("forwarded", "for=203.0.113.1"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(address_of("198.51.100.9", &says), "198.51.100.9");
        assert!(!client("198.51.100.9", &says).secure);
        assert_eq!(address_of("::ffff:198.51.100.9", &[]), "198.51.100.9");
    }

    #[test]
    fn a_list_is_read_from_the_right_as_far_as_gateways_have_written_it() {
        for (list, expected) in [
            ("198.51.100.9", "198.51.100.9"),
            ("203.0.113.1, 198.51.100.9", "198.51.100.9"),
            ("203.0.113.1,198.51.100.9, 10.1.1.1", "198.51.100.9"),
            ("10.9.9.9, 198.51.100.9, 10.1.1.1,2001:db8:f::2", "198.51.100.9"),
            ("198.51.100.9:4711", "198.51.100.9"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            // All of them are gateways: the first one is what is asked from.
            ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
            // What cannot be read ends the trail at the gateway that is known.
            ("198.51.100.9, unknown, 10.1.1.1", "10.1.1.1"),
            ("198.51.100.9, ", "10.0.0.5"),
            ("", "10.0.0.5"),
        ] {
            assert_eq!(address_of("10.0.0.5", &[("x-forwarded-for", list)]), expected, "{list:?}");
        }
        let lines = [("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "198.51.100.9")];
        assert_eq!(address_of("10.0.0.5", &lines), "198.51.100.9");
    }

    #[test]
    fn the_standard_header_is_read_where_the_other_is_missing() {
        for (header, expected) in [
            ("for=198.51.100.9", "198.51.100.9"),
            ("for=203.0.113.1, For=\"[2001:db8::7]:4711\";proto=https", "2001:db8::7"),
            ("by=10.0.0.1;for=198.51.100.9:80, for=10.1.1.1", "198.51.100.9"),
            ("for=_hidden", "10.0.0.5"),
        ] {
            assert_eq!(address_of("10.0.0.5", &[("forwarded", header)]), expected, "{header}");
        }
        let both = [("x-forwarded-for", "198.51.100.9"), ("forwarded", "for=203.0.113.1")];
        assert_eq!(address_of("10.0.0.5", &both), "198.51.100.9");
    }

    #[test]
    fn a_gateway_tells_whether_its_client_came_by_tls() {
        for (proto, expected) in
            [("https", true), ("http", false), ("http, https", true), ("https,http", false)]
        {
            assert_eq!(client("10.0.0.5", &[("x-forwarded-proto", proto)]).secure, expected, "{proto}");
        }
        assert!(!client("10.0.0.5", &[]).secure);
    }
}

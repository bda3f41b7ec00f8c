//! Whom this server may call because a user says so. Names are looked up, and what they stand for is checked, when a connection
//! is made: what is called is what was checked, whatever the name stands for later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// What addresses webhooks may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// `https://` to what is in the public internet.
    #[default]
    Public,
    /// Anything, this machine included, also `http://`.
    Any,
    /// The public internet by `https://`, and these networks also by `http://`.
    And(Vec<IpNet>),
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "public" => Ok(Self::Public),
            "any" => Ok(Self::Any),
            list => {
                let nets = list.split(',').map(|net| net.trim().parse::<IpNet>());
                let nets: Result<Vec<_>, _> = nets.collect();
                nets.map(Self::And)
                    .map_err(|_| "public, any, or networks such as 10.1.0.0/16,fd00:1::/64".to_owned())
            }
        }
    }
}

impl Targets {
    /// Tells whether such an address may be connected to.
    pub fn allow(&self, https: bool, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Any => true,
            Self::Public => https && is_public(address),
            Self::And(nets) => nets.iter().any(|net| net.contains(&address)) || https && is_public(address),
        }
    }

    /// Checks an address as far as that is possible without looking its name up.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, url: &str) -> Result<(), String> {
        let uri: Uri = url.parse().map_err(|_| "it is no address".to_owned())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if *self != Self::Public => false,
            Some("http") => return Err("it has to begin with https://".to_owned()),
            _ => return Err("it has to begin with https:// or http://".to_owned()),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') || url.contains('#') || url.contains(char::is_whitespace) {
            return Err("it may have no user, no fragment and no spaces".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("it has no host".to_owned());
        }
        match host.parse::<IpAddr>() {
            Ok(address) if !self.allow(https, address) => Err(NOT_ALLOWED.to_owned()),
            _ => Ok(()),
        }
    }
}

/// What is said of an address that is refused: no more than that.
pub(super) const NOT_ALLOWED: &str = "this server may not call that address";

/// Looks names up, and leaves out what may not be called.
#[derive(Debug)]
pub(super) struct Guard {
    pub targets: Targets,
    pub inner: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let https = uri.scheme_str() == Some("https");
        let mut allowed = self.empty();
        for address in found.iter().filter(|address| self.targets.allow(https, address.ip())) {
            allowed.push(*address);
        }
        if allowed.is_empty() {
            let refused = std::io::Error::new(std::io::ErrorKind::PermissionDenied, NOT_ALLOWED);
            return Err(ureq::Error::Io(refused));
        }
        Ok(allowed)
    }
}

/// Tells whether an address is one of the public internet (IANA's special-purpose registries; what is not known to be public is not).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // "This network", and carriers' own.
        || a == 0
        || a == 100 && (64..128).contains(&b)
        // Protocol assignments, 6to4 relays, AS112, and what networks are measured with.
        || a == 192 && b == 0 && c == 0
        || a == 192 && b == 88 && c == 99
        || a == 192 && b == 31 && c == 196
        || a == 192 && b == 52 && c == 193
        || a == 192 && b == 175 && c == 48
        || a == 198 && (18..20).contains(&b)
        // Multicast, and everything above.
        || a >= 224;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3 so far. In it, 2001::/23 is for protocols (Teredo among them), 2002::/16 is 6to4, which stands for
    // an address of IPv4, and 2001:db8::/32 and 3fff::/20 are for documents.
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x200)
        && !(a == 0x2001 && b == 0xdb8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_public_is_called_unless_it_is_allowed() {
        let public = ["93.184.216.34", "1.1.1.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"];
        let private = [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ];
        for address in public {
            let address: IpAddr = address.parse().unwrap();
            assert!(Targets::Public.allow(true, address), "{address}");
            assert!(!Targets::Public.allow(false, address), "in the clear: {address}");
        }
        let list: Targets = "10.0.0.0/8, fd00:ec2::/32".parse().unwrap();
        for text in private {
            let address: IpAddr = text.parse().unwrap();
            assert!(!Targets::Public.allow(true, address), "{address}");
            assert!(Targets::Any.allow(false, address));
            let listed = ["10.0.0.1", "fd00:ec2::254"].contains(&text);
            assert_eq!(
                (list.allow(true, address), list.allow(false, address)),
                (listed, listed),
                "{address}"
            );
        }
    }

    #[test]
    fn an_address_is_looked_at_before_it_is_kept() {
        for bad in [
            "",
            "hooks",
            "ftp://example.org/",
            "http://example.org/",
            "https://",
            "https://user:password@example.org/",
            "https://example.org/#x",
            "https://127.0.0.1/",
            "https://[::1]:8443/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data/",
        ] {
            assert!(Targets::Public.check(bad).is_err(), "{bad}");
        }
        for good in ["https://example.org", "https://example.org:8443/hooks?a=b", "https://1.1.1.1/"] {
            assert_eq!(Targets::Public.check(good), Ok(()), "{good}");
        }
        assert_eq!(Targets::Any.check("http://127.0.0.1:9/"), Ok(()));
        let list: Targets = "10.0.0.0/8".parse().unwrap();
        assert_eq!(list.check("http://10.1.2.3/"), Ok(()));
        assert!(list.check("http://192.168.0.1/").is_err());
        assert!("10.0.0.0/8,x".parse::<Targets>().is_err());
    }

    #[test]
    fn a_name_that_stands_for_this_machine_is_not_called() {
        let guard = |targets| Guard { targets, inner: DefaultResolver::default() };
        let timeout = || NextTimeout {
            after: ureq::unversioned::transport::time::Duration::NotHappening,
            reason: ureq::Timeout::Global,
            ..NextTimeout::default()
        };
        let uri: Uri = "https://localhost:9/".parse().unwrap();
        let refused = guard(Targets::Public).resolve(&uri, &Config::default(), timeout()).unwrap_err();
        assert!(refused.to_string().contains(NOT_ALLOWED), "{refused}");
        assert!(guard(Targets::Any).resolve(&uri, &Config::default(), timeout()).is_ok());
        // The forms in which libraries read addresses of IPv4.
        for host in ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"] {
            let uri: Uri = format!("https://{host}:9/").parse().unwrap();
            assert!(guard(Targets::Public).resolve(&uri, &Config::default(), timeout()).is_err(), "{host}");
        }
    }
}

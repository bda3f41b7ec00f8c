//! Reads where Redis is.

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use super::error::RedisAddressError;

/// Reads an address, `redis://…`, or `rediss://…` for TLS.
///
/// # Errors
/// In words that do not repeat it: it is none, or asks for TLS that trusts everybody.
pub fn parse(url: &str) -> Result<ConnectionInfo, RedisAddressError> {
    let wanted = || RedisAddressError::new("redis://HOST:PORT/ or rediss://HOST:PORT/ is wanted");
    let info = url.into_connection_info().map_err(|_| wanted())?;
    match info.addr() {
        ConnectionAddr::Tcp(..) | ConnectionAddr::TcpTls { insecure: false, .. } => Ok(info),
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err(RedisAddressError::new("#insecure would trust everybody: name the authority"))
        }
        _ => Err(wanted()),
    }
}

/// Tells whether what is sent there is encrypted.
pub fn uses_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_encrypted_addresses_are_told_apart() {
        assert!(parse("redis://user:word@127.0.0.1:7/2").is_ok_and(|info| !uses_tls(&info)));
        assert!(parse("rediss://user:word@127.0.0.1:7/2").is_ok_and(|info| uses_tls(&info)));
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        let none = [
            "",
            "redis://",
            "http://u:hunter2@h/",
            "unix:///run/hunter2",
            "rediss://u:hunter2@h/#insecure",
            "rediss://u:hunter2@h/#hunter2",
        ];
        for url in none {
            let refused = parse(url).expect_err("it is none").to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}

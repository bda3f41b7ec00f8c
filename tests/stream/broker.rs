//! A Kafka broker.

use crate::certificates::Signed;
use crate::services::Service;

/// The broker that all tests may use that do not kill it, each with a topic of its own.
pub fn shared() -> String {
    std::env::var("QUIRE_TEST_KAFKA").expect(
        "QUIRE_TEST_KAFKA names a broker: run `scripts/services/kafka with cargo test --features kafka`",
    )
}

/// A broker of the test's own, since it is going to be killed.
pub fn own() -> Service {
    Service::start("kafka")
}

/// One with an address besides that wants TLS and a login.
pub fn secure(signed: &Signed, user: &str, password: &str) -> Service {
    let variables = [
        ("QUIRE_KAFKA_SECURE", "1".as_ref()),
        ("QUIRE_KAFKA_CERT", signed.cert.as_ref()),
        ("QUIRE_KAFKA_KEY", signed.key.as_ref()),
        ("QUIRE_KAFKA_USER", user.as_ref()),
        ("QUIRE_KAFKA_PASSWORD", password.as_ref()),
    ];
    Service::start_with("kafka", &variables)
}

//! How Kafka is to be used.

use std::fmt;
use std::path::PathBuf;

#[cfg(feature = "kafka")]
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

/// Which brokers, which topic.
#[derive(Clone, Debug, Default)]
pub struct KafkaOptions {
    /// `HOST:PORT`, separated by commas: some of the cluster's brokers, which name the others.
    pub brokers: String,
    pub topic: String,
    /// `None` where what is sent can be read on its way.
    pub tls: Option<KafkaTls>,
    /// `None` where brokers do not ask who it is.
    pub login: Option<KafkaLogin>,
}

/// TLS to the brokers, whose certificates have to be good for the names that they are reached under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KafkaTls {
    /// File (PEM) of the authorities that may have signed them; those of the system if there is none.
    pub authority: Option<PathBuf>,
}

/// Who asks, and the password that proves it, which is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaLogin {
    pub mechanism: KafkaMechanism,
    pub user: String,
    pub password: String,
}

/// How SASL proves that somebody knows a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaMechanism {
    /// By telling it.
    Plain,
    /// RFC 5802 with SHA-256: without telling it, and so for networks without TLS as well.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

impl fmt::Debug for KafkaLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("KafkaLogin");
        shown.field("mechanism", &self.mechanism).field("user", &self.user).finish_non_exhaustive()
    }
}

impl KafkaMechanism {
    /// Returns its name in SASL's registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[cfg(feature = "kafka")]
impl KafkaOptions {
    /// Returns what librdkafka has to know of any client, whether it produces or consumes.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "quire")
            .set("security.protocol", self.protocol())
            .set("reconnect.backoff.ms", "100")
            // A broker that is back is found soon, also after a long outage.
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.keepalive.enable", "true")
            .set("log.thread.name", "false")
            // Some of what a connection can fail of is no more than information to librdkafka.
            .set_log_level(RDKafkaLogLevel::Info);
        if let Some(tls) = &self.tls {
            config.set("enable.ssl.certificate.verification", "true");
            config.set("ssl.endpoint.identification.algorithm", "https");
            if let Some(authority) = &tls.authority {
                config.set("ssl.ca.location", authority.to_string_lossy());
            }
        }
        if let Some(login) = &self.login {
            config
                .set("sasl.mechanism", login.mechanism.name())
                .set("sasl.username", &login.user)
                .set("sasl.password", &login.password);
        }
        config
    }

    fn protocol(&self) -> &'static str {
        match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> KafkaLogin {
        KafkaLogin {
            mechanism: KafkaMechanism::ScramSha512,
            user: "quire".to_owned(),
            password: "hunter2".to_owned(),
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let shown = format!("{:?}", login());
        assert!(shown.contains("quire") && !shown.contains("hunter2"), "{shown}");
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn librdkafka_is_told_of_tls_and_of_the_login() {
        let options =
            KafkaOptions { brokers: "h:9093".to_owned(), topic: "t".to_owned(), tls: None, login: None };
        let plain = options.client_config();
        assert_eq!(plain.get("security.protocol"), Some("plaintext"));
        assert_eq!((plain.get("sasl.mechanism"), plain.get("ssl.ca.location")), (None, None));
        let tls = Some(KafkaTls { authority: Some("/etc/ca.pem".into()) });
        let secure =
            KafkaOptions { tls: tls.clone(), login: Some(login()), ..options.clone() }.client_config();
        let wanted = [
            ("bootstrap.servers", "h:9093"),
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.location", "/etc/ca.pem"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "quire"),
            ("sasl.password", "hunter2"),
        ];
        for (name, value) in wanted {
            assert_eq!(secure.get(name), Some(value), "{name}");
        }
        let of_the_system =
            KafkaOptions { tls: Some(KafkaTls::default()), ..options.clone() }.client_config();
        assert_eq!(of_the_system.get("security.protocol"), Some("ssl"));
        assert_eq!(of_the_system.get("ssl.ca.location"), None);
        let trusted_network = KafkaOptions { login: Some(login()), ..options }.client_config();
        assert_eq!(trusted_network.get("security.protocol"), Some("sasl_plaintext"));
    }
}

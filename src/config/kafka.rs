//! Settings of Kafka.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Secret;
use super::tls::{named, path};
use crate::actors::publisher::WindowLimits;
use crate::storage::bus::{self, BusError, KafkaLogin, KafkaMechanism, KafkaOptions, KafkaTls, SharedBus};
use crate::tls::{TlsError, read_authorities};

/// The topic of whoever names none.
const TOPIC: &str = "document-edits";

/// The stream of committed operations, for others to follow.
#[derive(Args, Clone, Debug, Default)]
pub struct KafkaSettings {
    /// Kafka brokers to publish every operation to (comma separated); editors do not wait for them.
    #[arg(long, env = "QUIRE_KAFKA_BROKERS", value_name = "HOST:PORT,…")]
    pub kafka_brokers: Option<String>,

    /// Topic to publish to, made with 256 partitions if there is none.
    #[arg(long, env = "QUIRE_KAFKA_TOPIC", default_value = TOPIC, value_name = "NAME", value_parser = topic)]
    pub kafka_topic: String,

    /// How brokers are reached: encrypted (tls), with a user and a password (sasl), or both.
    #[arg(
        long,
        env = "QUIRE_KAFKA_SECURITY",
        default_value = "plaintext",
        value_name = "plaintext|tls|sasl-plaintext|sasl-tls"
    )]
    pub kafka_security: KafkaSecurity,

    /// Authority (PEM) that has signed the brokers' certificates; without one those of the system are trusted.
    #[arg(long, env = "QUIRE_KAFKA_CA", value_name = "FILE", value_parser = path())]
    pub kafka_ca: Option<PathBuf>,

    /// How the password is proved; `plain` tells it to the broker.
    #[arg(long, env = "QUIRE_KAFKA_MECHANISM", value_name = "plain|scram-sha-256|scram-sha-512")]
    pub kafka_mechanism: Option<Mechanism>,

    /// User of Kafka.
    #[arg(long, env = "QUIRE_KAFKA_USER", value_name = "NAME")]
    pub kafka_user: Option<String>,

    /// Password of that user.
    #[arg(long, env = "QUIRE_KAFKA_PASSWORD", hide_env_values = true, value_name = "TEXT")]
    pub kafka_password: Option<Secret>,

    /// How many operations may wait in memory for Kafka. Tests set it low, so that outages are long.
    #[arg(long, env = "QUIRE_KAFKA_WINDOW", value_name = "N", hide = true)]
    pub kafka_window: Option<usize>,
}

/// What is between the server and Kafka's brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KafkaSecurity {
    #[default]
    Plaintext,
    Tls,
    SaslPlaintext,
    SaslTls,
}

/// [`KafkaMechanism`], as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mechanism {
    /// A variable that is set to nothing.
    #[value(name = "", hide = true)]
    Unset,
    Plain,
    #[value(name = "scram-sha-256")]
    ScramSha256,
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

/// Why Kafka cannot be used as it is told.
#[derive(Debug, thiserror::Error)]
pub enum KafkaSettingsError {
    #[error("--kafka-ca")]
    Authority(#[source] TlsError),
    #[error("{given} is given, and --kafka-security does not name {wanted}")]
    Unused { given: &'static str, wanted: &'static str },
    #[error("--kafka-security names SASL, and {0} is missing")]
    Missing(&'static str),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl KafkaSettings {
    /// Returns the stream to publish to; `None` when there is none.
    ///
    /// # Errors
    /// As [`Self::options`], or this quire was built without Kafka.
    pub fn bus(&self) -> Result<Option<SharedBus>, KafkaSettingsError> {
        Ok(self.options()?.map(bus::kafka).transpose()?)
    }

    /// Returns how Kafka is to be used; `None` when it is not.
    ///
    /// # Errors
    /// Settings do not fit together, or the authority cannot be read.
    pub fn options(&self) -> Result<Option<KafkaOptions>, KafkaSettingsError> {
        let Some(brokers) = given(self.kafka_brokers.as_deref()) else { return Ok(None) };
        let (topic, tls, login) = (self.kafka_topic.clone(), self.tls()?, self.login()?);
        Ok(Some(KafkaOptions { brokers, topic, tls, login }))
    }

    fn tls(&self) -> Result<Option<KafkaTls>, KafkaSettingsError> {
        let authority = named(self.kafka_ca.as_ref());
        if !matches!(self.kafka_security, KafkaSecurity::Tls | KafkaSecurity::SaslTls) {
            return match authority {
                Some(_) => Err(KafkaSettingsError::Unused { given: "--kafka-ca", wanted: "TLS" }),
                None => Ok(None),
            };
        }
        // librdkafka reads it when a client is made: for that, nobody waits any more.
        authority.map(read_authorities).transpose().map_err(KafkaSettingsError::Authority)?;
        Ok(Some(KafkaTls { authority: authority.map(Into::into) }))
    }

    fn login(&self) -> Result<Option<KafkaLogin>, KafkaSettingsError> {
        let mechanism = self.kafka_mechanism.and_then(Mechanism::named);
        let user = given(self.kafka_user.as_deref());
        let password = given(self.kafka_password.as_ref().map(Secret::expose));
        if !matches!(self.kafka_security, KafkaSecurity::SaslPlaintext | KafkaSecurity::SaslTls) {
            let parts = [
                (mechanism.is_some(), "--kafka-mechanism"),
                (user.is_some(), "--kafka-user"),
                (password.is_some(), "--kafka-password"),
            ];
            return match parts.into_iter().find(|(is_given, _)| *is_given) {
                Some((_, given)) => Err(KafkaSettingsError::Unused { given, wanted: "SASL" }),
                None => Ok(None),
            };
        }
        let missing = KafkaSettingsError::Missing;
        Ok(Some(KafkaLogin {
            mechanism: mechanism.ok_or(missing("--kafka-mechanism"))?,
            user: user.ok_or(missing("--kafka-user"))?,
            password: password.ok_or(missing("--kafka-password"))?,
        }))
    }

    /// Returns how much may wait in memory for the stream.
    pub fn window(&self) -> WindowLimits {
        let usual = WindowLimits::default();
        WindowLimits { ops: self.kafka_window.unwrap_or(usual.ops), ..usual }
    }
}

impl Mechanism {
    fn named(self) -> Option<KafkaMechanism> {
        match self {
            Self::Unset => None,
            Self::Plain => Some(KafkaMechanism::Plain),
            Self::ScramSha256 => Some(KafkaMechanism::ScramSha256),
            Self::ScramSha512 => Some(KafkaMechanism::ScramSha512),
        }
    }
}

/// A variable that is set to nothing is not set.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Kafka's own rule for names. Set to nothing it is not set.
fn topic(text: &str) -> Result<String, String> {
    let text = if text.is_empty() { TOPIC } else { text };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=249).contains(&text.len()) && text.bytes().all(is_name) && ![".", ".."].contains(&text);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "1 to 249 letters, digits, dots, - and _ are wanted".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(security: KafkaSecurity) -> KafkaSettings {
        KafkaSettings {
            kafka_brokers: Some("h:9093".to_owned()),
            kafka_security: security,
            ..KafkaSettings::default()
        }
    }

    fn with_login(security: KafkaSecurity) -> KafkaSettings {
        KafkaSettings {
            kafka_mechanism: Some(Mechanism::ScramSha256),
            kafka_user: Some("quire".to_owned()),
            kafka_password: Some("hunter2".to_owned().into()),
            ..settings(security)
        }
    }

    fn options(settings: &KafkaSettings) -> KafkaOptions {
        settings.options().expect("they fit together").expect("brokers are named")
    }

    fn refusal(settings: &KafkaSettings) -> String {
        let error = settings.options().expect_err("they do not fit together");
        format!("{:#}", anyhow::Error::from(error))
    }

    #[test]
    fn security_says_whether_there_is_tls_and_a_login() {
        let plain = options(&settings(KafkaSecurity::Plaintext));
        assert_eq!((plain.tls, plain.login), (None, None));
        let encrypted = options(&settings(KafkaSecurity::Tls));
        assert_eq!((encrypted.tls, encrypted.login), (Some(KafkaTls::default()), None));
        let both = options(&with_login(KafkaSecurity::SaslTls));
        let login = both.login.expect("a login");
        assert_eq!(
            (login.mechanism.name(), &*login.user, &*login.password),
            ("SCRAM-SHA-256", "quire", "hunter2")
        );
        assert_eq!(both.tls, Some(KafkaTls::default()));
        assert_eq!(options(&with_login(KafkaSecurity::SaslPlaintext)).tls, None);
        assert!(
            KafkaSettings { kafka_brokers: None, ..both_wrong() }
                .options()
                .is_ok_and(|options| options.is_none())
        );
    }

    fn both_wrong() -> KafkaSettings {
        KafkaSettings { kafka_ca: Some("/nowhere.pem".into()), ..with_login(KafkaSecurity::Plaintext) }
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        assert_eq!(refusal(&both_wrong()), "--kafka-ca is given, and --kafka-security does not name TLS");
        let gone = refusal(&KafkaSettings { kafka_security: KafkaSecurity::Tls, ..both_wrong() });
        assert!(gone.starts_with("--kafka-ca: /nowhere.pem cannot be read: "), "{gone}");
        let unused = refusal(&with_login(KafkaSecurity::Tls));
        assert_eq!(unused, "--kafka-mechanism is given, and --kafka-security does not name SASL");
        let whole = with_login(KafkaSecurity::SaslTls);
        let lacking = [
            (KafkaSettings { kafka_mechanism: Some(Mechanism::Unset), ..whole.clone() }, "--kafka-mechanism"),
            (KafkaSettings { kafka_user: Some(String::new()), ..whole.clone() }, "--kafka-user"),
            (KafkaSettings { kafka_password: None, ..whole }, "--kafka-password"),
        ];
        for (settings, name) in lacking {
            assert_eq!(refusal(&settings), format!("--kafka-security names SASL, and {name} is missing"));
        }
    }
}

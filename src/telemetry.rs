//! Tracing: the subscriber and where it writes. The sink is a parameter, so that tests stay quiet.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};

/// Installs the subscriber, once per process.
pub fn init<W>(sink: W, settings: &LogSettings)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter: Targets = settings.log.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    // Colours are for eyes: in a file or a pipe they are noise.
    let colors =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let builder = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(colors).with_writer(sink);
    // A second call in one process (tests) keeps the first subscriber.
    let _ = if settings.log_format == LogFormat::Json {
        builder.json().finish().with(filter).try_init()
    } else {
        builder.finish().with(filter).try_init()
    };
}

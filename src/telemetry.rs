//! Tracing: the subscriber and where it writes. The sink is a parameter, so that tests stay quiet.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogFormat, LogSettings};

/// Installs the subscriber, once per process.
pub fn init<W>(sink: W, settings: &LogSettings)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::new(&settings.log);
    // Colours are for eyes: in a file or a pipe they are noise.
    let colors =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colors).with_writer(sink);
    // A second call in one process (tests) keeps the first subscriber.
    let _ =
        if settings.log_format == LogFormat::Json { builder.json().try_init() } else { builder.try_init() };
}

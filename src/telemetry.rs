//! Tracing: the subscriber and where it writes. The sink is a parameter, so that tests stay quiet.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Installs the subscriber, once per process. `QUIRE_LOG` chooses what is told (default `info`), `QUIRE_LOG_FORMAT=json`
/// how.
pub fn init<W>(sink: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_env("QUIRE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for eyes: in a file or a pipe they are noise.
    let colors =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colors).with_writer(sink);
    let json = std::env::var("QUIRE_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A second call in one process (tests) keeps the first subscriber.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}

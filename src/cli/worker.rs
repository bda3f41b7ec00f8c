//! `quire worker`: keeps projections up with the stream.

use clap::Args;

use crate::config::WorkerOptions;

/// What `quire worker` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire worker --kafka-brokers 127.0.0.1:9092
  quire worker --config /etc/quire.toml       the file of the servers will do

Reads the topic into which servers publish, as a member of the group quire-projections, and keeps content, words and activity of
documents in their PostgreSQL database, and the current content in their Redis if one is named. Any number of workers share the
work. Each may be ended and begun at any time: what is stored says where to go on.

Prints `listening on http://HOST:PORT`, alone on a line of standard output, when it has begun; the log goes to standard error.
SIGTERM and SIGINT stop it in good order.

Exit code: 0 after it was stopped; 1 if it could not start, with the reason.")]
pub struct WorkerCommand {
    #[command(flatten)]
    options: WorkerOptions,
}

/// Works until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start, with the reason.
#[cfg(feature = "kafka")]
pub fn run(command: WorkerCommand) -> anyhow::Result<()> {
    use std::io::Write as _;

    use anyhow::Context as _;

    let options = command.options;
    crate::telemetry::init(std::io::stderr, &options.log);
    actix_rt::System::new().block_on(async {
        let stop = crate::app::termination().context("cannot listen for signals")?;
        let listening = |address| {
            // For scripts that wait for it; whether anybody reads it is their affair.
            let _ = writeln!(std::io::stdout(), "listening on http://{address}");
        };
        crate::worker::run(options, listening, stop).await
    })
}

/// There is no stream to read.
///
/// # Errors
/// Always.
#[cfg(not(feature = "kafka"))]
pub fn run(command: WorkerCommand) -> anyhow::Result<()> {
    use crate::storage::bus;

    bus::kafka(command.options.kafka.options()?.unwrap_or_default()).map(|_| ()).map_err(Into::into)
}

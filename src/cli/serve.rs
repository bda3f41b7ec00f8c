//! `quire serve`: the server itself.

use std::io::Write as _;

use anyhow::Context as _;

use crate::app::{self, Application};
use crate::config::ServeOptions;
use crate::platform;
use crate::telemetry;
use crate::traces;

/// What `quire serve --help` ends with.
pub const EXAMPLES: &str = "\
Examples:
  quire serve                                       http://127.0.0.1:8080, documents in ./data
  quire serve --listen 127.0.0.1:0 --data /tmp/try  a free port, told on standard output
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire serve
  quire serve --config /etc/quire.toml               what is in a file; flags and variables are above it
  quire serve --kafka-brokers 127.0.0.1:9092        every operation goes into the topic document-edits
  QUIRE_JWT_SECRET=… quire serve --listen 0.0.0.0:8080 --allowed-hosts wiki.example --guests off

Prints `listening on http://HOST:PORT` (https:// with --tls-cert), alone on a line of standard output, once it is ready; the log goes to standard
error (QUIRE_LOG, QUIRE_LOG_FORMAT=json). SIGTERM and SIGINT stop it in good order;
SIGHUP has it read its certificate again. Every secret may be in a file of its own: QUIRE_JWT_SECRET_FILE=PATH and so on.

Exit code: 0 after it was stopped; 1 if it could not start or stop, with the reason; 2 for options that it does not know.";

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start, with the reason, or an actor could not be stopped in order.
pub fn run(options: ServeOptions) -> anyhow::Result<()> {
    telemetry::init(std::io::stderr, &options.log);
    traces::begin(&options.traces)?;
    platform::allow_huge_pages(options.huge_pages.is_on());
    platform::hand_on_without_preempting();
    let served = actix_rt::System::new().block_on(async {
        let application = Application::build(options).await?;
        // Before the address is told: whoever reads it may stop the server at once.
        let stop = app::termination().context("cannot listen for signals")?;
        // The one line on standard output, for scripts that wait for it; whether anybody reads it is their affair.
        let _ = writeln!(std::io::stdout(), "listening on {}", application.url());
        application.run_until(stop).await
    });
    traces::finish();
    served
}

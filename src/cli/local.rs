//! A server of one's own, in this process: for commands that need one for a moment.

use std::path::Path;

use anyhow::Context as _;
use clap::Parser;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::Application;
use crate::config::ServeOptions;

/// A server on a free port of loopback that ends with its owner.
pub struct LocalServer {
    url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// Options by way of the parser, so that everything not named has the default that it has for `quire serve`.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: ServeOptions,
}

impl LocalServer {
    /// Starts a server on a data folder, without rate limits. To be called within an actix system.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub async fn start(data: &Path) -> anyhow::Result<Self> {
        let data = data.to_str().context("the name of the data folder is not UTF-8")?;
        // What the environment says of a database or a certificate is meant for another server.
        let own = [
            "quire",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data,
            "--database-url",
            "",
            "--node-url",
            "",
            "--node-ca",
            "",
            "--object-store-url",
            "",
        ];
        let flags = own.into_iter().chain([
            "--guests",
            "on",
            "--rate-limits",
            "off",
            "--tls-cert",
            "",
            "--tls-key",
            "",
            "--jwks-url",
            "",
            "--jwks-file",
            "",
            "--mail",
            "log",
        ]);
        let application = Application::build(Line::try_parse_from(flags)?.options).await?;
        let url = format!("http://{}", application.address());
        let (stop, stopped) = oneshot::channel();
        let serving = actix_rt::spawn(application.run_until(async {
            // An owner that is gone without a word wants the server gone too.
            let _ = stopped.await;
        }));
        Ok(Self { url, stop, serving })
    }

    /// Returns its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// It failed while it ran, or could not stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        // A server that has failed does not listen any more; its reason comes with the join.
        let _ = self.stop.send(());
        self.serving.await.context("the server's task ended")?
    }
}

//! Settings of what the server tells, and of traces.

use clap::{Args, Parser, ValueEnum};
use tracing_subscriber::filter::Targets;

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// What is logged: a level, or levels by module such as quire=debug,warn.
    #[arg(long, env = "QUIRE_LOG", default_value = "info", value_name = "FILTER", value_parser = filter)]
    pub log: String,

    /// How it is logged: for people, or a JSON object a line.
    #[arg(long, env = "QUIRE_LOG_FORMAT", default_value = "text", value_name = "text|json")]
    pub log_format: LogFormat,
}

impl LogSettings {
    /// What variables alone say, for commands without these flags. What makes no sense there is as if it were not said.
    pub fn of_variables() -> Self {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            log: LogSettings,
        }
        let usual = Self { log: "info".to_owned(), log_format: LogFormat::Text };
        Line::try_parse_from(["quire"]).map_or(usual, |line| line.log)
    }
}

/// How a line of the log reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

fn filter(text: &str) -> Result<String, String> {
    text.parse::<Targets>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

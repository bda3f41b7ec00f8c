//! Settings of projections.

use clap::{Args, ValueEnum};

/// Who makes of the log what others ask about documents.
#[derive(Args, Clone, Debug)]
pub struct ProjectionSettings {
    /// Whether this server itself keeps content, words and activity of documents up with the log; auto is on without Kafka, and
    /// with it leaves them to quire worker.
    #[arg(long, env = "QUIRE_PROJECTIONS", default_value = "auto", value_name = "auto|on|off")]
    pub projections: ProjectionsHere,
}

/// See [`ProjectionSettings::projections`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProjectionsHere {
    Auto,
    On,
    Off,
}

impl ProjectionSettings {
    /// Tells whether the server makes them that publishes to a stream, or does not.
    pub fn are_made_here(&self, streams: bool) -> bool {
        match self.projections {
            ProjectionsHere::Auto => !streams,
            ProjectionsHere::On => true,
            ProjectionsHere::Off => false,
        }
    }
}

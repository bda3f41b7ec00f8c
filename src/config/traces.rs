//! Settings of traces.

use clap::Args;

/// Whether edits are traced, and where to.
#[derive(Args, Clone, Debug)]
pub struct TraceSettings {
    /// Collector of OpenTelemetry (OTLP over HTTP) to send traces of edits to, such as http://127.0.0.1:4318.
    #[arg(long, env = "QUIRE_TRACE_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub trace_endpoint: Option<String>,

    /// Share of edits that is traced, from 0 to 1.
    #[arg(long, env = "QUIRE_TRACE_RATIO", default_value_t = 0.01, value_name = "SHARE", value_parser = share)]
    pub trace_ratio: f64,
}

/// Nothing is set to nothing: an empty variable turns traces off.
fn endpoint(text: &str) -> Result<String, String> {
    if text.is_empty() || text.strip_prefix("http://").is_some_and(|rest| !rest.is_empty()) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err("it does not begin with http://; a collector beside the server takes it from there by TLS".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number is wanted".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("it is not from 0 to 1".to_owned()) }
}

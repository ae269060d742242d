//! Log lines on standard error; standard output belongs to results.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::{ConfigError, LogFormat, LogSection};

/// Starts logging. `louder` is the number of `-v` minus the number of `-q`.
pub(crate) fn start(section: &LogSection, louder: i16) -> Result<(), ConfigError> {
    // Louder means our own parts; the HTTP stack's chatter has to be asked for in the configuration.
    let level = match louder {
        ..-1 => "error",
        -1 => "warn",
        0 => section.level.as_str(),
        1 => "info,contactor=debug",
        _ => "info,contactor=trace",
    };
    let filter = EnvFilter::try_new(level)
        .map_err(|error| ConfigError::Value { key: "log.level", message: format!("`{level}`: {error}") })?;
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_timer(SystemTime);
    let started = match section.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // A second start finds the first one's lines as good as its own.
    let _ = started;
    Ok(())
}

//! How the program ends. The one place that gives numbers to outcomes.

use std::fmt;
use std::process::ExitCode;

use crate::client::ClientError;
use crate::config::ConfigError;
use crate::secrets::SecretError;

/// Exit codes; documented in `contactor --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// It did not work.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// No host answers.
    Unreachable = 3,
    /// The host refused.
    Refused = 4,
    /// There is no such thing.
    NotFound = 5,
    /// The database is damaged, or lacks what was acknowledged.
    Doubtful = 6,
}

impl Exit {
    /// The text of `--help`.
    pub(crate) const HELP: &'static str = "\
Exit codes:
  0  done
  1  it did not work (the message says what and what next)
  2  the command line, the configuration or a file it names is wrong
  3  no host answers at the address
  4  the host refused (wrong token, wrong values, a vendor said no)
  5  there is no such workspace, connector, connection or run
  6  the database is damaged or lacks what was acknowledged: a person decides, restarting does not help";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with the code that the program ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// A failure that only has a message.
    pub(crate) fn say(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, error: anyhow::anyhow!("{message}") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold the words of a connector or a vendor.
        f.write_str(&crate::output::plain(&self.error.to_string()))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Unreachable { .. } => Exit::Unreachable,
            ClientError::NotFound { .. } => Exit::NotFound,
            ClientError::Refused { .. } => Exit::Refused,
            ClientError::Unexpected { .. } | ClientError::Setup(_) => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

/// Writing to standard output failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // A reader such as `head` that has seen enough is no failure.
        let exit = if error.kind() == std::io::ErrorKind::BrokenPipe { Exit::Ok } else { Exit::Failed };
        Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        let codes = [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::Unreachable,
            Exit::Refused,
            Exit::NotFound,
            Exit::Doubtful,
        ];
        for exit in codes {
            assert!(Exit::HELP.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}

//! What can be wrong with a manifest, said so that its author can mend it.

use std::fmt;

use semver::Version;

/// Why a `connector.toml` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The text is no TOML, a key is unknown or missing, or a value has the wrong type.
    #[error("connector.toml, line {line}: {message}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong there and what belongs there.
        message: String,
    },
    /// The values fit the format, but not each other.
    #[error("connector.toml: {}", list(.0))]
    Invalid(Vec<Problem>),
}

impl ManifestError {
    pub(crate) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let before = text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        // The message carries expected values as a list; the excerpt that toml prints around it does not suit one line.
        let message = error.message().replace('\n', ", ");
        Self::Syntax { line, message }
    }
}

/// One thing in a manifest that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a path such as `mapping[2].partner`, counted from 1 as a person counts.
    pub at: String,
    /// What is wrong and what belongs there.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.problem)
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// A connector that needs a newer host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "connector {connector} needs Contactor {needs} or newer; this host is {host} and supports connectors whose \
     minimum_host is at most {host}: update the host, or install an older version of the connector"
)]
pub struct UnsupportedHost {
    /// The connector's id and version.
    pub connector: String,
    /// The oldest host that it runs on.
    pub needs: Version,
    /// The host that was asked.
    pub host: Version,
}

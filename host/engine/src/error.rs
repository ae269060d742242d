//! Errors of the engine's own operations. Failures *of runs* are not errors here: they end in the store, with their class.

use contactor_store::StoreError;

/// Why an operation of an admin or operator was not done.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such thing.
    #[error("no {what} `{id}`{hint}")]
    NotFound {
        /// What was looked for: `workspace`, `connector`, `connection`, `run`, ….
        what: &'static str,
        /// Under which id.
        id: String,
        /// What to do next; empty, or beginning with a separator.
        hint: String,
    },
    /// The request is wrong; nothing was changed.
    #[error("{0}")]
    Invalid(String),
    /// It exists already, or belongs to somebody else; nothing was changed.
    #[error("{0}")]
    Conflict(String),
    /// Whoever asks may not do it; nothing was changed.
    #[error("{0}")]
    Forbidden(String),
    /// The host has no room for it at the moment; nothing was run.
    #[error("{0}")]
    Busy(String),
    /// The component was refused.
    #[error("component refused: {0}")]
    Component(#[from] contactor_runtime::LoadError),
    /// Nobody vouches for the component.
    #[error("component of `{connector}` refused: {why}")]
    Unvouched {
        /// The connector's id.
        connector: String,
        /// Why it is not taken, and what to do.
        why: crate::publishers::Unvouched,
    },
    /// HighLevel did not do it.
    #[error("HighLevel: {0}")]
    HighLevel(#[from] contactor_highlevel::Error),
    /// HighLevel's marketplace did not do it: a consent, a grant, a list of installations.
    #[error("HighLevel's marketplace: {0}")]
    Marketplace(String),
    /// The partner or its connector did not do it.
    #[error("{message}")]
    Partner {
        /// The connector's id.
        connector: String,
        /// What it said; the message names the connector and the call.
        message: String,
    },
    /// The store did not do it.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// A credential cannot be sealed or opened.
    #[error("credentials: {0}")]
    Vault(#[from] contactor_store::VaultError),
    /// The artefact directory cannot be used.
    #[error("artefacts: {0}")]
    Artefacts(#[source] std::io::Error),
}

impl EngineError {
    /// Whether it is this host that cannot do it now, and nothing is wrong with what was asked for.
    pub(crate) fn is_of_the_host(&self) -> bool {
        use contactor_runtime::LoadError;
        // Another component may keep the compiler busy; this one was compiled when it was installed.
        let busy =
            |error: &LoadError| matches!(error, LoadError::Host { .. } | LoadError::CompileTimeout { .. });
        matches!(self, Self::Store(_)) || matches!(self, Self::Component(error) if busy(error))
    }

    pub(crate) fn no_connection(id: &impl ToString) -> Self {
        Self::NotFound {
            what: "connection",
            id: id.to_string(),
            hint: "; enable it with `contactor connection enable`".to_owned(),
        }
    }

    /// There is no such workspace, or none that whoever asks may know of: the answer is the same.
    pub fn no_workspace(id: &impl ToString) -> Self {
        Self::NotFound {
            what: "workspace",
            id: id.to_string(),
            hint: "; `contactor workspace list` shows those there are".to_owned(),
        }
    }

    /// There is no such run, or none that whoever asks may know of: the answer is the same.
    pub fn no_run(id: &impl ToString) -> Self {
        Self::NotFound {
            what: "run",
            id: id.to_string(),
            hint: "; runs are kept as long as the retention says".to_owned(),
        }
    }

    pub(crate) fn no_user(id: &impl ToString) -> Self {
        Self::NotFound {
            what: "user",
            id: id.to_string(),
            hint: "; `contactor user list` shows those there are".to_owned(),
        }
    }

    pub(crate) fn no_token(id: &impl ToString) -> Self {
        Self::NotFound {
            what: "token",
            id: id.to_string(),
            hint: "; `contactor token list` shows those there are".to_owned(),
        }
    }
}

/// Why a webhook was not accepted. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The signature is missing, wrong, or of a scheme that is switched off.
    #[error("signature refused: {0}")]
    Signature(String),
    /// Older than the retention of de-duplication keys, or from the future.
    #[error("not accepted: {0}")]
    Stale(String),
    /// The body is no JSON object of the vendor's envelope.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The path's token belongs to no connection.
    #[error("unknown webhook address")]
    UnknownToken,
    /// The connection behind the path cannot be used at the moment: the sender has to send it again.
    #[error("not accepted now: {0}")]
    Unavailable(String),
    /// The store could not keep it: the sender has to send it again.
    #[error("not stored: {0}")]
    Store(#[from] StoreError),
}

/// What the host could not find out before it stores a webhook; the sender sends it again.
impl From<EngineError> for IngestError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => Self::Store(error),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

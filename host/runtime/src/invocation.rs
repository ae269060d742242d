//! What can be asked of a connector, and what it answers.

use crate::bindings::{
    adapter::{Account, Decision, PartnerRecord},
    automations::{Event, Outcome},
    triggers::{PollPage, Received, Webhook},
    types::{Direction, Error, NamedValue},
};

/// One call of one export.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// `adapter.check`: is the credential good, and whose is it?
    Check,
    /// `adapter.admit`: may this record be written?
    Admit {
        /// The entity as the manifest names it.
        entity: String,
        /// The way that the record travels.
        direction: Direction,
        /// The complete source record.
        fields: Vec<NamedValue>,
    },
    /// `adapter.read`.
    Read {
        /// The entity as the manifest names it.
        entity: String,
        /// The partner's id.
        id: String,
    },
    /// `adapter.find`.
    Find {
        /// The entity as the manifest names it.
        entity: String,
        /// A natural key of the manifest with its value.
        key: NamedValue,
    },
    /// `adapter.create`.
    Create {
        /// The entity as the manifest names it.
        entity: String,
        /// All mapped fields.
        fields: Vec<NamedValue>,
    },
    /// `adapter.update`.
    Update {
        /// The entity as the manifest names it.
        entity: String,
        /// The partner's id.
        id: String,
        /// Just the fields to change.
        fields: Vec<NamedValue>,
    },
    /// `adapter.delete`.
    Delete {
        /// The entity as the manifest names it.
        entity: String,
        /// The partner's id.
        id: String,
    },
    /// `triggers.receive`: what does this webhook mean?
    Receive(Webhook),
    /// `triggers.poll`: one page of changes.
    Poll {
        /// A stream of the manifest.
        stream: String,
        /// What the previous page answered.
        cursor: Option<String>,
    },
    /// `automations.handle`.
    Handle(Event),
    /// `actions.run`.
    Run {
        /// An action of the manifest.
        name: String,
        /// A JSON document.
        input: String,
    },
}

impl Invocation {
    /// The name of the export, for traces and messages: `adapter.read`.
    pub fn export(&self) -> &'static str {
        match self {
            Self::Check => "adapter.check",
            Self::Admit { .. } => "adapter.admit",
            Self::Read { .. } => "adapter.read",
            Self::Find { .. } => "adapter.find",
            Self::Create { .. } => "adapter.create",
            Self::Update { .. } => "adapter.update",
            Self::Delete { .. } => "adapter.delete",
            Self::Receive(_) => "triggers.receive",
            Self::Poll { .. } => "triggers.poll",
            Self::Handle(_) => "automations.handle",
            Self::Run { .. } => "actions.run",
        }
    }
}

/// The answer to the [`Invocation`] of the same name. The inner `Err` is the connector's own, typed answer: the call itself
/// went well.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Whose credential it is.
    Check(Result<Account, Error>),
    /// Go on, or leave it alone.
    Admit(Result<Decision, Error>),
    /// The record.
    Read(Result<PartnerRecord, Error>),
    /// The records with that key.
    Find(Result<Vec<PartnerRecord>, Error>),
    /// The record as it is now.
    Create(Result<PartnerRecord, Error>),
    /// The record as it is now.
    Update(Result<PartnerRecord, Error>),
    /// It is gone.
    Delete(Result<(), Error>),
    /// The changes that the webhook announces.
    Receive(Result<Received, Error>),
    /// One page.
    Poll(Result<PollPage, Error>),
    /// What the handler did.
    Handle(Result<Outcome, Error>),
    /// A JSON document.
    Run(Result<String, Error>),
}

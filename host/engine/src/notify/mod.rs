//! Messages to people and other systems: where they go, and how they get there.
//!
//! A connector hands a message over in its own transaction (see `capabilities/notifications`); from then on it is the host's to
//! deliver: by email, to a chat's incoming webhook, as a signed webhook, or as a card of a project board. It is delivered at least
//! once and carries the same id at every attempt, so that the receiver can tell a repetition.

mod admin;
mod body;
mod email;
mod post;

use std::time::Instant;

use contactor_store::{ClaimedMessage, DestinationKind, Disposition, FailureClass, Lease, StoreError};
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::engine::Engine;
use crate::scheduler::in_time;

pub use admin::NewDestination;
pub(crate) use admin::message_id;
pub(crate) use body::Content;
pub use email::{SmtpConfig, SmtpTls};

/// Pauses after the first attempts, in seconds: together about eight hours. After the last the message is parked.
const PAUSES: [i64; 9] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 7_200, 7_200];

/// How messages leave this host. Where they may go is the way out's to say, as it is for requests to partners.
#[derive(Clone, Debug, Default)]
pub struct NotificationConfig {
    /// The mail server; without one no email can be sent.
    pub smtp: Option<SmtpConfig>,
}

/// What a destination's sealed credential holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Address {
    pub(crate) url: Option<SecretString>,
    pub(crate) secret: Option<SecretString>,
}

/// Why a message did not arrive.
#[derive(Debug, PartialEq)]
pub(crate) enum Undelivered {
    /// It may arrive later.
    Later {
        /// What happened.
        reason: String,
        /// When the receiver said it is worth trying again.
        after: Option<SignedDuration>,
    },
    /// It will never arrive like this.
    Never(String),
    /// It would go where no operator lets this host go. Nobody was connected to.
    Closed(String),
    /// The receiver is gone for good: nothing more is sent there.
    Gone(String),
}

impl Undelivered {
    fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }

    fn into_reason(self) -> String {
        match self {
            Self::Later { reason, .. } | Self::Never(reason) | Self::Closed(reason) | Self::Gone(reason) => {
                reason
            }
        }
    }
}

impl Engine {
    /// Makes one attempt at a message and writes down how it ended.
    pub(crate) async fn run_message(&self, lease: &Lease, message: ClaimedMessage) {
        let begun = Instant::now();
        let name = &message.destination.name;
        let sent = match in_time(self.dispatch(&message)).await {
            Ok(sent) => sent,
            Err(endless) => return self.message_failed(lease, &message, &endless.message).await,
        };
        let (disposition, stop, outcome) = match sent {
            Ok(()) => (Disposition::Done, None, "delivered"),
            Err(undelivered) => self.undelivered(&message, undelivered),
        };
        metrics::counter!("contactor_messages_total", "outcome" => outcome).increment(1);
        metrics::histogram!("contactor_message_seconds").record(begun.elapsed());
        if outcome != "delivered" {
            tracing::warn!(workspace = %message.destination.workspace, destination = name, outcome, "a message did not arrive");
        }
        if let Err(error) = self.message_ended(lease, &message.id, disposition, stop).await {
            tracing::warn!(message = message.id, %error, "a message could not be completed; it may be sent again");
        }
        self.wake().wake();
    }

    /// The sending of a message panicked, or did not end: a defect of the host. A person may have it sent again.
    pub(crate) async fn message_failed(&self, lease: &Lease, message: &ClaimedMessage, why: &str) {
        tracing::error!(message = message.id, why, "this is a defect of the host");
        let reason = format!("message to {}: {why}; it may have arrived", message.destination.name);
        let parked = parked(FailureClass::Host, reason);
        if let Err(error) = self.message_ended(lease, &message.id, parked, None).await {
            tracing::warn!(message = message.id, %error, "a message could not be parked; it is sent again after a restart");
        }
    }

    async fn message_ended(
        &self,
        lease: &Lease,
        id: &str,
        disposition: Disposition,
        stop: Option<String>,
    ) -> Result<(), StoreError> {
        let keep = |engine: Self| {
            let (lease, id, disposition, stop) =
                (lease.clone(), id.to_owned(), disposition.clone(), stop.clone());
            async move { engine.store().complete_message(&lease, &id, disposition, stop).await }
        };
        self.until_kept(keep).await
    }

    fn undelivered(
        &self,
        message: &ClaimedMessage,
        undelivered: Undelivered,
    ) -> (Disposition, Option<String>, &'static str) {
        let to = format!("message to {}", message.destination.name);
        match undelivered {
            Undelivered::Later { reason, after } => match pause(message.attempts) {
                Some(pause) => {
                    let pause =
                        after.map_or(pause, |after| after.clamp(pause, SignedDuration::from_hours(24)));
                    (Disposition::Retry { at: self.now() + pause, counts: true }, None, "retried")
                }
                None => {
                    let tried = message.attempts + 1;
                    (
                        parked(FailureClass::Transient, format!("{to}: {reason}; tried {tried} times")),
                        None,
                        "parked",
                    )
                }
            },
            Undelivered::Never(reason) => {
                (parked(FailureClass::Data, format!("{to}: {reason}")), None, "parked")
            }
            Undelivered::Closed(reason) => {
                (parked(FailureClass::Config, format!("{to}: {reason}")), None, "parked")
            }
            Undelivered::Gone(reason) => {
                let next = "the destination was stopped: add it anew, then retry this";
                (parked(FailureClass::Config, format!("{to}: {reason}; {next}")), Some(reason), "gone")
            }
        }
    }

    /// Sends a message to where it goes.
    async fn dispatch(&self, message: &ClaimedMessage) -> Result<(), Undelivered> {
        let destination = &message.destination;
        let content = Content::read(&message.message)
            .map_err(|error| Undelivered::Never(format!("the stored message cannot be read: {error}")))?;
        let address = self.address(destination).await.map_err(|error| match error {
            crate::EngineError::Store(_) => Undelivered::later(error.to_string()),
            other => Undelivered::Never(other.to_string()),
        })?;
        match destination.kind {
            DestinationKind::Email => {
                email::send(self.outbound(), &self.notifications(), destination, &message.id, &content).await
            }
            kind => self.post(kind, &address, message, &content).await,
        }
    }
}

fn parked(class: FailureClass, reason: String) -> Disposition {
    Disposition::Parked { class, reason }
}

/// How long to wait after so many failed attempts; `None` after the last.
fn pause(attempts: u32) -> Option<SignedDuration> {
    PAUSES.get(usize::try_from(attempts).ok()?).copied().map(SignedDuration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (0..).map_while(pause).collect();
        assert_eq!(pauses.len(), PAUSES.len());
        assert!(pauses.is_sorted());
        assert_eq!(pause(u32::MAX), None);
    }
}

//! Every operation of the vendor's Contacts API, called by a component through the imports of `wit/`; and what a connector
//! gets instead of an answer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside;
mod refusals;
mod table;
mod walk;

use std::collections::BTreeMap;

use contactor_sandbox::highlevel::PersonAct;
use contactor_store::ConnectionId;
use contactor_tests::engine::Stand;
use serde_json::Value;

/// A stand with the component enabled.
struct Guest {
    stand: Stand,
    connection: ConnectionId,
    location: String,
}

impl Guest {
    async fn with_grants(grants: Option<&[&str]>) -> Self {
        let stand = Stand::start().await.unwrap();
        let connection = stand.enable("guest-operations", grants).await.unwrap().id;
        let location = stand.sandbox.highlevel().first_location();
        stand.sandbox.recorder().clear();
        Self { stand, connection, location }
    }

    async fn new() -> Self {
        Self::with_grants(None).await
    }

    /// `{"ok": …}` or `{"error": …}`, as the guest saw it.
    async fn outcome(&self, function: &str, input: Value) -> Value {
        self.stand
            .run(&self.connection, function, &input)
            .await
            .unwrap_or_else(|error| panic!("{function}: {error}"))
    }

    async fn ok(&self, function: &str, input: Value) -> Value {
        let mut outcome = self.outcome(function, input).await;
        assert!(outcome.get("ok").is_some(), "{function}: {outcome}");
        outcome["ok"].take()
    }

    async fn error(&self, function: &str, input: Value) -> Value {
        let mut outcome = self.outcome(function, input).await;
        assert!(outcome.get("error").is_some(), "{function}: {outcome}");
        outcome["error"].take()
    }

    /// The outcome in a preview.
    async fn previewed(&self, function: &str, input: &Value) -> Value {
        self.stand.engine.run_action(&self.connection, function, input, true).await.unwrap()
    }

    fn act(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    /// A contact that a person saved in HighLevel.
    fn saved(&self, fields: Value) -> String {
        self.act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned()
    }

    /// The contact at the double; null when it is gone.
    fn contact(&self, id: &str) -> Value {
        self.stand.sandbox.highlevel().contact(&self.location, id).unwrap_or_default()
    }

    fn task(&self, contact: &str) -> Value {
        self.stand.sandbox.highlevel().tasks(&self.location, contact).into_iter().next().unwrap_or_default()
    }

    fn note(&self, contact: &str) -> Value {
        self.stand.sandbox.highlevel().notes(&self.location, contact).into_iter().next().unwrap_or_default()
    }

    fn campaigns(&self, contact: &str) -> Vec<String> {
        self.stand.sandbox.highlevel().memberships(&self.location, contact).0
    }

    fn workflows(&self, contact: &str) -> Vec<String> {
        self.stand.sandbox.highlevel().memberships(&self.location, contact).1
    }

    /// Requests so far by operation, and those that were carried out.
    fn counts(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let counts = self.stand.sandbox.recorder().counts();
        counts.into_iter().map(|(name, count)| (name, (count.requests, count.carried_out))).collect()
    }

    /// The same, of the operations that were called since.
    fn counted_since(&self, before: &BTreeMap<&'static str, (u64, u64)>) -> Vec<(&'static str, (u64, u64))> {
        let since = |(name, (requests, carried_out))| {
            let (earlier, carried_out_earlier) = before.get(name).copied().unwrap_or_default();
            (name, (requests - earlier, carried_out - carried_out_earlier))
        };
        self.counts().into_iter().map(since).filter(|(_, counts)| *counts != (0, 0)).collect()
    }
}

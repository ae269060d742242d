//! Telling the people of a workspace that something needs them.
//!
//! Every minute each workspace is looked at. What is wrong is remembered as an alert; who is told of it, and when, is
//! [decided](decide) by comparing it with what is remembered. The memory and the messages are one commit, so that a crash neither
//! forgets a message nor repeats one.

mod conditions;
mod decide;
mod message;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use contactor_store::{
    Alert, AlertMemory, AlertRound, AlertRules, ConnectionId, ConnectionState, NewMessage, WorkspaceId,
};
use jiff::{SignedDuration, Timestamp};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::notify::message_id;

/// How often workspaces are looked at.
const INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// The source of HighLevel's webhooks; partners' are named by their connection.
const HIGHLEVEL: &str = "highlevel";

/// What is noticed between two looks.
#[derive(Default)]
pub(crate) struct Watch {
    noticed: Mutex<Noticed>,
}

#[derive(Default)]
struct Noticed {
    looked_at: Option<Timestamp>,
    /// When sources were last heard.
    heard: HashMap<(WorkspaceId, String), Timestamp>,
}

impl Watch {
    fn lock(&self) -> std::sync::MutexGuard<'_, Noticed> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// A webhook came.
    pub(crate) fn heard(&self, workspace: &WorkspaceId, partner: Option<&ConnectionId>) {
        let source = partner.map_or_else(|| HIGHLEVEL.to_owned(), ToString::to_string);
        self.watch().lock().heard.insert((workspace.clone(), source), self.now());
    }

    /// Looks at every workspace, when it is time to.
    pub(crate) async fn look_for_alerts_if_due(&self) {
        let now = self.now();
        {
            let mut noticed = self.watch().lock();
            if noticed.looked_at.is_some_and(|at| now.duration_since(at).abs() < INTERVAL) {
                return;
            }
            noticed.looked_at = Some(now);
        }
        let workspaces = match self.store().workspaces().await {
            Ok(workspaces) => workspaces,
            Err(error) => {
                tracing::error!(%error, "no alerts: the store does not answer");
                return;
            }
        };
        for workspace in workspaces {
            if let Err(error) = self.look_at(&workspace.id).await {
                tracing::error!(workspace = %workspace.id, %error, "its alerts could not be looked for");
            }
        }
    }

    /// Looks at one workspace, and tells what there is to tell.
    async fn look_at(&self, workspace: &WorkspaceId) -> Result<(), EngineError> {
        let now = self.now();
        let mut memory = self.store().alerts(workspace).await?;
        let heard = self.heard_since(&memory);
        for (source, at) in &heard {
            memory.heard.retain(|(known, _)| known != source);
            memory.heard.push((source.clone(), *at));
        }
        let active = self.conditions(&memory).await?;
        let listeners = self.listeners(&memory).await?;
        let decision = decide::decide(&memory.alerts, active, &memory.rules, now, !listeners.is_empty());
        if listeners.len() < memory.rules.to.len() && decision.alerts.iter().any(|alert| alert.since == now) {
            tracing::error!(%workspace, to = ?memory.rules.to, works = ?listeners, "an alert, and a destination was removed or stopped");
        }
        let mut round =
            AlertRound { alerts: decision.alerts, dropped: decision.dropped, messages: Vec::new(), heard };
        if round.alerts.is_empty() && round.dropped.is_empty() && round.heard.is_empty() {
            return Ok(());
        }
        if !decision.news.is_empty() {
            round.messages = self.messages(workspace, &listeners, &decision.news).await?;
        }
        self.store().put_alerts(workspace, round).await?;
        self.wake().wake();
        Ok(())
    }

    /// Sources that were heard since the last look.
    fn heard_since(&self, memory: &AlertMemory) -> Vec<(String, Timestamp)> {
        let noticed = self.watch().lock();
        let known: HashMap<&str, Timestamp> =
            memory.heard.iter().map(|(source, at)| (source.as_str(), *at)).collect();
        let of_workspace = noticed.heard.iter().filter(|((of, _), _)| *of == memory.workspace);
        let newer = of_workspace
            .filter(|((_, source), at)| known.get(source.as_str()).is_none_or(|known| known < *at));
        newer.map(|((_, source), at)| (source.clone(), *at)).collect()
    }

    /// The destinations of a workspace's alerts that work. Without one nothing counts as told, and what still stands is told once
    /// there is one.
    async fn listeners(&self, memory: &AlertMemory) -> Result<Vec<String>, EngineError> {
        let mut listeners = Vec::new();
        // A message counts for a connection.
        if memory.rules.to.is_empty() || self.store().connections(Some(&memory.workspace)).await?.is_empty() {
            return Ok(listeners);
        }
        for name in &memory.rules.to {
            match self.store().destination(&memory.workspace, name).await? {
                Some(destination) if destination.stopped.is_none() => listeners.push(name.clone()),
                Some(_) | None => {}
            }
        }
        Ok(listeners)
    }

    /// One message for each of these destinations.
    async fn messages(
        &self,
        workspace: &WorkspaceId,
        listeners: &[String],
        news: &[(decide::News, Alert)],
    ) -> Result<Vec<(ConnectionId, NewMessage)>, EngineError> {
        let content = message::content(workspace, news, self.now());
        let message =
            serde_json::to_value(&content).map_err(|error| EngineError::Invalid(error.to_string()))?;
        // A message counts for a connection: the one that it is about, or any, rather one that works.
        let connections = self.store().connections(Some(workspace)).await?;
        let about = news.iter().find_map(|(_, alert)| alert.connection.clone());
        let about = about.filter(|id| connections.iter().any(|connection| connection.id == *id));
        let working = connections.iter().find(|connection| connection.state != ConnectionState::Disabled);
        let any = working.or(connections.first()).map(|connection| connection.id.clone());
        let Some(connection) = about.or(any) else { return Ok(Vec::new()) };
        let messages = listeners.iter().map(|name| {
            let new = NewMessage { id: message_id(), destination: name.clone(), message: message.clone() };
            (connection.clone(), new)
        });
        Ok(messages.collect())
    }

    /// Sets where a workspace's alerts go.
    ///
    /// # Errors
    /// No such workspace or destination; nothing was changed.
    pub async fn set_alert_rules(
        &self,
        workspace: &WorkspaceId,
        rules: AlertRules,
    ) -> Result<AlertRules, EngineError> {
        self.workspace(workspace).await?;
        for name in &rules.to {
            if self.store().destination(workspace, name).await?.is_none() {
                return Err(EngineError::NotFound {
                    what: "destination",
                    id: name.clone(),
                    hint: format!("; make it first: `contactor destination add {workspace} {name} …`"),
                });
            }
        }
        if rules.parked == 0 || rules.stale_minutes == 0 {
            return Err(EngineError::Invalid(
                "`parked` and `stale-minutes` have to be at least 1".to_owned(),
            ));
        }
        self.store().put_alert_rules(workspace, rules.clone()).await?;
        Ok(rules)
    }

    /// The rules of a workspace, and its alerts: those that are open, and those that ended within the retention.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn alerts(&self, workspace: &WorkspaceId) -> Result<AlertMemory, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().alerts(workspace).await?)
    }
}

//! Operation: alerts, counts, what is to be forgotten, and the disk.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{AlertMemory, AlertRound, AlertRules, ConnectionId, Counts, Erasure, Person, WorkspaceId};
use crate::sqlite::counts::Scope;
use crate::sqlite::{Result, SqliteStore, alerts, configuration, counts, dirty, erase, expire};
use crate::store::OperationStore;

#[async_trait]
impl OperationStore for SqliteStore {
    async fn put_alert_rules(&self, workspace: &WorkspaceId, rules: AlertRules) -> Result<()> {
        let workspace = workspace.clone();
        self.write(move |db| alerts::put_rules(db, &workspace, &rules)).await
    }

    async fn alerts(&self, workspace: &WorkspaceId) -> Result<AlertMemory> {
        let workspace = workspace.clone();
        self.read(move |db| alerts::memory(db, &workspace)).await
    }

    async fn put_alerts(&self, workspace: &WorkspaceId, round: AlertRound) -> Result<()> {
        let (workspace, now) = (workspace.clone(), self.now());
        self.write(move |db| alerts::put_round(db, &workspace, &round, now)).await
    }

    async fn waiting(&self, connection: &ConnectionId) -> Result<u64> {
        let connection = connection.clone();
        self.read(move |db| {
            let scope = Scope::Connection(configuration::owner(db, &connection)?.connection);
            Ok(dirty::waiting(db, scope)?.count)
        })
        .await
    }

    async fn counts(&self, workspace: Option<&WorkspaceId>) -> Result<Counts> {
        let (workspace, now) = (workspace.cloned(), self.now());
        self.read(move |db| {
            let scope = match &workspace {
                None => Scope::All,
                Some(id) => Scope::Workspace(configuration::workspace_pk(db, id)?),
            };
            counts::counts(db, scope, now)
        })
        .await
    }

    async fn counts_of(&self, connection: &ConnectionId) -> Result<Counts> {
        let (connection, now) = (connection.clone(), self.now());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            counts::counts(db, Scope::Connection(owner.connection), now)
        })
        .await
    }

    async fn erase(&self, workspace: &WorkspaceId, person: Person, only_look: bool) -> Result<Erasure> {
        let (workspace, now) = (workspace.clone(), self.now());
        self.write(move |db| erase::person(db, &workspace, &person, only_look, now)).await
    }

    async fn expire(&self, now: Timestamp, retention: Duration) -> Result<u64> {
        let mut total = 0;
        for term in self.read(move |db| expire::terms(db, retention)).await? {
            loop {
                let changed = self.write(move |db| expire::some(db, now, term)).await?;
                total += changed;
                if changed == 0 {
                    break;
                }
            }
        }
        loop {
            let changed = self.write(move |db| expire::some_counts(db, now)).await?;
            total += changed;
            if changed == 0 {
                return Ok(total);
            }
        }
    }

    async fn probe(&self) -> Result<()> {
        self.writer.probe().await
    }
}

//! Upgrades of a connection: what another version would be, the trial of it, and the way back.

use std::sync::Arc;

use contactor_manifest::Manifest;
use contactor_store::{
    Actor, Connection, ConnectionId, ConnectionState, Digest, InstalledConnector, KEPT_ROLLOUTS, NewRollout,
    Pinned, Rollout, RolloutCounts, RolloutEnd, RolloutMode, RolloutState, ShadowDifference,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::connectors::parsed;
use super::grants::{approve, difference, had};
use crate::active::compile_mappings;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::permissions::Permission;

/// One version of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// Its version; empty when it is not installed any more.
    pub version: String,
    /// SHA-256 of its component.
    pub digest: Digest,
}

/// What changes for a connection with another version of its connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpgradePlan {
    /// The connection.
    pub connection: ConnectionId,
    /// The version that is pinned.
    pub from: VersionView,
    /// The other one.
    pub to: VersionView,
    /// What the other one asks for beyond the pinned one: it is on trial only when somebody approves of it.
    pub more: Vec<Permission>,
    /// What the pinned one asks for and the other one does not.
    pub less: Vec<Permission>,
    /// Rows of the default mapping that differ, in words.
    pub mapping: Vec<String>,
    /// Why it cannot be used with the connection's settings or mapping, if it cannot.
    pub problem: Option<String>,
}

/// Another version to be put on trial.
#[derive(Clone, Debug, Default)]
pub struct NewUpgrade {
    /// Its component; the newest that a platform admin installed if absent.
    pub digest: Option<String>,
    /// Compare only, and do nothing.
    pub shadow: bool,
    /// Percent of the records, 1 to 100.
    pub share: u8,
    /// It is given what it asks for beyond the pinned version.
    pub approve: bool,
    /// The settings that it reads; those of the connection if absent.
    pub settings: Option<serde_json::Value>,
}

/// A rollout as an admin sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Its number.
    pub id: u64,
    /// The connection.
    pub connection: ConnectionId,
    /// The version on trial, or what came of it.
    pub candidate: VersionView,
    /// The version before it.
    pub former: VersionView,
    /// What it does.
    pub mode: RolloutMode,
    /// Percent of the records.
    pub share: u8,
    /// How it stands.
    pub state: RolloutState,
    /// Why it ended, or what is to be said of it now.
    pub reason: String,
    /// Who began it.
    pub begun_by: String,
    /// When.
    pub began_at: Timestamp,
    /// When mode or share were set.
    pub set_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What was counted.
    pub counts: RolloutCounts,
    /// How runs in shadow differed, the newest first; of one rollout only, not in a list.
    pub differences: Vec<ShadowDifference>,
}

impl Engine {
    /// What another version of its connector would change for a connection. Changes nothing.
    ///
    /// # Errors
    /// No such connection or component.
    pub async fn upgrade_plan(
        &self,
        id: &ConnectionId,
        digest: Option<&str>,
    ) -> Result<UpgradePlan, EngineError> {
        let connection = self.stored(id).await?;
        let (installed, to) = self.other_version(&connection, digest).await?;
        let (from, before) = self.pinned_version(&connection).await;
        let difference = difference(before.as_ref(), &to);
        let candidate = candidate(&connection, before.as_ref(), &installed, &to, true, None);
        let problem = match candidate {
            Ok(candidate) => self.loaded(&connection, &candidate).await.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        Ok(UpgradePlan {
            connection: id.clone(),
            from,
            to: VersionView { version: installed.version, digest: installed.digest },
            more: difference.more,
            less: difference.less,
            mapping: before.map(|before| mapping_changes(&before, &to)).unwrap_or_default(),
            problem,
        })
    }

    /// Puts another version on trial, or changes what one that is on trial does.
    ///
    /// # Errors
    /// It asks for more and nobody approved of it; it cannot be used with the connection's settings; another one is on trial; the
    /// connection is under review.
    pub async fn upgrade(
        &self,
        by: Actor,
        id: &ConnectionId,
        new: NewUpgrade,
    ) -> Result<RolloutView, EngineError> {
        if !(1..=100).contains(&new.share) {
            return Err(EngineError::Invalid(format!(
                "a share is 1 to 100 percent of the records, not {}",
                new.share
            )));
        }
        let mode = if new.shadow { RolloutMode::Shadow } else { RolloutMode::Live };
        let _changing = self.changing(id).await;
        let connection = self.stored(id).await?;
        let under_review = self.store().review(id).await?.is_some_and(|review| review.ended_at.is_none());
        if under_review && mode == RolloutMode::Live {
            return Err(EngineError::Conflict(format!(
                "{id} is under review: its report is of the version that is pinned. Approve it first, or take the other version with \
                 `contactor connection enable … --digest`"
            )));
        }
        if let Some(running) = self.store().running_rollout(id).await? {
            let same = new.digest.as_ref().is_none_or(|digest| running.candidate.digest.as_str() == digest);
            if !same || new.settings.is_some() {
                return Err(EngineError::Conflict(format!(
                    "{id} has a version on trial ({}): adopt it or roll it back first",
                    running.candidate.digest
                )));
            }
            if !self.store().set_rollout(running.id, mode, new.share).await? {
                return Err(overtaken(id));
            }
        } else {
            let (installed, manifest) = self.other_version(&connection, new.digest.as_deref()).await?;
            let (_, before) = self.pinned_version(&connection).await;
            let candidate =
                candidate(&connection, before.as_ref(), &installed, &manifest, new.approve, new.settings)?;
            self.loaded(&connection, &candidate).await?;
            let rollout = NewRollout { connection: id.clone(), candidate, mode, share: new.share, by };
            self.store().begin_rollout(rollout).await?;
        }
        self.forget(id);
        self.wake().wake();
        self.rollout(id).await
    }

    /// Pins the version that is on trial.
    ///
    /// # Errors
    /// None is on trial.
    pub async fn adopt(&self, id: &ConnectionId) -> Result<RolloutView, EngineError> {
        self.keep_rollouts().await?;
        let _changing = self.changing(id).await;
        let running = self.running(id).await?;
        let reason = "adopted by an admin".to_owned();
        if !self.store().end_rollout(running.id, RolloutEnd::Adopt, reason).await? {
            return Err(overtaken(id));
        }
        self.forget(id);
        self.rollout(id).await
    }

    /// Ends the trial that is under way; without one, pins the version before the present one again, with the settings and grants
    /// that it had, but for what was withheld since.
    ///
    /// # Errors
    /// Nothing is on trial, and no version is known to be before the present one; or that one is left without a host.
    pub async fn roll_back(&self, id: &ConnectionId) -> Result<RolloutView, EngineError> {
        self.keep_rollouts().await?;
        let _changing = self.changing(id).await;
        let reason = || "rolled back by an admin".to_owned();
        let ended = match self.store().running_rollout(id).await? {
            Some(running) => {
                if !self.store().end_rollout(running.id, RolloutEnd::End, reason()).await? {
                    return Err(overtaken(id));
                }
                running
            }
            None => {
                let connection = self.stored(id).await?;
                let known = self.store().rollouts(id, KEPT_ROLLOUTS).await?;
                let adopted = |one: &&Rollout| {
                    one.state == RolloutState::Adopted && one.candidate.digest == connection.digest
                };
                let found = known.iter().find(adopted).ok_or_else(|| {
                    EngineError::Conflict(format!(
                        "{id} has had no other version: there is nothing to go back to"
                    ))
                })?;
                let former = self.given_again(&connection, found.former.clone()).await?;
                // The version before has to be there still, and fit.
                self.loaded(&connection, &former).await?;
                let back = self.store().roll_back(id, former.grants, reason()).await?;
                back.ok_or_else(|| overtaken(id))?
            }
        };
        self.forget(id);
        self.mended(id);
        let ended =
            self.store().rollouts(id, KEPT_ROLLOUTS).await?.into_iter().find(|one| one.id == ended.id);
        match ended {
            Some(ended) => self.rollout_view(ended).await,
            None => self.rollout(id).await,
        }
    }

    /// The rollout of a connection that is running, or the newest.
    ///
    /// # Errors
    /// It never had another version.
    pub async fn rollout(&self, id: &ConnectionId) -> Result<RolloutView, EngineError> {
        self.keep_rollouts().await?;
        let newest = match self.store().running_rollout(id).await? {
            Some(running) => Some(running),
            None => self.store().rollouts(id, 1).await?.into_iter().next(),
        };
        let rollout = newest.ok_or_else(|| EngineError::NotFound {
            what: "rollout of",
            id: id.to_string(),
            hint: "; it has had one version only".to_owned(),
        })?;
        let differences = self.store().rollout_differences(rollout.id).await?;
        Ok(RolloutView { differences, ..self.rollout_view(rollout).await? })
    }

    /// The rollouts of a connection, the newest first.
    ///
    /// # Errors
    /// No such connection.
    pub async fn rollouts(&self, id: &ConnectionId) -> Result<Vec<RolloutView>, EngineError> {
        self.stored(id).await?;
        self.keep_rollouts().await?;
        let mut views = Vec::new();
        for rollout in self.store().rollouts(id, KEPT_ROLLOUTS).await? {
            views.push(self.rollout_view(rollout).await?);
        }
        Ok(views)
    }

    async fn running(&self, id: &ConnectionId) -> Result<Rollout, EngineError> {
        self.store().running_rollout(id).await?.ok_or_else(|| {
            EngineError::Conflict(format!(
                "{id} has no version on trial; begin with `contactor connection upgrade {}`",
                id.as_str().replacen('/', " ", 1)
            ))
        })
    }

    async fn rollout_view(&self, rollout: Rollout) -> Result<RolloutView, EngineError> {
        let all = self.store().connectors().await?;
        let version = |digest: Digest| {
            let found = all.iter().find(|one| one.digest == digest);
            VersionView { version: found.map(|one| one.version.clone()).unwrap_or_default(), digest }
        };
        let is_live = rollout.state == RolloutState::Running && rollout.mode == RolloutMode::Live;
        let reason = if is_live { self.rollout_standing(&rollout) } else { rollout.reason };
        Ok(RolloutView {
            id: rollout.id,
            connection: rollout.connection,
            candidate: version(rollout.candidate.digest),
            former: version(rollout.former.digest),
            mode: rollout.mode,
            share: rollout.share,
            state: rollout.state,
            reason,
            begun_by: rollout.begun_by.to_string(),
            began_at: rollout.began_at,
            set_at: rollout.set_at,
            ended_at: rollout.ended_at,
            counts: rollout.counts,
            differences: Vec::new(),
        })
    }

    async fn other_version(
        &self,
        connection: &Connection,
        digest: Option<&str>,
    ) -> Result<(InstalledConnector, Manifest), EngineError> {
        let installed = self.installed(&connection.connector, digest).await?;
        if installed.digest == connection.digest {
            return Err(EngineError::Conflict(format!(
                "{} runs {} {} already; install another version, or name it by its --digest",
                connection.id, connection.connector, installed.version
            )));
        }
        let manifest = parsed(&installed)?;
        Ok((installed, manifest))
    }

    async fn pinned_version(&self, connection: &Connection) -> (VersionView, Option<Manifest>) {
        let installed = self.installed(&connection.connector, Some(connection.digest.as_str())).await.ok();
        let manifest = installed.as_ref().and_then(|installed| parsed(installed).ok());
        let version = installed.map(|installed| installed.version).unwrap_or_default();
        (VersionView { version, digest: connection.digest.clone() }, manifest)
    }

    /// Whether a version can be loaded for a connection, as the connection is.
    async fn loaded(&self, connection: &Connection, version: &Pinned) -> Result<(), EngineError> {
        let Pinned { digest, grants, settings } = version.clone();
        let secrets = self.credentials().partner(&connection.workspace, &connection.id).await?;
        let other =
            Connection { digest, grants, settings, state: ConnectionState::Enabled, ..connection.clone() };
        Arc::new(self.load_with(other, secrets).await?);
        Ok(())
    }
}

/// The other version with what it is given.
fn candidate(
    connection: &Connection,
    before: Option<&Manifest>,
    installed: &InstalledConnector,
    manifest: &Manifest,
    approved: bool,
    settings: Option<serde_json::Value>,
) -> Result<Pinned, EngineError> {
    let difference = difference(before, manifest);
    approve(&connection.connector, &installed.version, &difference.more, approved)?;
    let granted = had(connection, before);
    let settings = settings.unwrap_or_else(|| connection.settings.clone());
    super::rules::compile(manifest, &settings)?;
    compile_mappings(manifest, &connection.mapping)?;
    let grants = difference.granted(&granted, manifest, approved).map_err(EngineError::Invalid)?;
    Ok(Pinned { digest: installed.digest.clone(), grants, settings })
}

/// The host decided about a rollout before an admin did: it reverted a version that failed, for example.
fn overtaken(id: &ConnectionId) -> EngineError {
    EngineError::Conflict(format!(
        "{id} was changed meanwhile; look again with `contactor connection rollout`"
    ))
}

/// Rows of the default mapping that another version has and the present one has not, or the other way round.
fn mapping_changes(before: &Manifest, after: &Manifest) -> Vec<String> {
    let row = |row: &contactor_manifest::Mapping| {
        let by = row.to_partner.as_deref().or(row.to_highlevel.as_deref());
        let by = by.map(|expression| format!(" by `{expression}`")).unwrap_or_default();
        format!("{}: {} and {}{by}", row.entity, row.partner, row.highlevel)
    };
    let beyond = |those: &Manifest, these: &Manifest, sign: &str| -> Vec<String> {
        let new = those.mappings.iter().filter(|one| !these.mappings.contains(one));
        new.map(|one| format!("{sign} {}", row(one))).collect()
    };
    [beyond(before, after, "-"), beyond(after, before, "+")].concat()
}

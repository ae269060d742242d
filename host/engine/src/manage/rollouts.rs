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
    /// The rollout that is to be changed: nothing is begun in its place.
    pub rollout: Option<u64>,
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
    /// connection is under review; the host took it back, and it is not named by its digest; the rollout that is to be changed does not
    /// run.
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
        let running = self.store().running_rollout(id).await?;
        self.is_meant(id, running.as_ref(), new.rollout).await?;
        if let Some(running) = running {
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

    /// Pins the version that is on trial. `seen` is the rollout that whoever decides has looked at.
    ///
    /// # Errors
    /// None is on trial, or not that one.
    pub async fn adopt(&self, id: &ConnectionId, seen: Option<u64>) -> Result<RolloutView, EngineError> {
        self.keep_rollouts().await?;
        let _changing = self.changing(id).await;
        let running = self.running(id, seen).await?;
        let reason = "adopted by an admin".to_owned();
        if !self.store().end_rollout(running.id, RolloutEnd::Adopt, reason).await? {
            return Err(overtaken(id));
        }
        self.forget(id);
        self.rollout(id).await
    }

    /// Ends the trial that is under way; without one, pins the version before the present one again, with the settings and grants
    /// that it had, but for what was withheld since. `seen` is the rollout that is taken back, the one that is on trial or that brought the
    /// present version; it has to be given when the host itself ended the newest one, because whoever wanted that would go further than they
    /// know.
    ///
    /// # Errors
    /// Nothing is on trial, and no version is known to be before the present one; that one is left without a host; another rollout is meant
    /// than would be taken back.
    pub async fn roll_back(&self, id: &ConnectionId, seen: Option<u64>) -> Result<RolloutView, EngineError> {
        self.keep_rollouts().await?;
        let _changing = self.changing(id).await;
        let reason = || "rolled back by an admin".to_owned();
        let ended = match self.store().running_rollout(id).await? {
            Some(running) => {
                self.is_meant(id, Some(&running), seen).await?;
                if !self.store().end_rollout(running.id, RolloutEnd::End, reason()).await? {
                    return Err(overtaken(id));
                }
                running
            }
            None => {
                let connection = self.stored(id).await?;
                let found = self.brought(&connection, seen).await?;
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

    async fn running(&self, id: &ConnectionId, seen: Option<u64>) -> Result<Rollout, EngineError> {
        let running = self.store().running_rollout(id).await?;
        self.is_meant(id, running.as_ref(), seen).await?;
        running.ok_or_else(|| {
            EngineError::Conflict(format!(
                "{id} has no version on trial; begin with `contactor connection upgrade {}`",
                id.as_str().replacen('/', " ", 1)
            ))
        })
    }

    /// Whoever names a rollout decides about that one.
    ///
    /// # Errors
    /// It is not the one that runs.
    async fn is_meant(
        &self,
        id: &ConnectionId,
        running: Option<&Rollout>,
        seen: Option<u64>,
    ) -> Result<(), EngineError> {
        match seen {
            Some(seen) if running.is_none_or(|running| running.id != seen) => {
                Err(self.not_as_seen(id, seen).await?)
            }
            _ => Ok(()),
        }
    }

    /// The rollout that brought the version which is pinned: what is taken back when nothing is on trial.
    ///
    /// # Errors
    /// None is known, another one is meant, or none is named and the host was the last to take one back.
    async fn brought(&self, connection: &Connection, seen: Option<u64>) -> Result<Rollout, EngineError> {
        let id = &connection.id;
        let known = self.store().rollouts(id, KEPT_ROLLOUTS).await?;
        let adopted =
            |one: &&Rollout| one.state == RolloutState::Adopted && one.candidate.digest == connection.digest;
        let adopted = known.iter().find(adopted);
        if let Some(seen) = seen
            && adopted.is_none_or(|adopted| adopted.id != seen)
        {
            return Err(self.not_as_seen(id, seen).await?);
        }
        // Whoever wanted to end the trial came too late, and may not mean the version that does all of the work again.
        if let Some(reverted) = known.first().filter(|one| seen.is_none() && is_reverted(one)) {
            let further = match adopted {
                Some(adopted) => {
                    let from = self.version_of(&adopted.candidate.digest).await?;
                    let to = self.version_of(&adopted.former.digest).await?;
                    format!("to go back further, from {from} to {to}, say --rollout {}", adopted.id)
                }
                None => "there is nothing to go back to further".to_owned(),
            };
            let ended = self.ended(reverted).await?;
            return Err(EngineError::Conflict(format!("{ended}, and nothing was changed; {further}")));
        }
        adopted.cloned().ok_or_else(|| {
            EngineError::Conflict(format!("{id} has had no other version: there is nothing to go back to"))
        })
    }

    /// Somebody decided about a rollout that does not stand as they saw it: what became of it, and what runs.
    async fn not_as_seen(&self, id: &ConnectionId, seen: u64) -> Result<EngineError, EngineError> {
        let known = self.store().rollouts(id, KEPT_ROLLOUTS).await?;
        let became = match known.iter().find(|one| one.id == seen) {
            Some(one) => self.ended(one).await?,
            None => format!("{id} has no rollout {seen}"),
        };
        let now = match known.iter().find(|one| one.state == RolloutState::Running) {
            Some(running) => format!("rollout {} is under way", running.id),
            None => "no version is on trial".to_owned(),
        };
        Ok(EngineError::Conflict(format!(
            "{became}, and {now}: nothing was changed; look again with `contactor connection rollout {}`",
            id.as_str().replacen('/', " ", 1)
        )))
    }

    /// How a rollout ended, in words.
    async fn ended(&self, rollout: &Rollout) -> Result<String, EngineError> {
        let version = self.version_of(&rollout.candidate.digest).await?;
        let at = rollout.ended_at.unwrap_or(rollout.began_at);
        let what = match rollout.state {
            RolloutState::Reverted => format!("the host took {version} back at {at}"),
            RolloutState::Adopted => format!("{version} was adopted at {at}"),
            RolloutState::Ended => format!("{version} was rolled back at {at}"),
            RolloutState::Running => format!("{version} is on trial since {at}"),
        };
        let why = if rollout.reason.is_empty() { String::new() } else { format!(": {}", rollout.reason) };
        Ok(format!("{what} (rollout {}{why})", rollout.id))
    }

    /// A version as a person knows it; of one that is not installed any more the digest.
    async fn version_of(&self, digest: &Digest) -> Result<String, EngineError> {
        let all = self.store().connectors().await?;
        let found = all.into_iter().find(|one| one.digest == *digest);
        Ok(found.map_or_else(|| digest.to_string(), |one| one.version))
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
        // What failed is not begun anew by somebody who only asks for the newest, or for more of what was on trial.
        if digest.is_none() {
            let known = self.store().rollouts(&connection.id, KEPT_ROLLOUTS).await?;
            let newest = known.iter().find(|one| one.candidate.digest == installed.digest);
            if let Some(reverted) = newest.filter(|one| is_reverted(one)) {
                let ended = self.ended(reverted).await?;
                return Err(EngineError::Conflict(format!(
                    "{ended}; name it to try it again: --digest {}",
                    installed.digest
                )));
            }
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

fn is_reverted(rollout: &Rollout) -> bool {
    rollout.state == RolloutState::Reverted
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

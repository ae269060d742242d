//! What is wrong in a workspace now.

use contactor_store::{
    AlertKind, AlertMemory, Connection, ConnectionId, ConnectionState, Counts, DeletionFilter, DeletionState,
    Rest, RolloutState, StopCause,
};
use jiff::{SignedDuration, Timestamp};

use super::HIGHLEVEL;
use super::decide::Condition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::walk::BACKFILL;

/// Deletions that are counted at most.
const DELETES: u32 = 1_000;

/// A source that was not heard for so long has gone: nobody is told of it any more.
const GONE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What the sweep found counts for so long.
const MISSED_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// How long it is told that a version was taken back.
const REVERTED: SignedDuration = SignedDuration::from_hours(24);

/// A partner's quota is told as used up if its window is as long as this, or the partner itself asks to be left alone for as long.
const LONG_WINDOW: SignedDuration = SignedDuration::from_mins(10);

impl Engine {
    pub(super) async fn conditions(&self, memory: &AlertMemory) -> Result<Vec<Condition>, EngineError> {
        let now = self.now();
        let mut all = Vec::new();
        let rests = self.rests(&memory.workspace).await?;
        for connection in self.store().connections(Some(&memory.workspace)).await? {
            all.extend(stopped(&connection));
            all.extend(self.reverted(&connection.id, now).await?);
            all.extend(rests.iter().filter(|rest| rest.connection == connection.id).map(degraded));
            if connection.state != ConnectionState::Enabled {
                continue;
            }
            let rests = rests.iter().any(|rest| rest.connection == connection.id);
            all.extend(self.stale(&connection, memory, rests).await?);
            all.extend(self.partner_quotas(&connection.id));
            all.extend(silence(connection.id.as_str(), memory, now).map(|text| Condition {
                key: format!("silence:{}", connection.id),
                kind: AlertKind::Silence,
                connection: Some(connection.id.clone()),
                level: 1,
                text,
            }));
        }
        all.extend(silence(HIGHLEVEL, memory, now).map(|text| Condition {
            key: "silence".to_owned(),
            kind: AlertKind::Silence,
            connection: None,
            level: 1,
            text,
        }));
        for group in self.parked_groups(&memory.workspace).await? {
            let count = group.group.count;
            if count < u64::from(memory.rules.parked) {
                continue;
            }
            let of = &group.group.of;
            all.push(Condition {
                key: format!("parked:{}", group.id),
                kind: AlertKind::Parked,
                connection: Some(of.connection.clone()),
                level: count.ilog10() + 1,
                text: format!(
                    "{count} parked ({}): {}; {} (contactor parked show {} {})",
                    of.entity, group.group.example, group.fix, memory.workspace, group.id
                ),
            });
        }
        all.extend(self.deletes_condition(memory).await?);
        all.extend(self.quota_condition(memory).await?);
        all.extend(self.missed_condition(memory).await?);
        Ok(all)
    }

    /// The host took a version back lately, and nobody has begun with another one since.
    async fn reverted(&self, id: &ConnectionId, now: Timestamp) -> Result<Option<Condition>, EngineError> {
        let newest = self.store().rollouts(id, 1).await?.into_iter().next();
        let reverted = newest.filter(|rollout| {
            let lately = rollout.ended_at.is_some_and(|at| now.duration_since(at) < REVERTED);
            rollout.state == RolloutState::Reverted && lately
        });
        Ok(reverted.map(|rollout| Condition {
            key: format!("reverted:{}", rollout.id),
            kind: AlertKind::Reverted,
            connection: Some(id.clone()),
            level: 1,
            text: format!(
                "{}; the version before does all of the work again; contactor connection rollout {}",
                rollout.reason,
                id.as_str().replacen('/', " ", 1)
            ),
        }))
    }

    /// Changes of a connection wait for too long although nothing is known to be wrong with it.
    async fn stale(
        &self,
        connection: &Connection,
        memory: &AlertMemory,
        rests: bool,
    ) -> Result<Option<Condition>, EngineError> {
        // What rests is told as such.
        if rests {
            return Ok(None);
        }
        let mut counts = self.store().counts_of(&connection.id).await?;
        let review = self.store().review(&connection.id).await?;
        if review.is_some_and(|review| review.ended_at.is_none()) {
            // Automations about people who are not linked wait for an approval: nothing is late.
            counts.oldest_delivery = None;
        }
        // A first sync takes as long as it takes; what changes meanwhile does not wait for it.
        let walks = self.store().cursor(&connection.id, BACKFILL).await?.is_some_and(|cursor| !cursor.done);
        let Some(oldest) = oldest(&counts, walks) else { return Ok(None) };
        let waits = self.now().duration_since(oldest);
        let allowed = SignedDuration::from_mins(i64::from(memory.rules.stale_minutes));
        if waits < allowed {
            return Ok(None);
        }
        let times = u32::try_from(waits.as_secs() / allowed.as_secs().max(1)).unwrap_or(u32::MAX);
        let minutes = waits.as_mins();
        Ok(Some(Condition {
            key: format!("stale:{}", connection.id),
            kind: AlertKind::Stale,
            connection: Some(connection.id.clone()),
            level: times.max(1).ilog2() + 1,
            text: format!(
                "of {} changes and {} events for automations the oldest waits for {minutes} minutes; see contactor quota {} and \
                 contactor runs list --workspace {} --outcome retrying",
                counts.dirty, counts.deliveries, memory.workspace, memory.workspace
            ),
        }))
    }

    /// Records whose policy deletes the other one only once a person confirms it.
    async fn deletes_condition(&self, memory: &AlertMemory) -> Result<Option<Condition>, EngineError> {
        let filter = DeletionFilter {
            workspace: memory.workspace.clone(),
            connection: None,
            state: Some(DeletionState::Waiting),
            ended: false,
            limit: DELETES,
        };
        let count = self.store().deletions(filter).await?.len();
        let Some(level) = count.checked_ilog10() else { return Ok(None) };
        let more = if count < DELETES as usize { "" } else { " or more" };
        Ok(Some(Condition {
            key: "deletes".to_owned(),
            kind: AlertKind::Deletes,
            connection: None,
            level: level + 1,
            text: format!(
                "{count}{more} deleted records wait for a decision about the other one: contactor deletes list {} shows them, \
                 deletes confirm or keep decides",
                memory.workspace
            ),
        }))
    }

    async fn quota_condition(&self, memory: &AlertMemory) -> Result<Option<Condition>, EngineError> {
        let workspace = self.workspace(&memory.workspace).await?;
        let budget = self.budget(&workspace);
        let left = budget.daily.remaining;
        let level = match left {
            0 => 2,
            left if left <= budget.reserve => 1,
            _ => return Ok(None),
        };
        let what = if level == 2 { "everything waits" } else { "sweeps and syncs wait, live work goes on" };
        Ok(Some(Condition {
            key: "quota".to_owned(),
            kind: AlertKind::Quota,
            connection: None,
            level,
            text: format!(
                "{left} of HighLevel's {} requests of the day are left: {what} until the new day; contactor quota {} tells who \
                 used them",
                budget.limits.daily, memory.workspace
            ),
        }))
    }

    /// A partner's quota of which nothing is left for a while. A shorter window is a pace, and has room again in a moment.
    fn partner_quotas(&self, connection: &ConnectionId) -> Vec<Condition> {
        let now = self.now();
        let Some(quotas) = self.quotas_of_partners().get(connection).cloned() else { return Vec::new() };
        let mut windows = quotas.windows();
        let declared = quotas.declared().iter().enumerate();
        let used_up = declared.filter_map(|(which, quota)| {
            let until = windows.full_until(which, now)?;
            let blocked = until.duration_since(now) >= LONG_WINDOW;
            let long = SignedDuration::from_secs(i64::from(quota.per_seconds)) >= LONG_WINDOW;
            let workspace = connection.as_str().split('/').next().unwrap_or_default();
            (long || blocked).then(|| Condition {
                key: format!("quota:{connection}:{}:{}", quota.scope, quota.per_seconds),
                kind: AlertKind::Quota,
                connection: Some(connection.clone()),
                level: 1,
                text: format!(
                    "the partner's quota `{}` of {} requests in {} seconds is used up: what has to reach the partner waits, and there \
                     is room again at {until}; contactor quota {workspace} tells who used it",
                    quota.scope, quota.requests, quota.per_seconds
                ),
            })
        });
        used_up.collect()
    }

    async fn missed_condition(&self, memory: &AlertMemory) -> Result<Option<Condition>, EngineError> {
        if memory.rules.missed == 0 {
            return Ok(None);
        }
        let since = self.now().saturating_sub(MISSED_WINDOW).unwrap_or(Timestamp::MIN);
        let count = self.store().found_by_walk(&memory.workspace, since).await?;
        Ok((count >= u64::from(memory.rules.missed)).then(|| Condition {
            key: "missed".to_owned(),
            kind: AlertKind::MissedWebhooks,
            connection: None,
            level: count.ilog10() + 1,
            text: format!(
                "{count} contacts changed within the last hour were found by the sweep and announced by no webhook: look at the \
                 webhooks of the app in HighLevel, and whether they reach this host"
            ),
        }))
    }
}

/// Since when the oldest change waits that no first sync brought, or the oldest event for an automation.
fn oldest(counts: &Counts, walks: bool) -> Option<Timestamp> {
    let record = if walks { counts.oldest_live } else { counts.oldest_dirty };
    record.into_iter().chain(counts.oldest_delivery).min()
}

/// A connection that does nothing until a person looks.
fn stopped(connection: &Connection) -> Option<Condition> {
    let id = &connection.id;
    let (workspace, connector) = (&connection.workspace, &connection.connector);
    let reason = connection.state_reason.clone().unwrap_or_else(|| "no reason was kept".to_owned());
    let (kind, next) = match connection.state {
        ConnectionState::NeedsReconnect if connection.stop_cause == Some(StopCause::Suspended) => (
            AlertKind::Paused,
            format!("it goes on within a day of that, or at once: contactor oauth renew {workspace}"),
        ),
        ConnectionState::NeedsReconnect => (
            AlertKind::NeedsReconnect,
            format!(
                "give it a good credential: contactor connection enable {workspace} {connector} for the partner's, contactor oauth \
                 connect {workspace} or contactor workspace token {workspace} for HighLevel's"
            ),
        ),
        ConnectionState::Paused if connection.stop_cause == Some(StopCause::MassChange) => {
            (AlertKind::MassChange, format!("look at it: contactor guard show {workspace} {connector}"))
        }
        ConnectionState::Paused if connection.stop_cause == Some(StopCause::Unvouched) => (
            AlertKind::Paused,
            format!(
                "it goes on when the host starts with that publisher in its configuration again, or with another component: contactor \
                 connection enable {workspace} {connector} --digest DIGEST"
            ),
        ),
        ConnectionState::Paused => {
            (AlertKind::Paused, format!("look at it: contactor connection show {workspace} {connector}"))
        }
        ConnectionState::Enabled | ConnectionState::Disabled => return None,
    };
    let word = match kind {
        AlertKind::NeedsReconnect => "reconnect",
        AlertKind::MassChange => "mass-change",
        _ => "paused",
    };
    Some(Condition {
        key: format!("{word}:{id}"),
        kind,
        connection: Some(id.clone()),
        level: 1,
        text: format!("{reason}; nothing is lost, what comes waits; {next}"),
    })
}

fn degraded(rest: &Rest) -> Condition {
    let what = rest.subject.as_deref().unwrap_or("everything");
    Condition {
        key: format!("degraded:{}:{what}", rest.connection),
        kind: AlertKind::Degraded,
        connection: Some(rest.connection.clone()),
        level: 1,
        text: format!(
            "{what} rests after {} failures in a row, the last: {}; it is tried again by itself",
            rest.failures, rest.reason
        ),
    }
}

/// What to say of a source that sent webhooks and sends none any more.
fn silence(source: &str, memory: &AlertMemory, now: Timestamp) -> Option<String> {
    let (_, at) = memory.heard.iter().find(|(heard, _)| heard == source)?;
    let allowed = SignedDuration::from_hours(i64::from(memory.rules.silence_hours));
    let silent = now.duration_since(*at);
    if allowed.is_zero() || silent < allowed || silent > GONE {
        return None;
    }
    let hours = silent.as_hours();
    Some(format!(
        "no webhook came for {hours} hours, the last at {at}: look whether it still sends them, and whether they reach this host"
    ))
}

#[cfg(test)]
mod tests {
    use contactor_store::{AlertRules, WorkspaceId};

    use super::*;

    #[test]
    fn events_for_automations_wait_as_changes_do_and_a_first_sync_hides_no_live_change() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let counts = |dirty, live, delivery| Counts {
            oldest_dirty: dirty,
            oldest_live: live,
            oldest_delivery: delivery,
            ..Counts::default()
        };
        assert_eq!(oldest(&counts(at(10), None, None), false), at(10));
        assert_eq!(oldest(&counts(at(10), None, None), true), None, "what the first sync brought");
        assert_eq!(oldest(&counts(at(10), at(20), None), true), at(20));
        assert_eq!(oldest(&counts(at(10), at(20), at(15)), true), at(15));
        assert_eq!(oldest(&counts(None, None, at(15)), false), at(15));
    }

    #[test]
    fn a_source_that_was_never_heard_or_has_gone_is_not_missed() {
        let at = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3_600).unwrap();
        let memory = AlertMemory {
            workspace: WorkspaceId::new("acme"),
            rules: AlertRules::default(),
            alerts: vec![],
            heard: vec![("acme/prefinery".to_owned(), at(0))],
        };
        assert_eq!(silence("acme/prefinery", &memory, at(47)), None);
        assert!(silence("acme/prefinery", &memory, at(49)).unwrap().contains("49 hours"));
        assert_eq!(silence("acme/prefinery", &memory, at(24 * 31)), None);
        assert_eq!(silence(HIGHLEVEL, &memory, at(49)), None);
    }
}

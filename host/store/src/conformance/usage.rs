//! What the vendors' quotas were used for, and what is left of them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::world::*;
use crate::model::*;

/// The beginning of an hour.
const HOUR: Timestamp = Timestamp::constant(1_700_002_800, 0);

fn used(
    connection: &ConnectionId,
    hour: Timestamp,
    priority: Priority,
    highlevel: u64,
    partner: u64,
) -> Usage {
    Usage { connection: connection.clone(), hour, priority, highlevel, partner }
}

pub(super) async fn calls_are_summed_by_hour_and_priority(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    let (mine, next) = (prefinery(), HOUR + SignedDuration::from_hours(1));
    let gone = ConnectionId::new("acme/gone");
    let first = vec![
        used(&mine, HOUR, Priority::Webhook, 3, 2),
        used(&mine, HOUR, Priority::Sweep, 1, 0),
        used(&other, HOUR, Priority::Webhook, 100, 100),
        used(&gone, HOUR, Priority::Webhook, 9, 9),
    ];
    world.store.add_usage(first).await.unwrap();
    let second = vec![used(&mine, HOUR, Priority::Webhook, 4, 1), used(&mine, next, Priority::Webhook, 1, 1)];
    world.store.add_usage(second).await.unwrap();
    let world = world.restart().await;
    let all = world.store.usage(&acme(), HOUR).await.unwrap();
    assert_eq!(
        all,
        [
            used(&mine, HOUR, Priority::Webhook, 7, 3),
            used(&mine, HOUR, Priority::Sweep, 1, 0),
            used(&mine, next, Priority::Webhook, 1, 1),
        ]
    );
    assert_eq!(world.store.usage(&acme(), next).await.unwrap().len(), 1);
    while world.store.expire(LATER, Duration::from_hours(24)).await.unwrap() > 0 {}
    assert_eq!(world.store.usage(&acme(), HOUR).await.unwrap(), []);
}

pub(super) async fn what_is_left_of_a_day_survives_a_restart(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    assert_eq!(world.store.budget(&acme()).await.unwrap(), None);
    let budget = DailyBudget { workspace: acme(), remaining: 7, resets_at: Some(LATER), seen_at: HOUR };
    world.store.put_budget(budget.clone()).await.unwrap();
    let newer = DailyBudget { remaining: 5, resets_at: None, ..budget };
    world.store.put_budget(newer.clone()).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.budget(&acme()).await.unwrap(), Some(newer));
}

pub(super) async fn what_was_used_of_a_partners_quota_survives_a_restart(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    let window = |connection: &ConnectionId, per_seconds, taken| PartnerWindow {
        connection: connection.clone(),
        scope: "projects".to_owned(),
        per_seconds,
        taken,
        blocked_until: None,
    };
    let day = window(&prefinery(), 86_400, vec![(HOUR, 7), (LATER, 2)]);
    let first = vec![
        day.clone(),
        window(&prefinery(), 60, vec![(HOUR, 1)]),
        window(&other, 60, vec![(HOUR, 5)]),
        window(&ConnectionId::new("acme/gone"), 60, vec![(HOUR, 9)]),
    ];
    world.store.put_partner_windows(first).await.unwrap();
    let minute = PartnerWindow { blocked_until: Some(LATER), ..window(&prefinery(), 60, Vec::new()) };
    world.store.put_partner_windows(vec![minute.clone()]).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.partner_windows(&prefinery()).await.unwrap(), [minute, day]);
    assert_eq!(world.store.partner_windows(&ConnectionId::new("acme/gone")).await.unwrap(), []);
}

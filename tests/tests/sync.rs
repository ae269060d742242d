//! A first sync: what it costs, said before it is begun, and in which order those of one location walk.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_engine::{EngineConfig, Verdict};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_tests::engine::Stand;
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::json;

const PEOPLE: u64 = 12;

/// A location with people of whom no webhook tells.
async fn stand() -> Stand {
    let config = EngineConfig { backfill_window: 4, page_size: 2, ..EngineConfig::default() };
    let stand = Stand::serve_engine(partners::sandbox(), config).await.unwrap();
    let location = stand.sandbox.highlevel().first_location();
    for number in 0..PEOPLE {
        let fields = json!({ "firstName": "Ann", "email": format!("ann{number}@example.com") });
        stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    }
    stand.sandbox.highlevel().webhooks().clear();
    stand.sandbox.highlevel().refresh_index();
    stand
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backfills_of_one_location_walk_one_after_the_other_and_say_for_whom_they_wait() {
    let stand = stand().await;
    let engine = &stand.engine;
    let late = partners::connect(&stand, partners::connectif(&stand.sandbox)).await.unwrap().id;
    let early = partners::connect(&stand, partners::prefinery(&stand.sandbox)).await.unwrap().id;
    assert_eq!(engine.start_sync(&early, false).await.unwrap().waits_for, None);
    stand.advance(SignedDuration::from_secs(1));
    assert_eq!(engine.start_sync(&late, false).await.unwrap().waits_for, Some(early.clone()));

    // As far as it goes while nothing is worked off.
    engine.walk_until_rest().await;
    let (first, second) =
        (engine.sync_progress(&early).await.unwrap(), engine.sync_progress(&late).await.unwrap());
    assert!(first.walking && first.seen > 0 && first.seen < PEOPLE, "{first:?}");
    assert_eq!((second.walking, second.seen, second.waits_for), (true, 0, Some(early.clone())));
    // Whoever has begun is not overtaken, also when it is asked for again.
    assert_eq!(engine.start_sync(&early, false).await.unwrap().waits_for, None);

    stand.walk().await.unwrap();
    for id in [&early, &late] {
        let progress = engine.sync_progress(id).await.unwrap();
        assert_eq!((progress.walking, progress.seen, progress.waits_for), (false, PEOPLE, None), "{id}");
        assert_eq!(progress.links, PEOPLE, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_first_sync_costs_is_said_before_it_is_begun() {
    let stand = stand().await;
    let engine = &stand.engine;
    let id = partners::connect(&stand, partners::prefinery(&stand.sandbox)).await.unwrap().id;
    let first = engine.sync_estimate(&id).await.unwrap();
    let estimate = first.estimate;
    assert_eq!(first.contacts, PEOPLE);
    // A read and a write of each, and pages of two.
    assert!(estimate.highlevel_calls >= 2 * PEOPLE + PEOPLE / 2, "{estimate:?}");
    assert!(estimate.partner_calls >= 2 * PEOPLE && estimate.minutes > 0.0 && estimate.day_percent > 0.0);
    let progress = engine.sync_progress(&id).await.unwrap();
    assert_eq!((progress.walking, progress.total, progress.estimate.highlevel_calls), (false, None, 0));

    engine.start_sync(&id, false).await.unwrap();
    engine.walk_until_rest().await;
    let begun = engine.sync_progress(&id).await.unwrap().estimate;
    assert!(begun.highlevel_calls > 0 && begun.highlevel_calls <= estimate.highlevel_calls, "{begun:?}");
    stand.walk().await.unwrap();
    assert_eq!(engine.sync_progress(&id).await.unwrap().estimate.highlevel_calls, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_who_exists_only_at_the_partner_and_writes_nothing_anywhere() {
    let stand = stand().await;
    let (highlevel, prefinery) = (stand.sandbox.highlevel(), stand.sandbox.prefinery());
    let project = prefinery.first_project();
    for email in ["bo@example.com", "cy@example.com"] {
        let fields = json!({ "email": email, "profile": { "first_name": "Only", "last_name": "There" } });
        prefinery.act(project, ProjectAct::CreateTester { fields }).unwrap();
    }
    let id = partners::connect(&stand, partners::prefinery(&stand.sandbox)).await.unwrap().id;
    let everything = || (highlevel.contacts(&highlevel.first_location()), prefinery.testers(project));
    let before = everything();
    stand.sandbox.recorder().clear();

    let report = stand.engine.preview(&id, 100).await.unwrap();
    let only_there = report.items.iter().filter(|item| item.verdict == Verdict::CreateHighlevel);
    let labels: Vec<_> = only_there.filter_map(|item| item.label.clone()).collect();
    assert_eq!((labels.len(), report.creates), (2, PEOPLE + 2), "{report:#?}");
    assert_eq!(report.remarks, [] as [String; 0]);

    assert!(everything() == before, "nothing is changed on either side");
    let requests = stand.sandbox.recorder().recent();
    let writes = requests.iter().filter(|seen| seen.method != "GET" && !seen.operation.contains("search"));
    assert_eq!(writes.map(|seen| &seen.operation).collect::<Vec<_>>(), [] as [&String; 0]);
    assert!(requests.len() as u64 > PEOPLE, "it has read both sides");
    let store = stand.engine.store();
    assert_eq!(store.counts(None).await.unwrap().dirty, 0);
    assert_eq!(store.links(&id, "contact", None, 100).await.unwrap(), []);
    assert_eq!(store.cursor(&id, "poll:testers").await.unwrap(), None, "no stream has moved");
}

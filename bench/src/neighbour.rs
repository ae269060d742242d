//! An edit in one workspace while another has a million records to do, and five more are at their quota.
//!
//! HighLevel's quota is enforced for each location, as the vendor does. What a busy neighbour may cost is at most what the
//! edit's own quota could cost: one request, a tenth of a second.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::highlevel::{HighLevelConfig, LocationConfig};
use contactor_sandbox::prefinery::ProjectConfig;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::sqlite::SqliteStore;
use contactor_store::{ConnectionId, EventStore as _, Mark, Priority, RecordId, Side};
use contactor_tests::host::{Host, PATIENCE};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::report::{Bar, Figure, median};
use crate::size::Size;
use crate::stage::{Stage, new_contacts, rename};

/// The workspace that is edited; the others have smaller numbers.
const EDITED: u32 = 7;
/// Records that wait in each of those that are only at their quota.
const BUSY: usize = 5_000;
/// Records marked in one commit.
const BATCH: usize = 10_000;
/// Requests leave HighLevel's quota of ten a second half unused.
const PAUSE: Duration = Duration::from_millis(200);
/// How exactly the partner's write is seen.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let config = SandboxConfig { highlevel: HighLevelConfig::default(), ..SandboxConfig::free_of_cost() };
    let stage = Stage::plain(scratch, Sandbox::start(config).await?).await?;
    stage.host.install("prefinery").await?;
    for number in 1..=EDITED {
        connect(&stage, number).await?;
    }
    let location = LocationConfig::numbered(EDITED).id;
    let contacts = new_contacts(&stage.sandbox, &location, "Person", 10)?;
    stage.sandbox.highlevel().refresh_index();
    stage.host.post(&format!("/workspaces/w{EDITED}/connections/prefinery/sync"), &json!({})).await?;
    let linked = async || Ok(stage.sandbox.prefinery().testers(u64::from(EDITED)).len() == contacts.len());
    stage.host.until("the contacts are linked", linked).await?;
    let quiet = edits(&stage, &location, &contacts, "Quiet", size.edits).await?;

    let stopped = stage.stop().await?;
    let store = SqliteStore::open(&stopped.dir().join("contactor.db"))?;
    for number in 1..EDITED {
        let records = if number == 1 { size.dirty } else { BUSY.min(size.dirty) };
        mark(&store, number, records).await?;
    }
    drop(store);
    let host = Host::start(stopped.dir()).await?;
    let stage = stopped.revive(host);
    // Whatever a location may send in one gulp is sent.
    let used = async || Ok(stage.sandbox.recorder().count_of("highlevel.contacts.get").requests > 700);
    stage.host.until("all neighbours are at their quota", used).await?;
    let beside = edits(&stage, &location, &contacts, "Beside", size.edits).await?;
    let health = stage.host.get("/health").await?;
    let waiting = health["counts"]["waiting"].as_u64().context("no count of what waits")?;
    ensure!(waiting >= size.dirty as u64 / 2, "the neighbours were done too early: {waiting} wait");
    stage.host.kill9().await?;
    stage.sandbox.shutdown().await;
    let figure =
        |name, of: fn(&[f64]) -> f64| Figure::new(name, of(&beside), "ms", beside.len()).over(of(&quiet));
    let delay = median(beside.iter().copied()) - median(quiet.iter().copied());
    Ok(vec![
        figure("an edit beside a million dirty records, p50", |all| median(all.iter().copied()))
            .note(format!("floor: without them; {waiting} records wait in six other workspaces")),
        figure("an edit beside a million dirty records, p99", |all| all[all.len() * 99 / 100]),
        Figure::new("delay by the neighbours, p50", delay, "ms", beside.len()).bar(Bar::AtMost(100.0)),
    ])
}

/// A workspace with a location and a project of its own.
async fn connect(stage: &Stage, number: u32) -> Result<()> {
    let location = LocationConfig::numbered(number);
    let project = u64::from(number);
    if number > 1 {
        stage.sandbox.highlevel().add_location(location.clone());
        stage.sandbox.prefinery().add_project(ProjectConfig { id: project, ..ProjectConfig::default() });
    }
    let id = format!("w{number}");
    let workspace = json!({ "id": id, "location": location.id, "token": location.private_token });
    stage.host.post("/workspaces", &workspace).await?;
    let connection = json!({
        "base_url": stage.sandbox.prefinery_url(),
        "credentials": { "key": stage.sandbox.prefinery().api_key() },
        "settings": { "beta_id": project.to_string() },
    });
    stage.host.put(&format!("/workspaces/{id}/connections/prefinery"), &connection).await?;
    stage.sandbox.prefinery().set_webhook_target(project, None);
    Ok(())
}

/// Marks records that HighLevel does not know: each costs one read.
async fn mark(store: &SqliteStore, workspace: u32, records: usize) -> Result<()> {
    let connection = ConnectionId::new(format!("w{workspace}/prefinery"));
    for first in (0..records).step_by(BATCH) {
        let marks = (first..records.min(first + BATCH)).map(|record| Mark {
            entity: "contact".to_owned(),
            side: Side::Highlevel,
            record: RecordId::new(format!("unknown-{workspace}-{record}")),
            snapshot: None,
            deleted: false,
        });
        store.mark(&connection, marks.collect(), Priority::Webhook, None).await?;
    }
    Ok(())
}

/// Milliseconds from each edit's webhook to the partner's write, sorted.
async fn edits(
    stage: &Stage,
    location: &str,
    contacts: &[String],
    name: &str,
    count: usize,
) -> Result<Vec<f64>> {
    let writes = || stage.sandbox.recorder().carried_out("prefinery.testers.update");
    let mut times = Vec::with_capacity(count);
    for edit in 0..count {
        let contact = &contacts[edit % contacts.len()];
        let bodies =
            rename(&stage.sandbox, location, std::slice::from_ref(contact), &format!("{name} {edit}"))?;
        let load = Load::of(stage.sandbox.highlevel(), bodies);
        let before = writes();
        let begun = Instant::now();
        load.run(&stage.address(), 1).await?;
        while writes() == before {
            ensure!(begun.elapsed() < PATIENCE, "an edit of {name} did not reach the partner");
            sleep(LOOK).await;
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        sleep(PAUSE).await;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

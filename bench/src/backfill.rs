//! A backfill against HighLevel's quota, which the double enforces as a sliding window, while people go on to edit.
//!
//! Time is scaled: the double allows its hundred requests in a quarter of HighLevel's interval, so a second here is four
//! seconds there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use contactor_sandbox::highlevel::{HighLevelConfig, Limits};
use contactor_sandbox::{Sandbox, SandboxConfig};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::report::{Bar, Figure};
use crate::size::Size;
use crate::stage::{CONNECTION, Stage, new_contacts, rename};

/// How many times faster than HighLevel's the double's clock of the quota is.
const SCALE: u32 = 4;
/// Contacts that are linked before, and edited during the backfill.
const EDITED: usize = 20;
/// Between two edits.
const PAUSE: Duration = Duration::from_millis(400);
/// How exactly an edit's effect is seen.
const LOOK: Duration = Duration::from_millis(2);

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let limits = Limits { interval_millis: 10_000 / i64::from(SCALE), ..Limits::default() };
    let highlevel = HighLevelConfig { limits: Some(limits), ..HighLevelConfig::default() };
    let config = SandboxConfig { highlevel, ..SandboxConfig::free_of_cost() };
    let stage = Stage::connected(scratch, Sandbox::start(config).await?).await?;
    let edited = new_contacts(&stage.sandbox, &stage.location, "Edited", EDITED)?;
    stage.sandbox.highlevel().refresh_index();
    stage.host.post(&format!("{CONNECTION}/sync"), &json!({})).await?;
    stage.settled().await?;
    new_contacts(&stage.sandbox, &stage.location, "Person", size.backfill)?;
    stage.sandbox.highlevel().refresh_index();
    let recorder = stage.sandbox.recorder();
    let created = || recorder.carried_out("prefinery.testers.create");
    let (goal, before) = ((EDITED + size.backfill) as u64, created());
    stage.host.post(&format!("{CONNECTION}/sync"), &json!({ "full": true })).await?;
    // From the first interval's gulp on until little is left.
    let started = before + size.backfill as u64 / 10;
    stage.host.until("the backfill is under way", async || Ok(created() >= started)).await?;
    let (begun, first) = (Instant::now(), recorder.requests("highlevel."));
    let mut times = Vec::new();
    while created() < goal - size.backfill as u64 / 20 {
        times.push(edit(&stage, &edited[times.len() % EDITED], times.len()).await?.as_secs_f64());
        sleep(PAUSE).await;
    }
    let requests = recorder.requests("highlevel.") - first;
    let seconds = begun.elapsed().as_secs_f64();
    let refused: u64 = recorder.counts().values().map(|count| count.limited).sum();
    stage.host.until("all contacts are there", async || Ok(created() == goal)).await?;
    stage.host.kill9().await?;
    stage.sandbox.shutdown().await;
    let allowed = f64::from(limits.burst) * seconds * 1e3 / limits.interval_millis as f64;
    let samples = usize::try_from(requests)?;
    times.sort_by(f64::total_cmp);
    ensure!(!times.is_empty(), "the backfill was over before anything was edited");
    let scaled = |seconds: f64| seconds * f64::from(SCALE);
    Ok(vec![
        Figure::new("backfill, share of the allowed rate", requests as f64 / allowed, "", samples)
            .bar(Bar::AtLeast(0.98))
            .note(format!(
                "{requests} of {allowed:.0} requests in {seconds:.0} s, time {SCALE} times as fast; {} edits meanwhile",
                times.len()
            )),
        Figure::new("backfill, answers 429", refused as f64, "", samples).bar(Bar::AtMost(0.0)),
        Figure::new("live edit during it, p50", scaled(times[times.len() / 2]), "s", times.len()),
        Figure::new("live edit during it, p99", scaled(times[times.len() * 99 / 100]), "s", times.len())
            .bar(Bar::AtMost(2.0))
            .note("from the webhook to the partner's write, in HighLevel's time"),
    ])
}

/// Edits a contact and waits until the partner shows it.
async fn edit(stage: &Stage, contact: &str, number: usize) -> Result<Duration> {
    let contacts = [contact.to_owned()];
    let bodies = rename(&stage.sandbox, &stage.location, &contacts, &format!("Live {number}"))?;
    let load = Load::of(stage.sandbox.highlevel(), bodies);
    let writes = || stage.sandbox.recorder().carried_out("prefinery.testers.update");
    let before = writes();
    let begun = Instant::now();
    load.run(&stage.address(), 1).await?;
    while writes() == before {
        ensure!(begun.elapsed() < contactor_tests::host::PATIENCE, "edit {number} did not reach the partner");
        sleep(LOOK).await;
    }
    Ok(begun.elapsed())
}

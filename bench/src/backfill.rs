//! A backfill against HighLevel's quota, which the double enforces as a sliding window.

use std::path::Path;

use anyhow::{Result, ensure};
use contactor_sandbox::highlevel::HighLevelConfig;
use contactor_sandbox::{Sandbox, SandboxConfig};
use serde_json::json;
use tokio::time::sleep;

use crate::report::{Bar, Figure};
use crate::size::Size;
use crate::stage::{CONNECTION, Stage, new_contacts};

/// More than can be brought over while it is watched.
const CONTACTS: usize = 800;

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let free = SandboxConfig::free_of_cost();
    let config = SandboxConfig { highlevel: HighLevelConfig::default(), ..free };
    let stage = Stage::connected(scratch, Sandbox::start(config).await?).await?;
    let limits = stage.sandbox.highlevel().limits().unwrap_or_default();
    new_contacts(&stage.sandbox, &stage.location, CONTACTS)?;
    stage.sandbox.highlevel().refresh_index();
    let (before, watched) = size.backfill;
    stage.host.post(&format!("{CONNECTION}/sync"), &json!({})).await?;
    let recorder = stage.sandbox.recorder();
    sleep(before).await;
    let begun = tokio::time::Instant::now();
    let first = recorder.requests("highlevel.");
    sleep(watched).await;
    let requests = recorder.requests("highlevel.") - first;
    let seconds = begun.elapsed().as_secs_f64();
    let progress = stage.host.get(&format!("{CONNECTION}/sync")).await?;
    ensure!(
        progress["waiting"] != 0 || progress["walking"] == true,
        "the backfill ended too early: {progress}"
    );
    let refused: u64 = recorder.counts().values().map(|count| count.limited).sum();
    let allowed = f64::from(limits.burst) * seconds * 1e3 / limits.interval_millis as f64;
    stage.host.kill9().await?;
    stage.sandbox.shutdown().await;
    let samples = usize::try_from(requests)?;
    Ok(vec![
        Figure::new("backfill, share of the allowed rate", requests as f64 / allowed, "", samples)
            .bar(Bar::AtLeast(0.98))
            .note(format!("{requests} of {allowed:.0} requests in {seconds:.0} s")),
        Figure::new("backfill, answers 429", refused as f64, "", samples).bar(Bar::AtMost(0.0)),
    ])
}

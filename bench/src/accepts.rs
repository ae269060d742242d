//! Durable accepts: signed webhooks that are verified, stored and answered with 200, against a bare program that verifies
//! and stores.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use contactor_sandbox::highlevel::HighLevel;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::load::{Load, Rate};
use crate::report::{Bar, Figure, median};
use crate::size::{CONNECTIONS, Size};
use crate::stage::Stage;

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let bare = Stage::bare(scratch, Sandbox::start(SandboxConfig::free_of_cost()).await?).await?;
    let mut figures = compare(size, scratch, &bare, "no connection", Names::BARE).await?;
    bare.end().await?;
    // The double keeps HighLevel's own quota, so nearly every run waits while the webhooks come in.
    let busy = Stage::connected(scratch, Sandbox::start(SandboxConfig::default()).await?).await?;
    let note = "one connection whose quota is used up: records are marked, runs wait";
    figures.extend(compare(size, scratch, &busy, note, Names::MARKED).await?);
    // Thousands of records wait for the quota: an orderly end would take as long as they do.
    busy.host.kill9().await?;
    busy.sandbox.shutdown().await;
    Ok(figures)
}

struct Names {
    rate: &'static str,
    p50: &'static str,
    p99: &'static str,
}

impl Names {
    const BARE: Self =
        Self { rate: "durable accepts", p50: "durable accepts, p50", p99: "durable accepts, p99" };
    const MARKED: Self = Self {
        rate: "durable accepts with marks",
        p50: "durable accepts with marks, p50",
        p99: "durable accepts with marks, p99",
    };
}

/// One round of each.
struct Pair {
    floor: Rate,
    host: Rate,
}

async fn compare(
    size: &Size,
    scratch: &Path,
    stage: &Stage,
    note: &str,
    names: Names,
) -> Result<Vec<Figure>> {
    let highlevel = stage.sandbox.highlevel();
    let floor = Floor::start(scratch, highlevel).await?;
    let load = |name: &str| Load::made_up(highlevel, &stage.location, name, size.accepts);
    // Both have opened files, grown caches and warm code before anything counts.
    load("floor-warm").run(&floor.address, CONNECTIONS).await?;
    load("host-warm").run(&stage.address(), CONNECTIONS).await?;
    let mut pairs = Vec::with_capacity(size.accept_rounds);
    for round in 0..size.accept_rounds {
        pairs.push(Pair {
            floor: load(&format!("floor-{round}")).run(&floor.address, CONNECTIONS).await?,
            host: load(&format!("host-{round}")).run(&stage.address(), CONNECTIONS).await?,
        });
    }
    let samples = size.accepts * size.accept_rounds;
    let figure = |name, unit, of: fn(&Rate) -> f64| {
        Figure::new(name, median(pairs.iter().map(|pair| of(&pair.host))), unit, samples)
            .over(median(pairs.iter().map(|pair| of(&pair.floor))))
            .ratio(median(pairs.iter().map(|pair| of(&pair.host) / of(&pair.floor))))
    };
    Ok(vec![
        figure(names.rate, "/s", |rate| rate.per_second)
            .bar(Bar::RatioAtLeast(0.6))
            .note(format!("{note}; {CONNECTIONS} connections")),
        figure(names.p50, "ms", |rate| rate.p50.as_secs_f64() * 1e3),
        figure(names.p99, "ms", |rate| rate.p99.as_secs_f64() * 1e3).bar(Bar::AtMost(15.0)),
    ])
}

/// The bare program, killed when dropped.
struct Floor {
    address: String,
    _child: Child,
    _dir: TempDir,
}

impl Floor {
    async fn start(scratch: &Path, highlevel: &HighLevel) -> Result<Self> {
        let dir = tempfile::tempdir_in(scratch)?;
        let mut child = Command::new(artefacts::binary("floor")?)
            .arg(dir.path().join("floor.db"))
            .arg(hex::encode(highlevel.webhook_public_key()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("the floor has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.context("the floor ended at once")?;
        let address = line.rsplit("http://").next().unwrap_or_default().to_owned();
        Ok(Self { address, _child: child, _dir: dir })
    }
}

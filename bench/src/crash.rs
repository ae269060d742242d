//! kill -9 under load: how soon a host serves again, and whether it kept what it had accepted.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use contactor_tests::host::{Host, PATIENCE};

use crate::load::{Load, webhook_id};
use crate::report::{Bar, Figure, median};
use crate::size::{CONNECTIONS, Size};
use crate::stage::{Stage, new_contacts, unlimited};

/// How often the load's progress is looked at before the kill.
const LOOK: Duration = Duration::from_millis(1);

/// One kill and the start after it.
struct Crash {
    serving: Duration,
    accepting: Duration,
    accepted: usize,
    lost: usize,
}

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let mut stage = Stage::connected(scratch, unlimited().await?).await?;
    // A first sync is under way when the host is killed for the first time, so that creates are cut off as well.
    let contacts = new_contacts(&stage.sandbox, &stage.location, "Person", size.contacts)?.len();
    stage.host.post(&format!("{}/sync", crate::stage::CONNECTION), &serde_json::json!({})).await?;
    let mut crashes = Vec::with_capacity(size.crashes);
    for round in 0..size.crashes {
        let (next, crash) = crash(stage, size.crash_webhooks, &format!("crash-{round}")).await?;
        stage = next;
        crashes.push(crash);
    }
    stage.settled().await?;
    let testers = stage.sandbox.prefinery().testers(stage.project);
    let emails: HashSet<_> = testers.iter().filter_map(|tester| tester["email"].as_str()).collect();
    let twice = testers.len() - emails.len();
    ensure!(emails.len() == contacts, "{} of {contacts} contacts were brought over", emails.len());
    stage.end().await?;
    let seconds = |of: fn(&Crash) -> Duration| median(crashes.iter().map(|crash| of(crash).as_secs_f64()));
    let accepted: usize = crashes.iter().map(|crash| crash.accepted).sum();
    let lost: usize = crashes.iter().map(|crash| crash.lost).sum();
    Ok(vec![
        Figure::new(
            "kill -9 under load, to 200 on /healthz",
            seconds(|crash| crash.serving),
            "s",
            size.crashes,
        )
        .bar(Bar::AtMost(2.0))
        .note("from the start of the new process"),
        Figure::new(
            "kill -9 under load, to the next accept",
            seconds(|crash| crash.accepting),
            "s",
            size.crashes,
        )
        .bar(Bar::AtMost(2.0)),
        Figure::new("accepted webhooks lost", lost as f64, "", accepted).bar(Bar::AtMost(0.0)),
        Figure::new("testers created twice", twice as f64, "", contacts).bar(Bar::AtMost(0.0)),
    ])
}

async fn crash(stage: Stage, webhooks: usize, name: &str) -> Result<(Stage, Crash)> {
    let load = Load::made_up(stage.sandbox.highlevel(), &stage.location, name, webhooks);
    let progress = Arc::new(AtomicUsize::new(0));
    let (address, counter) = (stage.address(), Arc::clone(&progress));
    let sending = tokio::spawn(async move { load.run_until_broken(&address, CONNECTIONS, counter).await });
    let begun = Instant::now();
    while progress.load(Ordering::Relaxed) < webhooks / 2 {
        ensure!(begun.elapsed() < PATIENCE && !sending.is_finished(), "the load ended before the kill");
        tokio::time::sleep(LOOK).await;
    }
    let stage = stage.kill().await?;
    let accepted = sending.await??;
    ensure!(accepted.len() < webhooks, "the host was killed too late");
    let begun = Instant::now();
    let host = Host::start(stage.dir()).await?;
    let serving = begun.elapsed();
    let stage = stage.revive(host);
    let again = Load::made_up(stage.sandbox.highlevel(), &stage.location, &format!("{name}-again"), 1);
    again.run(&stage.address(), 1).await?;
    let accepting = begun.elapsed();
    let stored = stored(&stage.dir().join("contactor.db"))?;
    let lost = accepted.iter().filter(|number| !stored.contains(&webhook_id(name, **number))).count();
    Ok((stage, Crash { serving, accepting, accepted: accepted.len(), lost }))
}

/// The de-duplication keys of all stored events, read beside the running host.
fn stored(database: &Path) -> Result<HashSet<String>> {
    let connection =
        rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
            .with_context(|| format!("cannot open {}", database.display()))?;
    let mut events = connection.prepare("SELECT key FROM events")?;
    let keys = events.query_map([], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

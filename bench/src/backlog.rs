//! A backlog of webhooks that came in while HighLevel's quota was used up, and how it drains once the quota is back.
//!
//! Each webhook is about a contact of its own that the partner does not have yet, so each is a whole run: read, look for the
//! counterpart, create, commit. The peak is the best twentieth of the same drain.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::highlevel::{Limits, Window};
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::machine;
use crate::report::{Bar, Figure};
use crate::size::{CONNECTIONS, Size};
use crate::stage::{PLENTY, Stage, new_contacts, unlimited};

/// How often progress and memory are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The drain is divided into so many parts of equal size.
const PARTS: usize = 20;
/// Contacts that are made before their webhooks are collected.
const PORTION: usize = 5_000;
/// A rate below which the drain is given up.
const SLOWEST: u64 = 50;
/// Hardly any request passes while the backlog comes in; the interval is short, so that the host soon learns better.
const USED_UP: Limits =
    Limits { burst: 1, interval_millis: 2_000, daily: 2_000_000_000, window: Window::Fixed };

/// One look at the drain.
struct Look {
    at: Duration,
    done: u64,
    resident: u64,
}

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let stage = Stage::connected(scratch, unlimited().await?).await?;
    // Files, caches and code are warm before anything counts.
    stage.link(size.contacts.min(500)).await?;
    let highlevel = stage.sandbox.highlevel();
    highlevel.webhooks().clear();
    let mut bodies = Vec::new();
    for (family, count) in families(size.backlog) {
        new_contacts(&stage.sandbox, &stage.location, &family, count)?;
        bodies.extend(highlevel.webhooks().of_type("ContactCreate").into_iter().map(|sent| sent.body));
        highlevel.webhooks().clear();
    }
    ensure!(bodies.len() == size.backlog, "{} webhooks for {} contacts", bodies.len(), size.backlog);
    // Some pass while the others come in.
    let first = stage.sandbox.recorder().carried_out("prefinery.testers.create");
    highlevel.set_limits(Some(USED_UP));
    Load::of(highlevel, bodies).run(&stage.address(), CONNECTIONS).await?;
    let looks = drain(&stage, first, size.backlog as u64).await?;
    let testers = stage.sandbox.prefinery().testers(stage.project).len();
    ensure!(testers == size.contacts.min(500) + size.backlog, "{testers} testers after the drain");
    stage.host.kill9().await?;
    stage.sandbox.shutdown().await;
    let Rates { rate, parts } = rates(&looks).context("the backlog drained before it was looked at")?;
    let peak = parts.iter().copied().fold(0.0, f64::max);
    let parts: Vec<String> = parts.iter().map(|part| format!("{part:.0}")).collect();
    let resident = |from: usize, to: usize| -> f64 {
        let part = &looks[looks.len() * from / PARTS..looks.len() * to / PARTS];
        part.iter().map(|look| look.resident).max().unwrap_or_default() as f64 / f64::from(1 << 20)
    };
    let (early, late) = (resident(1, PARTS / 4), resident(PARTS / 2, PARTS));
    Ok(vec![
        Figure::new("a backlog drains", rate, "/s", size.backlog)
            .over(peak)
            .bar(Bar::RatioAtLeast(0.8))
            .note(format!("over the best of {PARTS} equal parts of the same drain: {}", parts.join(" "))),
        Figure::new("a backlog drains, the host's memory", late, "MiB", looks.len())
            .over(early)
            .bar(Bar::RatioAtMost(1.1))
            .note("most in the second half over most in the first quarter"),
    ])
}

/// Contacts in portions with names of their own, because a double remembers its last webhooks only.
fn families(count: usize) -> impl Iterator<Item = (String, usize)> {
    (0..count).step_by(PORTION).map(move |first| (format!("Late{first}n"), PORTION.min(count - first)))
}

/// Gives the quota back and watches the partner's creates until all are there.
async fn drain(stage: &Stage, first: u64, backlog: u64) -> Result<Vec<Look>> {
    let recorder = stage.sandbox.recorder();
    let done = || recorder.carried_out("prefinery.testers.create") - first;
    stage.sandbox.highlevel().set_limits(Some(PLENTY));
    let begun = Instant::now();
    let mut looks: Vec<Look> = Vec::new();
    while looks.last().is_none_or(|look| look.done < backlog) {
        let resident = machine::child_resident("contactor").context("the host is not to be seen in /proc")?;
        looks.push(Look { at: begun.elapsed(), done: done(), resident });
        ensure!(
            begun.elapsed().as_secs() < 60 + backlog / SLOWEST,
            "{} of {backlog} were done in {:?}",
            done(),
            begun.elapsed()
        );
        sleep(LOOK).await;
    }
    Ok(looks)
}

/// Runs per second.
struct Rates {
    /// From the first effect to the last.
    rate: f64,
    /// In each part, in order.
    parts: Vec<f64>,
}

fn rates(looks: &[Look]) -> Option<Rates> {
    let working = &looks[looks.iter().rposition(|look| look.done == looks[0].done)?..];
    let (begin, end) = (working.first()?, working.last()?);
    let all = end.done - begin.done;
    let reached = |count: u64| working.iter().find(|look| look.done >= begin.done + count);
    let rate = |from: &Look, to: &Look| {
        let seconds = to.at.saturating_sub(from.at).as_secs_f64();
        (seconds > 0.0).then(|| (to.done - from.done) as f64 / seconds)
    };
    let parts = (0..PARTS as u64).filter_map(|part| {
        let at = |part: u64| reached(all * part / PARTS as u64);
        rate(at(part)?, at(part + 1)?)
    });
    Some(Rates { rate: rate(begin, end)?, parts: parts.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_begins_with_the_first_effect_and_each_part_has_its_own() {
        let look = |at, done| Look { at: Duration::from_secs(at), done, resident: 0 };
        let mut looks = vec![look(0, 0), look(5, 0)];
        looks.extend((1..=20).map(|part| look(5 + part, part * 100)));
        looks.push(look(27, 2_000));
        let Rates { rate, parts } = rates(&looks).unwrap();
        assert!((rate - 2_000.0 / 22.0).abs() < 1e-9, "{rate}");
        assert_eq!(parts, [100.0; PARTS]);
    }
}

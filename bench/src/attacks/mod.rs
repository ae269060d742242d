//! A call in one workspace while the connector of another attacks the host in every way that we know.
//!
//! Four attackers make together as many calls as one user of the admin API may, 20 in a second; the neighbour calls, waits and calls
//! again. Rounds alternate (quiet, attack, quiet, …), and the ratio is the median of the rounds' own.

mod attackers;
mod guests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::highlevel::{LocationConfig, PersonAct};
use contactor_tests::host::Host;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::attackers::{Attackers, Client};
use crate::report::{Bar, Figure, Report, median};
use crate::size::Size;
use crate::stage::{Stage, unlimited};

/// Who attacks at the same time.
const ATTACKERS: u32 = 4;
/// Between two calls of the neighbour.
const PAUSE: Duration = Duration::from_millis(2);

/// What an attacker does again and again.
enum Attack {
    /// Runs an action of a connector, which has to end so.
    Act { action: String, input: Value, ends: Ends },
    /// Installs these bytes, each time others, which has to end so.
    Install { component: fn(i64) -> Vec<u8>, ends: Fate },
}

/// How an attack ends.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// The host ends the call.
    Ended,
    /// The host refuses what the connector asks for, and the connector goes on.
    Refused,
    /// There is nothing that the host could see.
    Unseen,
}

/// How an installation ends.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// The component is looked at, and refused in these words.
    Refused(&'static str),
    /// The compiler has it: it is installed, or given up for the time that it takes.
    Compiled,
    /// Its size alone is refused. Whoever goes on sending may not get to read the answer.
    Unread,
}

/// Reports each figure as it is measured: all of them take some ten minutes. `words`: part of the names of those that are.
pub(crate) async fn measure(size: &Size, scratch: &Path, words: &str, report: &mut Report) -> Result<()> {
    let sandbox = unlimited().await?;
    let second = LocationConfig::numbered(2);
    sandbox.highlevel().add_location(second.clone());
    let fields = json!({ "firstName": "Eve", "email": "eve@example.com" });
    let foreign = sandbox.highlevel().act(&second.id, PersonAct::CreateContact { fields })?;
    let stage = Stage::plain(scratch, sandbox).await?;
    let attacks = attacks(foreign["id"].as_str().context("a contact has an id")?);
    for (workspace, location) in [("acme", LocationConfig::numbered(1)), ("other", second)] {
        let new = json!({ "id": workspace, "location": location.id, "token": location.private_token });
        stage.host.post("/workspaces", &new).await?;
    }
    for (connector, component) in guests::installed()? {
        Client::of(&stage.host)?.install(component, Fate::Compiled).await.context(connector)?;
        enable(&stage, "acme", connector).await?;
    }
    enable(&stage, "other", guests::MISBEHAVE).await?;
    // Everything is loaded, and every page of it was touched.
    calls(&stage.host, size.neighbour_calls).await?;
    for (name, attack) in attacks.into_iter().filter(|(name, _)| name.contains(words)) {
        report.add(beside(&stage.host, size, name, attack).await.with_context(|| name.to_owned())?)?;
    }
    stage.end().await
}

/// All that is known; the tests `attacks` and `hostile` of the runtime, and `hostile` of the product, show that each is ended or refused.
/// `foreign`: a contact of the neighbour.
fn attacks(foreign: &str) -> Vec<(&'static str, Attack)> {
    let act = |connector: &str, action: &str, input: Value, ends: Ends| Attack::Act {
        action: format!("{connector}.{action}"),
        input,
        ends,
    };
    let ended = |action: &str, input: Value| act(guests::MISBEHAVE, action, input, Ends::Ended);
    let starts = |connector: &str| act(connector, "echo", Value::Null, Ends::Ended);
    let refused = |function: &str, input: Value| act(guests::OPERATIONS, function, input, Ends::Refused);
    let sends = |path: &str, headers: Value| {
        refused("partner.send", json!({ "method": "get", "path": path, "query": [], "headers": headers }))
    };
    let installs = |component: fn(i64) -> Vec<u8>, ends: Fate| Attack::Install { component, ends };
    let header = json!([{ "name": "X-Ok", "value": "a\r\nAuthorization: Bearer own" }]);
    vec![
        ("beside an endless loop, p99", ended("loop", Value::Null)),
        ("beside an endless loop of host calls, p99", ended("loop-in-host-calls", Value::Null)),
        ("beside a million host calls, p99", ended("host-calls", json!(1_000_000))),
        ("beside a storm of memory copies, p99", ended("copy-storm", Value::Null)),
        ("beside memory that grows page by page, p99", ended("grow", Value::Null)),
        ("beside an allocation of a gigabyte, p99", ended("allocate", json!(1 << 30))),
        ("beside a table that grows, p99", starts(guests::TABLE)),
        ("beside handles that are never given back, p99", starts(guests::HANDLES)),
        ("beside endless recursion, p99", ended("recurse", Value::Null)),
        ("beside panics, p99", ended("panic", Value::Null)),
        ("beside a message of 5 MiB, p99", ended("log", json!(5 << 20))),
        ("beside many messages of 64 KiB, p99", ended("log-often", json!(90))),
        ("beside a list of 200,000 fields, p99", ended("many-fields", json!(200_000))),
        ("beside an answer of 5 MiB, p99", ended("return", json!(5 << 20))),
        ("beside answers that are no text, p99", ended("return-bad-utf8", Value::Null)),
        ("beside answers of a lying length, p99", ended("return-lie", Value::Null)),
        (
            "beside a scan of all memory, p99",
            act(guests::MISBEHAVE, "leave-and-scan", json!(7), Ends::Unseen),
        ),
        ("beside a start function that loops, p99", starts(guests::LOOPER)),
        ("beside requests for paths that lead elsewhere, p99", sends("/..%2fadmin", json!([]))),
        ("beside headers that hide others, p99", sends("/betas", header)),
        ("beside the id of another tenant's contact, p99", refused("contacts.get", json!({ "id": foreign }))),
        (
            "beside calls that nobody granted, p99",
            refused("contacts.delete", json!({ "id": "SandboxContact0001" })),
        ),
        (
            "beside components with two memories, p99",
            installs(guests::two_memories, Fate::Refused("does not compile")),
        ),
        (
            "beside components that import what there is not, p99",
            installs(guests::foreign_import, Fate::Refused("which this host does not offer")),
        ),
        ("beside compile bombs, p99", installs(guests::compile_bomb, Fate::Compiled)),
        ("beside components of 6 MiB, p99", installs(guests::huge, Fate::Compiled)),
        ("beside uploads of 100 MiB, p99", installs(|_| vec![0; 100 << 20], Fate::Unread)),
    ]
}

async fn enable(stage: &Stage, workspace: &str, connector: &str) -> Result<()> {
    let withheld = if connector == guests::OPERATIONS { &["contacts.write"][..] } else { &[] };
    let connection = json!({
        "base_url": stage.sandbox.prefinery_url(),
        "credentials": { "token": stage.sandbox.prefinery().api_key() },
        "withhold": withheld,
    });
    stage.host.put(&format!("/workspaces/{workspace}/connections/{connector}"), &connection).await?;
    Ok(())
}

/// One attack: quiet and beside it, round by round.
async fn beside(host: &Host, size: &Size, name: &'static str, attack: Attack) -> Result<Figure> {
    let (mut quiet, mut beside, mut attacked) = (Vec::new(), Vec::new(), 0);
    let attack = Arc::new(attack);
    for round in 0..size.attack_rounds {
        quiet.push(Quantiles::of(calls(host, size.neighbour_calls).await?));
        let attackers = Attackers::begin(host, Arc::clone(&attack), round)?;
        let times = calls_beside(host, size, &attackers).await;
        attacked += attackers.end().await?;
        beside.push(Quantiles::of(times?));
    }
    let ratio = median(beside.iter().zip(&quiet).map(|(beside, quiet)| beside.p99 / quiet.p99));
    let of = |all: &[Quantiles], which: fn(&Quantiles) -> f64| median(all.iter().map(which));
    let (p50, quiet_p50) = (of(&beside, |all| all.p50), of(&quiet, |all| all.p50));
    Ok(Figure::new(name, of(&beside, |all| all.p99), "ms", size.neighbour_calls * size.attack_rounds)
        .over(of(&quiet, |all| all.p99))
        .ratio(ratio)
        .bar(Bar::RatioAtMost(1.5))
        .note(format!("{attacked} attacks; p50 {p50:.2} ms, quiet {quiet_p50:.2} ms")))
}

/// The neighbour's calls, not before each attacker has begun.
async fn calls_beside(host: &Host, size: &Size, attackers: &Attackers) -> Result<Vec<f64>> {
    while attackers.count() < ATTACKERS as usize {
        ensure!(!attackers.have_ended(), "the attackers ended before they began");
        sleep(PAUSE).await;
    }
    calls(host, size.neighbour_calls).await
}

/// Milliseconds of calls of the neighbour: a request, a guest call, and the commit of its run.
async fn calls(host: &Host, count: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        let input =
            json!({ "input": { "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com" } });
        host.post("/workspaces/other/actions/misbehave.map-json", &input).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        sleep(PAUSE).await;
    }
    Ok(times)
}

struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
    }
}

//! A call in one workspace while the connector of another attacks the host in every way that we know.
//!
//! Four attackers make together as many calls as one token of the admin API may, 20 in a second; the neighbour calls, waits and calls
//! again. Rounds alternate (quiet, attack, quiet, …), and the ratio is the median of the rounds' own.

#[path = "../../host/runtime/tests/runtime/made.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the runtime use all of it, and may panic")]
mod made;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contactor_manifest::{embed, extract};
use contactor_sandbox::highlevel::LocationConfig;
use contactor_tests::host::Host;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use wasm_encoder::{BlockType, CodeSection, Function};

use crate::report::{Bar, Figure, median};
use crate::size::Size;
use crate::stage::{Stage, unlimited};

/// For the components that are made: what they are made of.
mod components {
    pub(crate) fn misbehave() -> Vec<u8> {
        contactor_tests::artefacts::component("guest-misbehave").expect("`cargo xtask bench` builds it")
    }
}

/// Who attacks at the same time.
const ATTACKERS: u32 = 4;
/// How often each of them does.
const PACE: Duration = Duration::from_millis(200);
/// Between two calls of the neighbour.
const PAUSE: Duration = Duration::from_millis(2);
/// Connectors of which each has a start function that loops; its manifest is the other guest's but for the id.
const LOOPER: &str = "looper";

/// What an attacker does again and again.
enum Attack {
    /// This action of the guest, with this input.
    Act(&'static str, Value),
    /// An action of the component whose start function loops.
    Start,
    /// Installs these bytes, each time others.
    Install(Box<dyn Fn(usize) -> Vec<u8>>),
}

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let sandbox = unlimited().await?;
    sandbox.highlevel().add_location(LocationConfig::numbered(2));
    let stage = Stage::plain(scratch, sandbox).await?;
    stage.host.install("guest-misbehave").await?;
    install(&stage.host, &looper()?).await?;
    for (workspace, number, connectors) in
        [("acme", 1, &["misbehave", LOOPER][..]), ("other", 2, &["misbehave"])]
    {
        let location = LocationConfig::numbered(number);
        let new = json!({ "id": workspace, "location": location.id, "token": location.private_token });
        stage.host.post("/workspaces", &new).await?;
        for connector in connectors {
            let connection = json!({
                "base_url": stage.sandbox.prefinery_url(),
                "credentials": { "token": stage.sandbox.prefinery().api_key() },
            });
            stage.host.put(&format!("/workspaces/{workspace}/connections/{connector}"), &connection).await?;
        }
    }
    // Everything is loaded, and every page of it was touched.
    calls(&stage.host, size.neighbour_calls).await?;
    let mut figures = Vec::new();
    for (name, attack) in attacks() {
        figures.push(beside(&stage.host, size, name, &attack).await.with_context(|| name.to_owned())?);
    }
    stage.end().await?;
    Ok(figures)
}

/// All that is known; see the tests `attacks` and `hostile` of the runtime, which show that each is ended or refused.
fn attacks() -> Vec<(&'static str, Attack)> {
    let act = |name, input| Attack::Act(name, input);
    vec![
        ("beside an endless loop, p99", act("loop", Value::Null)),
        ("beside an endless loop of host calls, p99", act("loop-in-host-calls", Value::Null)),
        ("beside a million host calls, p99", act("host-calls", json!(1_000_000))),
        ("beside a storm of memory copies, p99", act("copy-storm", Value::Null)),
        ("beside memory that grows page by page, p99", act("grow", Value::Null)),
        ("beside an allocation of a gigabyte, p99", act("allocate", json!(1 << 30))),
        ("beside endless recursion, p99", act("recurse", Value::Null)),
        ("beside panics, p99", act("panic", Value::Null)),
        ("beside a message of 5 MiB, p99", act("log", json!(5 << 20))),
        ("beside many messages of 64 KiB, p99", act("log-often", json!(90))),
        ("beside a list of 200,000 fields, p99", act("many-fields", json!(200_000))),
        ("beside an answer of 5 MiB, p99", act("return", json!(5 << 20))),
        ("beside answers that are no text, p99", act("return-bad-utf8", Value::Null)),
        ("beside answers of a lying length, p99", act("return-lie", Value::Null)),
        ("beside a scan of all memory, p99", act("leave-and-scan", json!(7))),
        ("beside a start function that loops, p99", Attack::Start),
        ("beside compile bombs, p99", Attack::Install(Box::new(compile_bomb))),
        ("beside components of 7 MiB, p99", Attack::Install(Box::new(huge))),
        ("beside uploads of 100 MiB, p99", Attack::Install(Box::new(|_| vec![0; 100 << 20]))),
    ]
}

/// One attack: quiet and beside it, round by round.
async fn beside(host: &Host, size: &Size, name: &'static str, attack: &Attack) -> Result<Figure> {
    let (mut quiet, mut beside, mut attacked) = (Vec::new(), Vec::new(), 0);
    for round in 0..size.attack_rounds {
        quiet.push(Quantiles::of(calls(host, size.neighbour_calls).await?));
        let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let attackers =
            join_all((0..ATTACKERS).map(|number| attacker(host, attack, number, round, &over, &count)));
        let neighbour = async {
            // Not before each has begun.
            while count.load(Ordering::Relaxed) < ATTACKERS as usize {
                sleep(PAUSE).await;
            }
            let times = calls(host, size.neighbour_calls).await;
            over.store(true, Ordering::Relaxed);
            times
        };
        let (times, ended) = tokio::join!(neighbour, attackers);
        ended.into_iter().collect::<Result<Vec<()>>>()?;
        beside.push(Quantiles::of(times?));
        attacked += count.load(Ordering::Relaxed);
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

/// Attacks until it is over. Each attack has to end as one does.
async fn attacker(
    host: &Host,
    attack: &Attack,
    number: u32,
    round: usize,
    over: &AtomicBool,
    count: &AtomicUsize,
) -> Result<()> {
    // One after the other.
    let mut next = Instant::now() + PACE * number / ATTACKERS;
    while !over.load(Ordering::Relaxed) {
        sleep_until(next).await;
        next = Instant::now().max(next + PACE);
        let attacked = count.fetch_add(1, Ordering::Relaxed);
        match attack {
            Attack::Act(action, input) => {
                act(host, &format!("misbehave.{action}"), input, *action == "leave-and-scan").await?
            }
            Attack::Start => act(host, &format!("{LOOPER}.echo"), &Value::Null, false).await?,
            // Refused or taken: what counts is what it costs others.
            Attack::Install(bytes) => drop(install(host, &bytes(round * 10_000 + attacked)).await),
        }
    }
    Ok(())
}

/// An attack by an action, which fails unless it is one that the host cannot see.
async fn act(host: &Host, action: &str, input: &Value, ends_well: bool) -> Result<()> {
    let ended = host.post(&format!("/workspaces/acme/actions/{action}"), &json!({ "input": input })).await;
    match ended {
        Ok(answer) => ensure!(ends_well, "the attack {action} was not ended: {answer}"),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(!ends_well && !said.contains("no action"), "{action}: {said}");
        }
    }
    Ok(())
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

async fn install(host: &Host, component: &[u8]) -> Result<()> {
    let request = host
        .client()
        .post(host.at("/api/v1/connectors"))
        .bearer_auth(host.token())
        .header("content-type", "application/wasm")
        .body(component.to_vec());
    let answer = request.send().await?;
    let status = answer.status();
    ensure!(status.is_success(), "{status}: {}", answer.text().await?);
    Ok(())
}

/// The guest with a module in it whose start function loops.
fn looper() -> Result<Vec<u8>> {
    let mut module = made::one_function();
    made::starting(&mut module, |function| {
        function.instructions().loop_(BlockType::Empty).br(0).end();
    });
    let bytes = made::with_module(&module);
    let manifest = extract(&bytes)?.context("the guest has no manifest")?;
    Ok(embed(&bytes, &manifest.replace("id = \"misbehave\"", &format!("id = \"{LOOPER}\"")))?)
}

/// Every branch of every table leads to every block: the compiler's work grows with the square of the bytes.
fn compile_bomb(number: usize) -> Vec<u8> {
    const BLOCKS: u32 = 600;
    let mut module = made::one_function();
    let mut code = CodeSection::new();
    let mut function = Function::new([]);
    for _ in 0..BLOCKS {
        function.instructions().block(BlockType::Empty);
    }
    let targets: Vec<u32> = (0..BLOCKS).collect();
    for _ in 0..BLOCKS {
        function.instructions().i32_const(0).br_table(targets.iter().copied(), 0).end();
    }
    // Another component each time: nothing of it was compiled before.
    function.instructions().i64_const(i64::try_from(number).unwrap_or(0)).drop().end();
    code.function(&function);
    module.section(&code);
    made::with_module(&module)
}

/// As large as one function may be, and all of it has to be compiled.
fn huge(number: usize) -> Vec<u8> {
    let mut module = made::one_function();
    let mut code = CodeSection::new();
    let mut function = Function::new([]);
    // Each instruction has two bytes.
    for _ in 0..(7 << 20) / 3 {
        function.instructions().i32_const(1).drop();
    }
    function.instructions().i64_const(i64::try_from(number).unwrap_or(0)).drop().end();
    code.function(&function);
    module.section(&code);
    made::with_module(&module)
}

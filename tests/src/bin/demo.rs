//! The main job, shown: a sandbox and a host on free loopback ports, the stories, a table, and then time to try.
//!
//! `demo [--exit] [--contacts N]`; `cargo xtask demo` builds everything and runs it.
#![expect(clippy::print_stdout, reason = "a demonstration speaks to the person before the screen")]

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::partners;
use contactor_tests::stories::{Outcome, Stage, play};

/// People in the bulk pull unless told otherwise.
const CONTACTS: usize = 500;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let (exit, contacts) = arguments()?;
    let dir = tempfile::tempdir()?;
    let sandbox = Sandbox::start(partners::with_fields(SandboxConfig::default())).await?;
    println!(
        "Contactor, the main job: HighLevel and five partners in step, against faithful doubles of all of them.\n"
    );
    println!(
        "  sandbox    {}   (control and browsing at {})",
        sandbox.highlevel_url(),
        sandbox.control_url()
    );
    let stage = Stage::set(sandbox, dir.path(), "").await.context("the stage could not be set")?;
    println!("  host       {}", stage.host.url());
    println!("  directory  {}\n", dir.path().display());
    println!(
        "Playing the stories; {contacts} contacts at HighLevel's 100 requests in 10 s take their time.\n"
    );
    let outcomes = play(&stage, contacts, say).await;
    let failed = outcomes.iter().filter(|outcome| outcome.seen.is_err()).count();
    println!("\n{} of {} stories held.", outcomes.len() - failed, outcomes.len());
    if !exit {
        linger(&stage).await?;
    }
    stage.host.stop().await?;
    stage.sandbox.shutdown().await;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(outcome: &Outcome) {
    match &outcome.seen {
        Ok(seen) => println!("  held    {:<62} {seen}", outcome.story),
        Err(why) => println!("  FAILED  {:<62} {why}", outcome.story),
    }
}

async fn linger(stage: &Stage) -> Result<()> {
    println!("\nBoth stay up until Ctrl-C. To try:");
    println!("  export CONTACTOR_SERVER={} CONTACTOR_TOKEN={}", stage.host.url(), stage.host.token());
    println!("  contactor workspace list");
    println!("  contactor connection show acme prefinery");
    println!("  contactor runs list --workspace acme");
    println!(
        "  open {} for what the doubles can do, and {}/healthz",
        stage.sandbox.control_url(),
        stage.host.url()
    );
    tokio::signal::ctrl_c().await?;
    println!("\nending …");
    Ok(())
}

fn arguments() -> Result<(bool, usize)> {
    let (mut exit, mut contacts) = (false, CONTACTS);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--exit" => exit = true,
            "--contacts" => {
                let number = arguments.next().context("--contacts needs a number")?;
                contacts =
                    number.parse().with_context(|| format!("--contacts {number}: expected a number"))?;
            }
            other => bail!("unknown argument {other}; expected --exit or --contacts N"),
        }
    }
    Ok((exit, contacts))
}

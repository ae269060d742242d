//! `contactor runs replay`: a recorded run, run again without calling anybody.

use std::path::PathBuf;

use clap::Args;
use contactor_server::dto::{Parting, RecordingSummary, ReplayCall, ReplayReport, ReplayedCall};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output;

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor runs replay RUN                                    the component that ran: it must do the same again
  contactor runs replay RUN --connector target/components/prefinery.wasm     a newer build: where do the two part?
  contactor runs replay RUN --preview                          what was recorded; runs nothing

Exit code 1 says that the two part.")]
pub(crate) struct Replay {
    /// The run's id.
    run: String,
    /// Another build of the same connector; the component that ran unless given.
    #[arg(long, value_name = "FILE")]
    connector: Option<PathBuf>,
    /// Show what was recorded, and run nothing.
    #[arg(long, conflicts_with = "connector")]
    preview: bool,
}

pub(crate) async fn run(context: &Context, replay: Replay) -> Result<(), Failure> {
    let client = context.client()?;
    if replay.preview {
        return Ok(show_recording(context, &client.recording(&replay.run).await?)?);
    }
    let component = match &replay.connector {
        Some(file) => std::fs::read(file).map_err(|error| {
            Failure::say(Exit::Failed, format_args!("{} cannot be read: {error}", file.display()))
        })?,
        None => Vec::new(),
    };
    let report = client.replay(&replay.run, component).await?;
    show(context, &report)?;
    if report.same {
        return Ok(());
    }
    let why = if report.recorded == report.replayed {
        "the component that ran does something else now: it, or the host, is not deterministic"
    } else {
        "the two builds part"
    };
    Err(Failure::say(Exit::Failed, why))
}

fn show_recording(context: &Context, recording: &RecordingSummary) -> std::io::Result<()> {
    if context.out.json {
        return output::json(recording);
    }
    let of = format!("{} (SHA-256 {})", recording.connector, short(&recording.digest));
    context.out.text(&format!("run {} of {of}, {} bytes", recording.run, recording.size))?;
    for call in &recording.calls {
        context.out.text(&format!("\n{} {}", call.export, call.input))?;
        for (at, operation) in call.recorded_calls.iter().enumerate() {
            context.out.text(&format!("  {:>3}  {operation}", at + 1))?;
        }
    }
    context.out.note("nothing was run")
}

fn show(context: &Context, report: &ReplayReport) -> std::io::Result<()> {
    if context.out.json {
        return output::json(report);
    }
    let what = if report.recorded == report.replayed {
        format!("the component that ran ({})", short(&report.recorded))
    } else {
        format!("another build ({} in place of {})", short(&report.replayed), short(&report.recorded))
    };
    context.out.text(&format!("run {} of {}, replayed offline with {what}", report.run, report.connector))?;
    for call in &report.calls {
        show_call(context, call)?;
    }
    if let Some(log) = &report.log {
        context.out.text("log lines differ:")?;
        show_lines(context, &log.recorded, &log.replayed)?;
    }
    if report.same {
        context.out.text("the same: every call, every outcome and every log line")?;
    }
    Ok(())
}

fn show_call(context: &Context, call: &ReplayedCall) -> std::io::Result<()> {
    let all = call.recorded_calls.len();
    context.out.text(&format!("{}: {} of {all} calls as recorded", call.export, call.matched))?;
    if let Some(parting) = &call.parted {
        show_parting(context, parting)?;
    }
    if let Some(outcome) = &call.outcome {
        let remark = if call.parted.is_some() {
            " (nothing could be answered after the call that differs)"
        } else {
            ""
        };
        context.out.text(&format!("  outcomes differ{remark}:"))?;
        context.out.text(&format!("    recorded  {}", outcome.recorded))?;
        context.out.text(&format!("    replayed  {}", outcome.replayed))?;
    }
    Ok(())
}

fn show_parting(context: &Context, parting: &Parting) -> std::io::Result<()> {
    let call = |call: &Option<ReplayCall>| match call {
        Some(call) => format!("{} {}", call.operation, call.input),
        None => "(no further call)".to_owned(),
    };
    context.out.text(&format!("  they part at call {}:", parting.at))?;
    context.out.text(&format!("    recorded  {}", call(&parting.recorded)))?;
    context.out.text(&format!("    replayed  {}", call(&parting.replayed)))
}

/// Lines that only one of both has, the recorded ones with a minus.
fn show_lines(context: &Context, recorded: &[String], replayed: &[String]) -> std::io::Result<()> {
    for line in recorded.iter().filter(|line| !replayed.contains(line)) {
        context.out.text(&format!("  - {line}"))?;
    }
    for line in replayed.iter().filter(|line| !recorded.contains(line)) {
        context.out.text(&format!("  + {line}"))?;
    }
    Ok(())
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

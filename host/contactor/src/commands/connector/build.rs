//! `contactor connector build`: from a crate to a component.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::Context;
use crate::exit::{Exit, Failure};

#[derive(Args)]
#[command(after_help = "\
Needs Rust, and adds its WebAssembly target when that is missing. The component imports only the interfaces whose functions its
code calls; anything else is refused here already.

Example:
  contactor connector build acme-people")]
pub(crate) struct BuildArgs {
    /// The connector's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where the component goes; `components/NAME.wasm` in cargo's target directory unless given.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Built {
    file: PathBuf,
    bytes: usize,
    digest: String,
    imports: Vec<String>,
}

pub(crate) fn run(context: &Context, args: &BuildArgs) -> Result<(), Failure> {
    let component = contactor_build::build(&args.dir, args.output.as_deref())
        .map_err(|error| Failure::say(Exit::Failed, format_args!("{error:#}")))?;
    let digest = contactor_runtime::Digest::of(&std::fs::read(&component.path)?).to_string();
    let built = Built { file: component.path, bytes: component.bytes, digest, imports: component.imports };
    let lines = [
        ("component", built.file.display().to_string()),
        ("size", format!("{} KiB", built.bytes.div_ceil(1024))),
        ("digest", built.digest.clone()),
        ("imports", built.imports.join(", ")),
    ];
    context.out.one(&built, &lines)?;
    Ok(context.out.note(&format!("next: `contactor connector check {}`", built.file.display()))?)
}

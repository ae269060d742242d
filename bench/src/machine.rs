//! The machine that the figures belong to.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A directory beside the executables: on a disk, where a commit costs what it costs, and not in memory as `/tmp` may be.
pub(crate) fn scratch() -> Result<tempfile::TempDir> {
    let executable = std::env::current_exe()?;
    let beside = executable.parent().context("the benchmark lies in no directory")?;
    tempfile::tempdir_in(beside).with_context(|| format!("cannot make a directory in {}", beside.display()))
}

/// What a reader has to know to compare figures.
pub(crate) fn facts(dir: &Path) -> Value {
    json!({
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "cpu": cpu(),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "file_system": output(Command::new("stat").args(["-f", "-c", "%T"]).arg(dir)),
        "fsync": "on (synchronous=FULL)",
    })
}

fn cpu() -> String {
    let line = read("/proc/cpuinfo");
    let model = line.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map(|(_, model)| model.trim().to_owned()).unwrap_or_default()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

//! The machine that the figures belong to.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
        // What others use of the cores is missing in every figure.
        "load_before": read("/proc/loadavg").split(' ').next().unwrap_or_default(),
        "file_system": output(Command::new("stat").args(["-f", "-c", "%T"]).arg(dir)),
        "fsync": "on (synchronous=FULL)",
    })
}

/// A tick of `/proc/<pid>/stat`: 10 ms on every Linux, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// Time that this process has spent computing so far.
pub(crate) fn own_cpu_time() -> Duration {
    Stat::read("self").map_or(Duration::ZERO, |stat| stat.cpu)
}

/// Time that this process's only child of a name has spent computing so far.
pub(crate) fn child_cpu_time(name: &str) -> Option<Duration> {
    child(name).map(|stat| stat.cpu)
}

/// Bytes of memory that this process's only child of a name has resident.
pub(crate) fn child_resident(name: &str) -> Option<u64> {
    child(name).map(|stat| stat.resident)
}

fn child(name: &str) -> Option<Stat> {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut stats = processes.filter_map(|entry| Stat::read(entry.file_name().to_str()?));
    stats.find(|stat| stat.parent == own && stat.name == name)
}

/// A page of memory on the machines that are measured.
const PAGE: u64 = 4_096;

struct Stat {
    name: String,
    parent: String,
    cpu: Duration,
    resident: u64,
}

impl Stat {
    /// Fields as proc(5) numbers them: 2 is the name in parentheses, 4 the parent, 14 and 15 the ticks, 24 the resident pages.
    fn read(process: &str) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (head, tail) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
        let resident = PAGE * u64::from(number(24)?);
        Some(Self {
            name,
            parent: (*fields.get(1)?).to_owned(),
            cpu: TICK * (number(14)? + number(15)?),
            resident,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_parent_and_what_it_computed() {
        let stat = Stat::read("self").unwrap();
        assert_eq!(stat.parent, std::os::unix::process::parent_id().to_string());
        assert!(stat.resident > 1 << 20, "a test runs in {} bytes", stat.resident);
        assert_eq!(child_cpu_time("no-such-child"), None);
    }
}

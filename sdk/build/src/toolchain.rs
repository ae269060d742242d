//! Rust's side of a build: cargo, the target, and how a guest is compiled.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The bare target: no WASI, so that a guest can import nothing but the interface.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// How a guest is compiled. `s` was measured to beat 2 and `z` for mapping JSON. 64 KiB of stack instead of 1 MiB, because the stack
/// lies first in memory: a fresh instance touches fewer pages (measured: an isolated call costs a quarter less), and an overflow runs
/// out of bounds and traps instead of damaging data.
const CONFIGURATION: [&str; 8] = [
    r#"profile.guest.inherits="release""#,
    r#"profile.guest.opt-level="s""#,
    "profile.guest.lto=true",
    "profile.guest.codegen-units=1",
    "profile.guest.strip=true",
    r#"profile.guest.panic="abort""#,
    "profile.guest.debug=false",
    r#"target.wasm32-unknown-unknown.rustflags=["-C", "link-arg=-zstack-size=65536"]"#,
];

/// A cargo command, by the cargo that runs this program if one does.
pub fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.arg(subcommand);
    command
}

/// What `cargo build` is told to compile a guest, whatever its crate and its workspace say.
pub fn guest_arguments() -> Vec<&'static str> {
    let configuration = CONFIGURATION.iter().flat_map(|line| ["--config", line]);
    ["--target", TARGET, "--profile", "guest"].into_iter().chain(configuration).collect()
}

/// Adds the target to the toolchain when it is missing.
///
/// # Errors
/// When it is missing and cannot be added; says how to.
pub fn require_target() -> anyhow::Result<()> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    let sysroot = String::from_utf8(sysroot.stdout).context("rustc names no sysroot")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    ensure!(
        added.is_ok_and(|status| status.success()),
        "the Rust target {TARGET} is not installed and `rustup target add {TARGET}` failed: install it and build again"
    );
    Ok(())
}

/// Runs a step on the way; its own output is shown.
///
/// # Errors
/// With these words when it fails.
pub fn step(command: &mut Command, failed: &str) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    ensure!(status.success(), "{failed}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_what_it_was_for() {
        let error = step(&mut Command::new("false"), "the guests do not compile").unwrap_err();
        assert_eq!(error.to_string(), "the guests do not compile");
        let error = step(&mut Command::new("no-such-program"), "").unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}

//! Where the workspace lies, where cargo builds, and how cargo is run.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use anyhow::{Context as _, bail, ensure};

/// The workspace and its target directory, both absolute.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target_dir: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and `build.target-dir` count here as they do there.
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Asked at run time: a target directory that several checkouts share may hold the xtask that another one built.
        let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&own).parent().context("xtask lies in the workspace's root")?;
        let output = Command::new(program())
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(root.join("Cargo.toml"))
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo; install Rust from https://rustup.rs")?;
        ensure!(output.status.success(), "cargo does not understand the workspace");
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let target_dir = metadata["target_directory"].as_str().context("cargo names no target directory")?;
        Ok(Self { root: root.to_owned(), target_dir: target_dir.into() })
    }

    /// Where components are put, and where tests, demo and benchmark look for them.
    pub(crate) fn components(&self) -> PathBuf {
        self.target_dir.join("components")
    }

    /// A cargo command in the workspace. Everything that it starts finds the same target directory and components.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(program());
        command
            .arg(subcommand)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target_dir)
            .env("CONTACTOR_COMPONENTS", self.components());
        command
    }

    /// An executable of the build that the tests use.
    pub(crate) fn built(&self, name: &str) -> Command {
        let mut command = Command::new(self.target_dir.join("debug").join(name));
        command.env("CONTACTOR_COMPONENTS", self.components());
        command
    }

    /// An executable of the release build.
    pub(crate) fn released(&self, name: &str) -> Command {
        let mut command = Command::new(self.target_dir.join("release").join(name));
        command.env("CONTACTOR_COMPONENTS", self.components());
        command
    }
}

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

pub(crate) use contactor_build::step;

/// Runs the last step in this process's place, so that its status, its signals and its closing lines are its own.
pub(crate) fn hand_over(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    Err(command.exec()).with_context(|| format!("cannot run {program}"))
}

/// SQLite and the cryptography are partly C. Without a compiler cargo fails as well, but a thousand lines later.
pub(crate) fn require_c_compiler() -> anyhow::Result<()> {
    let compiler = env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
    // `CC` may carry arguments and wrappers, which the crates that use it take apart.
    let program = compiler.to_string_lossy().split_whitespace().next().unwrap_or("cc").to_owned();
    match Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no C compiler `{program}`, which SQLite needs: install gcc or clang, or set CC")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_starts_finds_the_components_of_this_build() {
        let workspace = Workspace::find().unwrap();
        assert!(workspace.root.join("xtask").is_dir());
        assert!(workspace.target_dir.is_absolute());
        let command = workspace.cargo("test");
        let value =
            |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(value("CARGO_TARGET_DIR").unwrap(), workspace.target_dir.as_os_str());
        assert_eq!(
            value("CONTACTOR_COMPONENTS").unwrap(),
            workspace.target_dir.join("components").as_os_str()
        );
    }
}

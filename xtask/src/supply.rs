//! `cargo xtask supply`: what the product is made of, held against `deny.toml` and the advisory database, and its bills of materials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::cargo::{self, Workspace};

/// The tools and their versions: a newer one may judge otherwise, and shall do so when somebody looks at it.
const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
const CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.9" };

/// How `cargo deny` says that nobody can be asked for known flaws.
const UNREACHABLE: [&str; 2] = ["failed to fetch advisory database", "failed to load advisory database"];

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask supply                        all of it; known flaws are looked for if the database of advisories can be reached
  cargo xtask supply --require-advisories   a database that cannot be reached is a failure")]
pub(crate) struct Supply {
    /// Fails when the database of advisories cannot be reached, in place of saying so.
    #[arg(long)]
    require_advisories: bool,
}

impl Supply {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        let supply = Materials { workspace: &workspace, tools: workspace.target_dir.join("tools") };
        supply.install(&DENY)?;
        supply.install(&CYCLONEDX)?;
        let mut check = supply.tool(&DENY, "deny");
        cargo::step(
            check.args(["check", "licenses", "bans", "sources"]),
            "deny.toml does not allow all of this",
        )?;
        let advisories = supply.advisories()?;
        let written = supply.bills_of_materials()?;
        report("licences, bans and sources: as deny.toml allows");
        report(match advisories {
            Advisories::None => "known flaws: none that deny.toml does not speak of",
            Advisories::Unknown => {
                "known flaws: NOT LOOKED FOR, the database of advisories cannot be reached from here"
            }
        });
        report(&format!("bills of materials: {written} in {}", supply.bills().display()));
        ensure!(
            !self.require_advisories || matches!(advisories, Advisories::None),
            "nobody looked for known flaws, because the database of advisories cannot be reached"
        );
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn report(line: &str) {
    println!("{line}");
}

struct Tool {
    name: &'static str,
    version: &'static str,
}

enum Advisories {
    None,
    Unknown,
}

struct Materials<'w> {
    workspace: &'w Workspace,
    tools: PathBuf,
}

impl Materials<'_> {
    /// The tool beside the build, so that it is there the next time and in nobody's way.
    fn install(&self, tool: &Tool) -> anyhow::Result<()> {
        let mut version = Command::new(self.tools.join("bin").join(tool.name));
        let subcommand = tool.name.trim_start_matches("cargo-");
        let there = version.args([subcommand, "--version"]).stderr(Stdio::null()).output();
        if there.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(tool.version)) {
            return Ok(());
        }
        let mut install = self.workspace.cargo("install");
        install
            .args([tool.name, "--locked", "--force", "--version", tool.version, "--root"])
            .arg(&self.tools);
        install.env("CARGO_TARGET_DIR", self.tools.join("build"));
        cargo::step(&mut install, &format!("{} cannot be installed", tool.name))
    }

    fn tool(&self, tool: &Tool, subcommand: &str) -> Command {
        let mut command = Command::new(self.tools.join("bin").join(tool.name));
        command.arg(subcommand).current_dir(&self.workspace.root);
        command
    }

    /// Looks for known flaws.
    fn advisories(&self) -> anyhow::Result<Advisories> {
        let output = self.tool(&DENY, "deny").args(["check", "advisories"]).output()?;
        if output.status.success() {
            return Ok(Advisories::None);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if UNREACHABLE.iter().any(|words| said.contains(words)) {
            return Ok(Advisories::Unknown);
        }
        bail!("there are known flaws:\n{said}")
    }

    fn bills(&self) -> PathBuf {
        self.workspace.target_dir.join("sbom")
    }

    /// Writes a bill of materials for the host and for each connector; answers how many.
    fn bills_of_materials(&self) -> anyhow::Result<usize> {
        let mut write = self.tool(&CYCLONEDX, "cyclonedx");
        write.args(["--format", "json", "--spec-version", "1.5", "--all-features", "--quiet"]);
        cargo::step(&mut write, "the bills of materials cannot be written")?;
        fs::create_dir_all(self.bills())?;
        let mut written = 0;
        // The tool writes one beside the manifest of each crate; only what is delivered is of interest.
        for bill in self.found()? {
            let name = bill.file_name().context("a bill of materials has a name")?.to_owned();
            let delivered = bill.starts_with(self.workspace.root.join("plugins"))
                || bill.starts_with(self.workspace.root.join("host/contactor"));
            if delivered {
                fs::copy(&bill, self.bills().join(&name))?;
                written += 1;
            }
            fs::remove_file(&bill)?;
        }
        ensure!(written > 0, "no bill of materials was written");
        Ok(written)
    }

    fn found(&self) -> anyhow::Result<Vec<PathBuf>> {
        let metadata =
            self.workspace.cargo("metadata").args(["--no-deps", "--format-version", "1"]).output()?;
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
        let packages = metadata["packages"].as_array().context("cargo names no packages")?;
        let mut found = Vec::new();
        for package in packages {
            let manifest = package["manifest_path"].as_str().context("a package has a manifest")?;
            let directory = Path::new(manifest).parent().context("a manifest lies in a directory")?;
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.to_str().is_some_and(|path| path.ends_with(".cdx.json")) {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nightly_job_fails_when_nobody_could_be_asked_for_known_flaws() {
        let nightly = fs::read_to_string(Workspace::find().unwrap().root.join(".ci/nightly")).unwrap();
        assert!(nightly.contains("cargo xtask supply --require-advisories || failed=1\n"), "{nightly}");
        assert!(nightly.contains("|| failed=1\nexit \"$failed\"\n"), "{nightly}");
    }
}

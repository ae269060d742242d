//! `cargo xtask test`: everything that has to hold before a change is taken, set-up included.

use std::ffi::{OsStr, OsString};

use clap::Args;

use crate::cargo::{self, Workspace};
use crate::components;

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                                     everything, documentation tests included
  cargo xtask test -- --package contactor-sync merge   the tests of one crate whose names hold `merge`")]
pub(crate) struct Test {
    /// Arguments for `cargo test`. With `--package` only that crate is tested, otherwise the whole workspace.
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Test {
    /// Does not come back when the tests could be started: cargo's closing lines and its status are the last word.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        cargo::require_c_compiler()?;
        // The cheapest question first.
        cargo::step(
            workspace.cargo("fmt").args(["--all", "--check"]),
            "some files are not formatted: run `cargo fmt --all`",
        )?;
        components::build(&workspace, &[])?;
        // The black-box tests start the real binary; `cargo test` alone would not build it for them.
        cargo::step(workspace.cargo("build").args(["--workspace", "--bins"]), "the binaries do not compile")?;
        let mut test = workspace.cargo("test");
        if !names_a_package(&self.arguments) {
            test.arg("--workspace");
        }
        cargo::hand_over(test.args(&self.arguments))
    }
}

/// Whether cargo is told which crates to test. What follows `--` is for the test programs.
fn names_a_package(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").map(|argument| argument.as_encoded_bytes()).any(
        |argument| {
            argument.starts_with(b"-p") || argument.starts_with(OsStr::new("--package").as_encoded_bytes())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_workspace_is_tested_unless_a_package_is_named() {
        let named =
            |arguments: &[&str]| names_a_package(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(named(&["-p", "contactor-sync"]) && named(&["-pcontactor-sync"]));
        assert!(named(&["--package=contactor-sync"]) && named(&["--no-fail-fast", "--package", "x"]));
        assert!(!named(&[]) && !named(&["merge"]) && !named(&["merge", "--", "-p"]));
    }
}

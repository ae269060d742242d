//! `cargo xtask docs`: the pages that are made from the code and the manifests. A test of the `contactor` program fails when one
//! of them is stale.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::cargo::Workspace;

#[derive(Args)]
pub(crate) struct Docs {}

impl Docs {
    #[expect(clippy::unused_self, reason = "every subcommand is run the same way")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        let docs = workspace.root.join("docs");
        let manifests = manifests(&workspace.root.join("plugins"))?;
        let mut catalogue = vec!["catalog".to_owned(), "--markdown".to_owned()];
        for (_, manifest) in &manifests {
            catalogue.extend(["--manifest".to_owned(), manifest.display().to_string()]);
        }
        fs::write(docs.join("catalogue.md"), contactor(&workspace, &catalogue)?)?;
        // A page of a connector that is gone must not stay behind.
        let pages = docs.join("connectors");
        if pages.exists() {
            fs::remove_dir_all(&pages)?;
        }
        fs::create_dir(&pages)?;
        for (id, manifest) in manifests {
            let arguments = ["connector".to_owned(), "docs".to_owned(), manifest.display().to_string()];
            fs::write(pages.join(format!("{id}.md")), contactor(&workspace, &arguments)?)?;
        }
        Ok(())
    }
}

/// The directories of connectors, each with its manifest, in the order of their names.
fn manifests(plugins: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(plugins).with_context(|| format!("cannot read {}", plugins.display()))? {
        let path = entry?.path();
        let manifest = path.join("connector.toml");
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && manifest.exists()
        {
            found.push((name.to_owned(), manifest));
        }
    }
    found.sort();
    Ok(found)
}

fn contactor(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut command = workspace.cargo("run");
    command.args(["--quiet", "--package", "contactor", "--bin", "contactor", "--"]).args(arguments);
    let output = command.stderr(std::process::Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "`contactor {}` failed", arguments.join(" "));
    Ok(output.stdout)
}

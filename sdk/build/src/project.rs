//! The crate in a directory.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value as Json;

use crate::toolchain::{TARGET, cargo};

/// A connector's crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The package's name.
    pub name: String,
    /// Where it lies, absolute.
    pub directory: PathBuf,
    /// Where cargo builds, absolute.
    pub target_dir: PathBuf,
    /// The library's name, which is that of its module.
    library: String,
}

impl Project {
    /// Asks cargo about the crate in a directory, so that `CARGO_TARGET_DIR` and workspaces count here as they do there.
    ///
    /// # Errors
    /// When there is no crate, cargo does not understand it, or it is no `cdylib`.
    pub fn find(directory: &Path) -> anyhow::Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("there is no directory {}", directory.display()))?;
        let cargo_toml = directory.join("Cargo.toml");
        ensure!(
            cargo_toml.is_file(),
            "{} holds no Cargo.toml: go to the connector's directory, or make one with `contactor connector new`",
            directory.display()
        );
        let output = cargo("metadata")
            .args(["--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(&cargo_toml)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo; install Rust from https://rustup.rs")?;
        ensure!(output.status.success(), "cargo does not understand {}", cargo_toml.display());
        Self::of(&serde_json::from_slice(&output.stdout)?, directory)
    }

    fn of(metadata: &Json, directory: PathBuf) -> anyhow::Result<Self> {
        let target_dir = metadata["target_directory"].as_str().context("cargo names no target directory")?;
        let cargo_toml = directory.join("Cargo.toml");
        let is_here = |package: &&Json| package["manifest_path"].as_str().map(Path::new) == Some(&cargo_toml);
        let package = metadata["packages"].as_array().into_iter().flatten().find(is_here);
        let package = package.with_context(|| {
            format!("{} is no package: go to the connector's own directory", cargo_toml.display())
        })?;
        let name = package["name"].as_str().context("cargo names no package")?.to_owned();
        let is_cdylib = |target: &&Json| {
            target["crate_types"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "cdylib"))
        };
        let library = package["targets"].as_array().into_iter().flatten().find(is_cdylib);
        let Some(library) = library.and_then(|library| library["name"].as_str()) else {
            bail!(
                "{name} makes no component: its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`"
            );
        };
        let library = library.replace('-', "_");
        Ok(Self { name, directory, target_dir: target_dir.into(), library })
    }

    pub(crate) fn cargo_toml(&self) -> PathBuf {
        self.directory.join("Cargo.toml")
    }

    /// The compiled module, before it is encoded.
    pub(crate) fn module(&self) -> PathBuf {
        self.target_dir.join(TARGET).join("guest").join(&self.library).with_extension("wasm")
    }

    /// Where its component goes.
    pub fn component(&self) -> PathBuf {
        self.target_dir.join("components").join(format!("{}.wasm", self.name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(types: &[&str]) -> Json {
        json!({ "target_directory": "/t", "packages": [
            { "name": "other", "manifest_path": "/other/Cargo.toml", "targets": [] },
            { "name": "acme-people", "manifest_path": "/acme/Cargo.toml",
              "targets": [{ "name": "acme_people", "crate_types": types }] }
        ]})
    }

    #[test]
    fn the_package_of_the_directory_is_the_one_that_counts() {
        let project = Project::of(&metadata(&["cdylib", "rlib"]), "/acme".into()).unwrap();
        assert_eq!(project.name, "acme-people");
        assert_eq!(project.module(), Path::new("/t/wasm32-unknown-unknown/guest/acme_people.wasm"));
        assert_eq!(project.component(), Path::new("/t/components/acme-people.wasm"));
    }

    #[test]
    fn what_makes_no_component_is_told_what_it_lacks() {
        let error = Project::of(&metadata(&["lib"]), "/acme".into()).unwrap_err().to_string();
        assert!(error.contains("acme-people") && error.contains("cdylib"), "{error}");
        let error = Project::of(&metadata(&["cdylib"]), "/workspace".into()).unwrap_err().to_string();
        assert!(error.contains("/workspace/Cargo.toml"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        let error = Project::find(empty.path()).unwrap_err().to_string();
        assert!(error.contains("contactor connector new"), "{error}");
    }
}

//! `cargo xtask build`: from a connector's crate to a component with its manifest inside.
//!
//! How a guest is compiled, encoded and checked is in `contactor-build`, which `contactor connector build` uses as well; here are the
//! guests of this workspace.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context as _, bail};
use clap::Args;
use contactor_build::{Component, TARGET, finish, guest_arguments, require_target};

use crate::cargo::{self, Workspace};

#[derive(Args)]
pub(crate) struct Build {
    /// Crates to build, by name; all of them when none is named.
    #[arg(value_name = "CONNECTOR")]
    names: Vec<String>,
}

impl Build {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        for component in build(&Workspace::find()?, &self.names)? {
            let Component { path, bytes, imports } = component;
            writeln!(
                io::stdout(),
                "{} ({} KiB), imports: {}",
                path.display(),
                bytes.div_ceil(1024),
                imports.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Builds the guests of these names, or every guest of the workspace, into `<target directory>/components/<name>.wasm`.
pub(crate) fn build(workspace: &Workspace, names: &[String]) -> anyhow::Result<Vec<Component>> {
    let guests = chosen(guests(&workspace.root)?, names)?;
    require_target()?;
    compile(workspace, &guests)?;
    let components = workspace.components();
    let built = workspace.target_dir.join(TARGET).join("guest");
    let finished = |guest: &Guest| {
        let module = built.join(guest.name.replace('-', "_")).with_extension("wasm");
        let component = components.join(&guest.name).with_extension("wasm");
        finish(&module, &guest.directory, &component).with_context(|| guest.name.clone())
    };
    guests.iter().map(finished).collect()
}

struct Guest {
    name: String,
    directory: PathBuf,
}

/// Guests that exist for the tests alone.
const TEST_GUESTS: [&str; 3] = ["tests/guest-dishonest", "tests/guest-misbehave", "tests/guest-operations"];

/// The crates below `plugins/` and the guests of the tests. A crate has the name of its directory.
fn guests(workspace: &Path) -> anyhow::Result<Vec<Guest>> {
    let plugins = workspace.join("plugins");
    let mut directories: Vec<_> = TEST_GUESTS.iter().map(|guest| workspace.join(guest)).collect();
    for entry in fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))? {
        directories.push(entry?.path());
    }
    directories.retain(|directory| directory.join("Cargo.toml").is_file());
    directories.sort();
    let guest = |directory: PathBuf| {
        let name = directory.file_name()?.to_str()?.to_owned();
        Some(Guest { name, directory })
    };
    Ok(directories.into_iter().filter_map(guest).collect())
}

fn chosen(guests: Vec<Guest>, names: &[String]) -> anyhow::Result<Vec<Guest>> {
    if let Some(unknown) = names.iter().find(|name| guests.iter().all(|guest| guest.name != **name)) {
        let known: Vec<_> = guests.iter().map(|guest| guest.name.as_str()).collect();
        bail!("there is no connector `{unknown}`; there are {}", known.join(", "));
    }
    Ok(guests.into_iter().filter(|guest| names.is_empty() || names.contains(&guest.name)).collect())
}

/// An invocation of its own: features that the host needs of a shared crate do not reach the guests.
fn compile(workspace: &Workspace, guests: &[Guest]) -> anyhow::Result<()> {
    let mut command = workspace.cargo("build");
    command.args(guest_arguments());
    for guest in guests {
        command.args(["--package", &guest.name]);
    }
    cargo::step(&mut command, "the guests do not compile")
}

#[cfg(test)]
mod tests {
    use contactor_manifest::Manifest;

    use super::*;

    #[test]
    fn a_component_imports_only_what_its_code_calls_and_carries_its_manifest() {
        let names = ["prefinery".to_owned()];
        let built = build(&Workspace::find().unwrap(), &names).unwrap();
        let mut imports = built[0].imports.clone();
        imports.sort();
        assert_eq!(
            imports,
            [
                "clock",
                "contacts",
                "log",
                "notes",
                "notifications",
                "partner",
                "rules",
                "settings",
                "tags",
                "tasks",
                "types",
                "workflows",
            ]
        );
        let component = fs::read(&built[0].path).unwrap();
        assert_eq!(component.len(), built[0].bytes);
        let manifest = contactor_manifest::extract(&component).unwrap().unwrap();
        assert_eq!(Manifest::parse(&manifest).unwrap().connector.id.as_str(), "prefinery");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let names = ["prefinary".to_owned()];
        let error =
            chosen(guests(&Workspace::find().unwrap().root).unwrap(), &names).err().unwrap().to_string();
        assert!(error.contains("`prefinary`") && error.contains("prefinery"), "{error}");
    }
}

//! `cargo xtask build`: from a connector's crate to a component with its manifest inside.
//!
//! A guest is built for the bare `wasm32-unknown-unknown` target, which knows no WASI, and encoded afterwards. When a target that
//! makes components directly is stable, this file is all that changes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use contactor_manifest::{Manifest, embed};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldKey;

use crate::cargo::{self, Workspace};

const TARGET: &str = "wasm32-unknown-unknown";

/// The only package whose interfaces a component may import.
const PACKAGE: &str = "contactor:connector/";

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

/// A component that was built.
#[derive(Debug)]
pub(crate) struct Component {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: usize,
    /// The interfaces that it imports, for example `partner`.
    pub(crate) imports: Vec<String>,
}

/// Builds the guests of these names, or every guest of the workspace, into `<target directory>/components/<name>.wasm`.
pub(crate) fn build(workspace: &Workspace, names: &[String]) -> anyhow::Result<Vec<Component>> {
    let guests = chosen(guests(&workspace.root)?, names)?;
    require_target()?;
    compile(workspace, &guests)?;
    let components = workspace.components();
    fs::create_dir_all(&components).with_context(|| format!("cannot create {}", components.display()))?;
    let built = workspace.target_dir.join(TARGET).join("guest");
    guests
        .iter()
        .map(|guest| finish(guest, &built, &components).with_context(|| guest.name.clone()))
        .collect()
}

struct Guest {
    name: String,
    directory: PathBuf,
}

/// Guests that exist for the tests alone.
const TEST_GUESTS: [&str; 2] = ["tests/guest-misbehave", "tests/guest-operations"];

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

/// Adds the wasm target to the toolchain when it is missing.
fn require_target() -> anyhow::Result<()> {
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

/// An invocation of its own: features that the host needs of a shared crate do not reach the guests.
fn compile(workspace: &Workspace, guests: &[Guest]) -> anyhow::Result<()> {
    let mut command = workspace.cargo("build");
    command.args(["--profile", "guest", "--target", TARGET]);
    for guest in guests {
        command.args(["--package", &guest.name]);
    }
    cargo::step(&mut command, "the guests do not compile")
}

/// Encodes one compiled guest, checks it, embeds its manifest and puts it into place.
fn finish(guest: &Guest, built: &Path, components: &Path) -> anyhow::Result<Component> {
    let module = built.join(guest.name.replace('-', "_")).with_extension("wasm");
    let module = fs::read(&module)
        .with_context(|| format!("cannot read {}: is the crate a `cdylib`?", module.display()))?;
    let component = encode(&module)?;
    let imports = imports(&component)?;
    let component = match manifest(&guest.directory)? {
        Some(manifest) => embed(&component, &manifest)?,
        None => component,
    };
    let path = components.join(&guest.name).with_extension("wasm");
    write_atomically(&path, &component)?;
    Ok(Component { path, bytes: component.len(), imports })
}

fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(module).context("the module does not fit the interface")?;
    encoder.encode().context("the module cannot be encoded as a component")
}

/// The names of the imported interfaces, all of which have to be ours.
fn imports(component: &[u8]) -> anyhow::Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("the encoder made no component");
    };
    let imports = resolve.worlds[world].imports.keys().map(|key| {
        let full_name = match key {
            WorldKey::Interface(_) => resolve.name_world_key(key),
            WorldKey::Name(name) => name.clone(),
        };
        let name = full_name.strip_prefix(PACKAGE).and_then(|name| name.split('@').next()).map(str::to_owned);
        name.with_context(|| {
            format!("imports `{full_name}`; a connector may only import interfaces of {PACKAGE}")
        })
    });
    imports.collect()
}

/// The crate's `connector.toml`, checked.
fn manifest(directory: &Path) -> anyhow::Result<Option<String>> {
    let path = directory.join("connector.toml");
    match fs::read_to_string(&path) {
        Ok(manifest) => {
            Manifest::parse(&manifest).with_context(|| path.display().to_string())?;
            Ok(Some(manifest))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// A reader sees the old file or the new one, never half of either.
fn write_atomically(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&temporary, bytes).with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_foreign_import_is_refused_by_name() {
        let mut resolve = wit_parser::Resolve::default();
        let text = "package other:thing@1.0.0; interface files { open: func(); } world w { import files; }";
        let package = resolve.push_str("foreign.wit", text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let component = component_of(&resolve, world);
        let error = imports(&component).unwrap_err().to_string();
        assert!(error.contains("other:thing/files@1.0.0"), "{error}");
    }

    /// A component that imports a world's imports and calls them.
    fn component_of(resolve: &wit_parser::Resolve, world: wit_parser::WorldId) -> Vec<u8> {
        let mut module = wit_component::dummy_module(resolve, world, wit_parser::ManglingAndAbi::Standard32);
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, resolve, world, encoding, false).unwrap();
        encode(&module).unwrap()
    }
}

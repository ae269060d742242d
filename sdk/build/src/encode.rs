//! From a compiled module to a component: encoded, held to the interface, with its manifest inside.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context as _, bail};
use contactor_manifest::{Manifest, embed};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldKey;

use crate::Component;

/// The only package whose interfaces a component may import.
const PACKAGE: &str = "contactor:connector/";

/// Encodes a compiled module, checks it, embeds the `connector.toml` of the crate's directory and puts it into place. A reader of
/// `output` sees the old file or the new one, never half of either.
///
/// # Errors
/// When the module does not fit the interface or imports anything else, or the manifest is wrong.
pub fn finish(module: &Path, directory: &Path, output: &Path) -> anyhow::Result<Component> {
    let module = fs::read(module)
        .with_context(|| format!("cannot read {}: is the crate a `cdylib`?", module.display()))?;
    let component = encode(&module)?;
    let imports = imports(&component)?;
    let component = match manifest(directory)? {
        Some(manifest) => embed(&component, &manifest)?,
        None => component,
    };
    if let Some(directory) = output.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    write_atomically(output, &component)?;
    Ok(Component { path: output.to_owned(), bytes: component.len(), imports })
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

fn write_atomically(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&temporary, bytes).with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

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

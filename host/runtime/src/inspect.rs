//! What a component says about itself, read from its bytes. Nothing is run, nothing is compiled.

use contactor_manifest::Manifest;
use wasmparser::{ComponentExternalKind, ComponentTypeRef, Encoding, Parser, Payload};

use crate::{Digest, Grants, InspectError, LoadError, structure::Structure};

/// The interface package, as imports and exports name it.
const PACKAGE: &str = "contactor:connector/";

/// Version of the interface package that this host serves; `wit/` has it. A connector may be built against any patch of the
/// same minor version.
pub(crate) const INTERFACE_VERSION: &str = "0.1.1";

/// What every connector exports.
const EXPORTS: [&str; 4] = ["adapter", "triggers", "automations", "actions"];

/// What a component says about itself.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// The embedded `connector.toml`, checked.
    pub manifest: Manifest,
    /// Full names of all imports, as `contactor:connector/contacts@0.1.0`, in the component's order.
    pub imports: Vec<String>,
    /// Full names of all exports.
    pub exports: Vec<String>,
    /// Size in bytes.
    pub size: usize,
}

/// Reads what a component says about itself: for showing it to an admin before it is approved.
///
/// The names come from the file; [`crate::Runtime::load`] holds the component to them.
///
/// # Errors
/// [`InspectError`] when the bytes are no component, are damaged, carry no usable manifest, or are built as nothing is that is compiled.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    refuse_other_formats(bytes)?;
    let toml =
        contactor_manifest::extract(bytes).map_err(InspectError::Section)?.ok_or(InspectError::NoManifest)?;
    let manifest = Manifest::parse(&toml).map_err(InspectError::Manifest)?;
    let Surface { imports, exports } = surface(bytes)?;
    Ok(Inspection { digest: Digest::of(bytes), manifest, imports, exports, size: bytes.len() })
}

impl Inspection {
    /// Short names of the imported interfaces of this package that an admin grants or withholds: `contacts`, `tags`, ….
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().filter_map(|import| interface(import)).filter(|name| !Grants::none().allows(name))
    }

    /// Refuses what the host does not offer or the admin did not grant, by name, and what lacks an export.
    ///
    /// # Errors
    /// [`LoadError::UnknownImport`], [`LoadError::NotGranted`], [`LoadError::MissingExports`].
    pub fn check(&self, grants: &Grants) -> Result<(), LoadError> {
        let connector = || self.manifest.connector.id.as_str().to_owned();
        for import in &self.imports {
            match interface(import) {
                Some(name) if grants.allows(name) => {}
                Some(name) if Grants::known(name) => {
                    return Err(LoadError::NotGranted { connector: connector(), interface: name.to_owned() });
                }
                _ => {
                    return Err(LoadError::UnknownImport {
                        connector: connector(),
                        import: import.clone(),
                        offered: INTERFACE_VERSION,
                    });
                }
            }
        }
        let exported = |wanted: &str| self.exports.iter().any(|export| interface(export) == Some(wanted));
        let missing: Vec<_> = EXPORTS
            .into_iter()
            .filter(|wanted| !exported(wanted))
            .map(|wanted| format!("{PACKAGE}{wanted}@{INTERFACE_VERSION}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(LoadError::MissingExports { connector: connector(), missing, offered: INTERFACE_VERSION })
    }
}

/// The short name of an interface of this package in a version that this host serves: `contacts`.
fn interface(full: &str) -> Option<&str> {
    let (name, version) = full.strip_prefix(PACKAGE)?.split_once('@')?;
    let served = INTERFACE_VERSION.rsplit_once('.')?.0;
    let (minor, patch) = version.rsplit_once('.')?;
    (minor == served && patch.bytes().all(|digit| digit.is_ascii_digit())).then_some(name)
}

fn refuse_other_formats(bytes: &[u8]) -> Result<(), InspectError> {
    let what = if Parser::is_component(bytes) {
        return Ok(());
    } else if Parser::is_core_wasm(bytes) {
        "a core WebAssembly module"
    } else if bytes.trim_ascii_start().starts_with(b"(") {
        "WebAssembly text"
    } else if bytes.is_empty() {
        "an empty file"
    } else {
        "an unknown format"
    };
    Err(InspectError::NotAComponent { what })
}

pub(crate) struct Surface {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Imports and exports of the outermost component. `wit-component` nests small components of its own; theirs are not ours. The bounds of
/// the structure are for all of it.
pub(crate) fn surface(bytes: &[u8]) -> Result<Surface, InspectError> {
    let mut surface = Surface { imports: Vec::new(), exports: Vec::new() };
    let mut structure = Structure::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        structure.look_at(&payload)?;
        match payload {
            Payload::Version { encoding, .. } if depth == 0 && encoding != Encoding::Component => {
                return Err(InspectError::NotAComponent { what: "a core WebAssembly module" });
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(malformed)?;
                    // Anything but an interface is foreign, whatever it is called.
                    let kind = match import.ty {
                        ComponentTypeRef::Instance(_) => "",
                        _ => " (not an interface)",
                    };
                    surface.imports.push(format!("{}{kind}", import.name.name));
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(malformed)?;
                    if export.kind == ComponentExternalKind::Instance {
                        surface.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

#[expect(clippy::needless_pass_by_value, reason = "fits `map_err`")]
fn malformed(error: wasmparser::BinaryReaderError) -> InspectError {
    InspectError::Malformed { offset: error.offset(), reason: error.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: &str = include_str!("../../../wit/world.wit");

    #[test]
    fn the_served_version_is_that_of_the_interface_package() {
        assert!(WORLD.contains(&format!("package {}@{INTERFACE_VERSION};", PACKAGE.trim_end_matches('/'))));
    }

    #[test]
    fn every_import_of_the_world_is_known_and_every_export_is_demanded() {
        let names = |keyword: &str| -> Vec<&str> {
            let lines = WORLD.lines().filter_map(|line| line.trim().strip_prefix(keyword)?.strip_suffix(';'));
            lines.map(str::trim).collect()
        };
        let imports = names("import ");
        assert!(imports.len() > 10 && imports.iter().all(|name| Grants::known(name)), "{imports:?}");
        assert_eq!(names("export "), EXPORTS);
    }

    #[test]
    fn only_this_package_in_the_served_version_counts_as_an_interface() {
        assert_eq!(interface("contactor:connector/contacts@0.1.0"), Some("contacts"));
        assert_eq!(interface("contactor:connector/contacts@0.1.7"), Some("contacts"));
        for foreign in [
            "contactor:connector/contacts@0.2.0",
            "contactor:connector/contacts@1.1.0",
            "contactor:connector/contacts@0.1.0-rc.1",
            "contactor:connector/contacts",
            "contactor:connectors/contacts@0.1.0",
            "wasi:cli/environment@0.2.0",
            "contactor:connector/contacts@0.1.0 (not an interface)",
            "contacts",
        ] {
            assert_eq!(interface(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn what_is_no_component_is_named() {
        let refusal = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
        assert!(refusal(b"\0asm\x01\0\0\0").contains("a core WebAssembly module"));
        assert!(refusal(b" (component)").contains("WebAssembly text"));
        assert!(refusal(b"").contains("an empty file"));
        assert!(refusal(b"MZ garbage").contains("an unknown format"));
    }

    #[test]
    fn a_component_without_a_manifest_is_told_how_to_get_one() {
        assert!(matches!(inspect(b"\0asm\x0d\0\x01\0"), Err(InspectError::NoManifest)));
    }
}

//! Where built things lie.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The directory of this build's executables (`target/debug` or `target/release`).
fn profile_dir() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("where this program lies")?;
    let dir = executable.parent().context("the program lies in no directory")?;
    // Tests lie one level deeper, in `deps`.
    Ok(if dir.ends_with("deps") { dir.parent().unwrap_or(dir).to_owned() } else { dir.to_owned() })
}

/// An executable of this build.
///
/// # Errors
/// When it was not built; the message says how to.
pub fn binary(name: &str) -> Result<PathBuf> {
    let path = profile_dir()?.join(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: `cargo xtask test` and `cargo xtask demo` build it",
        path.display()
    );
    Ok(path)
}

/// Where cargo builds: what builds there too finds its dependencies built.
///
/// # Errors
/// When this program was not built by cargo.
pub fn target() -> Result<PathBuf> {
    profile_dir()?.parent().map(Path::to_owned).context("the profile lies in no target directory")
}

/// Where a built component lies, by the name of its crate.
///
/// # Errors
/// When this program was not built by cargo.
pub fn component_path(name: &str) -> Result<PathBuf> {
    Ok(target()?.join("components").join(format!("{name}.wasm")))
}

/// A built component, by the name of its crate.
///
/// # Errors
/// When it was not built; the message says how to.
pub fn component(name: &str) -> Result<Vec<u8>> {
    let path = component_path(name)?;
    std::fs::read(&path).with_context(|| format!("{}: run `cargo xtask build` first", path.display()))
}

/// The facts beside the repository, when they are there.
pub fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?.join("shared/highlevel");
    shared.is_dir().then_some(shared)
}

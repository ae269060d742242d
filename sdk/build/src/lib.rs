//! From a connector's crate to a component with its manifest inside.
//!
//! A guest is built for the bare `wasm32-unknown-unknown` target, which knows no WASI, and encoded afterwards. When a target that
//! makes components directly is stable, this crate is all that changes: `cargo xtask build` and `contactor connector build` both build
//! with it, and neither author nor script names a target, a profile or an encoder.

mod encode;
mod project;
mod toolchain;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use encode::finish;
pub use project::Project;
pub use toolchain::{TARGET, cargo, guest_arguments, require_target, step};

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// The interfaces that it imports, for example `partner`, in order.
    pub imports: Vec<String>,
}

/// Builds the crate in a directory into `output`, or into `components/<name>.wasm` of its target directory.
///
/// # Errors
/// When the directory holds no connector's crate, the crate does not compile, it imports anything but the interface's own functions,
/// or its manifest is wrong. The compiler's own messages have gone to standard error by then.
pub fn build(directory: &Path, output: Option<&Path>) -> anyhow::Result<Component> {
    let project = Project::find(directory)?;
    require_target()?;
    let mut command = cargo("build");
    command.args(guest_arguments()).arg("--lib").arg("--manifest-path").arg(project.cargo_toml());
    step(&mut command, "the connector does not compile")?;
    let output = output.map_or_else(|| project.component(), Path::to_owned);
    finish(&project.module(), &project.directory, &output).with_context(|| project.name.clone())
}

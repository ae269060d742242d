//! Where the built components lie.

use std::{env, fs, path::PathBuf};

/// The guest that misbehaves, with its manifest.
pub(crate) fn misbehave() -> Vec<u8> {
    let file = directory().join("guest-misbehave.wasm");
    fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build` first", file.display()))
}

/// `CONTACTOR_COMPONENTS`, or `components` in Cargo's target directory, in which this executable lies.
fn directory() -> PathBuf {
    if let Some(directory) = env::var_os("CONTACTOR_COMPONENTS") {
        return directory.into();
    }
    let executable = env::current_exe().expect("the path of the executable");
    // <target>/<profile>/deps/<executable>
    executable.ancestors().nth(3).expect("an executable made by cargo").join("components")
}

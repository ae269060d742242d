//! The connectors that attack.

#[path = "../../../host/runtime/tests/runtime/made.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the runtime use all of it, and may panic")]
mod made;

use anyhow::{Context as _, Result};
use contactor_manifest::{custom_section, embed, extract};
use contactor_tests::artefacts;
use wasm_encoder::BlockType;

pub(super) use made::compile_bomb;

/// For the components that are made: what they are made of.
mod components {
    pub(crate) fn misbehave() -> Vec<u8> {
        contactor_tests::artefacts::component("guest-misbehave").expect("`cargo xtask bench` builds it")
    }
}

/// Attacks in whatever way its action names.
pub(super) const MISBEHAVE: &str = "misbehave";
/// Calls each function of the host.
pub(super) const OPERATIONS: &str = "operations";
/// Has a start function that loops.
pub(super) const LOOPER: &str = "looper";
/// Has one that lets a table grow without end.
pub(super) const TABLE: &str = "table";
/// Has one that makes handles without end.
pub(super) const HANDLES: &str = "handles";

/// Each by its id.
pub(super) fn installed() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut loops = made::one_function();
    made::starting(&mut loops, |function| {
        function.instructions().loop_(BlockType::Empty).br(0).end();
    });
    Ok(vec![
        (MISBEHAVE, components::misbehave()),
        (OPERATIONS, artefacts::component("guest-operations")?),
        (LOOPER, named(LOOPER, &made::with_module(&loops))?),
        (TABLE, named(TABLE, &made::growing_table())?),
        (HANDLES, named(HANDLES, &made::leaking_handles())?),
    ])
}

/// The guest that misbehaves under another id.
fn named(id: &str, component: &[u8]) -> Result<Vec<u8>> {
    let manifest = extract(component)?.context("the guest has no manifest")?;
    Ok(embed(component, &manifest.replace("id = \"misbehave\"", &format!("id = \"{id}\"")))?)
}

pub(super) fn two_memories(number: i64) -> Vec<u8> {
    numbered(&made::two_memories(), number)
}

pub(super) fn foreign_import(number: i64) -> Vec<u8> {
    numbered(&made::with_name("contactor:connector/clock@0.1.1", "contactor:connector/clack@0.1.1"), number)
}

/// Another component for each number: what the host knows already would cost it less.
fn numbered(component: &[u8], number: i64) -> Vec<u8> {
    [component, &custom_section("number", &number.to_be_bytes())].concat()
}

/// Much to compile, and within every bound.
pub(super) fn huge(number: i64) -> Vec<u8> {
    made::large(2, number)
}

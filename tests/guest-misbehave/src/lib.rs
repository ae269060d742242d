//! A guest that attacks its host in a way that its input names.
//!
//! `actions.run(name, input)` selects the attack (see `attacks.rs`); the other exports answer what they were asked, so that tests
//! see every argument arrive, unless it begins with `attack:` and names one. Built with `cargo xtask build`, used by the tests of `host/runtime` and the black-box tests.

#![cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "the generated exports are raw functions, and some attacks need it")
)]

#[cfg(target_arch = "wasm32")]
mod attacks;
#[cfg(target_arch = "wasm32")]
mod guest;

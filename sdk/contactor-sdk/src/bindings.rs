//! What `wit-bindgen` makes of `wit/`. Authors use the names that the crate's root re-exports.
#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code: the interface's documentation is in wit/"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "connector",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    export_macro_name: "__export_component",
    default_bindings_module: "contactor_sdk::bindings",
});

//! The doubles over real HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test helpers fail loudly and say what they skip"
)]

mod client;
mod connectif;
mod control;
mod emit;
mod faults;
mod formbuilder;
mod highlevel_contacts;
mod highlevel_gateway;
mod highlevel_people;
mod highlevel_records;
mod highlevel_search;
mod pheedloop;
mod prefinery;
mod referrizer;
mod vendor_spec;
mod webhooks;

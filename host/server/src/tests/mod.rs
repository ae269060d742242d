//! The server over real HTTP. One file per subject.

mod admin;
mod connections;
mod description;
mod door;
mod ingest;
mod login;
mod people;
mod status;

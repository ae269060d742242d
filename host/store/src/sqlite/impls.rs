//! The trait, each method one closure for the writer or one snapshot for a reader.

mod automations;
mod configuration;
mod decisions;
mod events;
mod limits;
mod links;
mod oauth;
mod operation;
mod people;
mod runs;
mod state;
mod vault;
mod work;

use super::SqliteStore;
use crate::store::Store;

impl Store for SqliteStore {}

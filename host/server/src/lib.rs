//! HTTP: webhook ingest, health, metrics and the JSON admin API. A thin layer over [`contactor_engine::Engine`].
//!
//! | path | who | what |
//! |---|---|---|
//! | `POST /webhooks/highlevel` | HighLevel | signed events of every location |
//! | `POST /webhooks/partner/{token}` | partners | webhooks of one connection |
//! | `GET /healthz`, `GET /readyz` | the platform | is the process alive, does it do its work |
//! | `GET /metrics` | the platform | Prometheus text |
//! | `GET /login`, `GET /login/callback` | people with a browser | to the identity provider and back, with a session |
//! | `/api/v1/…` | operators | everything else, with a bearer token or a session; described by `/api/v1/openapi.json` |
//!
//! Three promises: a webhook is answered 200 only after its commit; every refusal is counted and leaves a log line without the
//! sender's data, as long as there are not too many of its kind; and no client can hold the server up: connections, heads, bodies one
//! by one and together, and the times for a head, a body, a request and the reading of an answer are bounded.

mod api;
mod app;
mod body;
mod config;
mod cookies;
pub mod dto;
mod error;
mod extract;
mod gate;
mod ingest;
mod listen;
mod login;
mod openapi;
mod patient;
mod secure;
mod server;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use config::ServerConfig;
pub use openapi::document;
pub use server::{Server, ServerError};

//! What every handler shares, and the router as a whole.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response_with_state;
use axum::routing::get;
use contactor_engine::Engine;

use crate::body::{Bodies, BodiesOfUsers};
use crate::config::ServerConfig;
use crate::error::ApiError;
use crate::gate::Gate;
use crate::ingest::IngestMetrics;
use crate::secure::Secure;
use crate::status::Readiness;
use crate::{api, ingest, login, openapi, secure, status};

/// The state of the server. Cloning it counts a reference.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// What the state consists of.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: ServerConfig,
    pub(crate) ingest: IngestMetrics,
    pub(crate) webhook_bodies: Bodies,
    pub(crate) json_bodies: BodiesOfUsers,
    pub(crate) components: BodiesOfUsers,
    pub(crate) readiness: Readiness,
    pub(crate) gate: Gate,
}

impl App {
    pub(crate) fn new(config: ServerConfig, engine: Engine) -> Self {
        Self(Arc::new(Shared {
            engine,
            gate: Gate::new(config.admin_requests_per_minute),
            ingest: IngestMetrics::register(),
            webhook_bodies: Bodies::new(config.webhook_bodies_cap, config.webhook_body_cap),
            json_bodies: BodiesOfUsers::new(config.json_bodies_cap, config.json_body_cap),
            components: BodiesOfUsers::new(config.component_bodies_cap, config.component_body_cap),
            readiness: Readiness::default(),
            config,
        }))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Every route of the server.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/webhooks/highlevel", ingest::highlevel_route())
        .route("/webhooks/partner/{token}", ingest::partner_route())
        .route(api::oauth::CALLBACK, get(api::oauth::callback))
        .route(login::BEGIN, get(login::begin))
        .route(contactor_engine::LOGIN_CALLBACK, get(login::callback))
        .route("/healthz", get(status::alive))
        .route("/readyz", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route(openapi::PATH, get(openapi::serve))
        .merge(api::router(&app))
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async || ApiError::wrong_method())
        .layer(map_response_with_state(Secure::of(&app.config), secure::secured))
        .with_state(app)
}

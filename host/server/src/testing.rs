//! A server on a free port over a real engine, with SQLite in a temporary directory, for this crate's tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cap_std::fs::Dir;
use contactor_engine::{
    Clock, ConnectorsConfig, Engine, EngineConfig, EngineParts, Outbound, OutboundConfig,
};
use contactor_highlevel::http::{Options, client};
use contactor_highlevel::webhook::{Verifier, VerifierConfig};
use contactor_runtime::RuntimeConfig;
use contactor_store::Vault;
use contactor_store::sqlite::SqliteStore;
use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::Signer;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::{Server, ServerConfig};

/// The admin token of every test server.
pub(crate) const TOKEN: &str = "fake-admin-token";

/// A key that no vendor has.
fn webhook_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Signs a webhook's body as HighLevel does: Ed25519 over the raw bytes, base64.
pub(crate) fn sign(body: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(webhook_key().sign(body).to_bytes())
}

/// An engine that reaches nobody.
pub(crate) fn engine(dir: &Path) -> Engine {
    engine_reaching(dir, OutboundConfig::default())
}

/// An engine that reaches what is open.
pub(crate) fn engine_reaching(dir: &Path, outbound: OutboundConfig) -> Engine {
    std::fs::create_dir(dir.join("artefacts")).unwrap();
    let key = webhook_key().verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
    let verifier =
        Verifier::new(VerifierConfig { ed25519_keys: vec![key], ..VerifierConfig::default() }).unwrap();
    Engine::start(EngineParts {
        config: EngineConfig::default(),
        clock: Clock::system(),
        store: Arc::new(SqliteStore::open(&dir.join("test.db")).unwrap()),
        vault: Arc::new(Vault::create_key(&dir.join("vault.key")).unwrap()),
        // Nobody listens on the discard port of the loopback: a request that is made by mistake fails at once.
        highlevel: contactor_highlevel::Config {
            base_url: "http://127.0.0.1:9".to_owned(),
            ..contactor_highlevel::Config::default()
        },
        verifier,
        runtime: RuntimeConfig { max_instances: 4, ..RuntimeConfig::default() },
        outbound: Outbound::new(outbound).unwrap(),
        connectors: ConnectorsConfig::default(),
        artefacts: Dir::open_ambient_dir(dir.join("artefacts"), cap_std::ambient_authority()).unwrap(),
    })
    .unwrap()
}

/// The configuration of a test server, with a recorder of its own.
pub(crate) fn config() -> ServerConfig {
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    ServerConfig {
        metrics: Some(metrics),
        ..ServerConfig::new("127.0.0.1:0".parse().unwrap(), SecretString::from(TOKEN))
    }
}

/// The state of a server without its listener.
pub(crate) fn app(dir: &Path) -> App {
    App::new(config(), engine(dir))
}

/// A running server.
pub(crate) struct TestServer {
    dir: tempfile::TempDir,
    http: reqwest::Client,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: ServerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::bind(config, engine(dir.path())).await.unwrap();
        let (address, stop) = (server.addr(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(stop.clone()));
        let http = client(&Options::default()).unwrap();
        Self { dir, http, address, stop, serving }
    }

    /// Its database.
    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.dir.path().join("test.db")
    }

    /// A request without a token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// A request of an operator.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(TOKEN)
    }

    /// A webhook of HighLevel with a good signature.
    pub(crate) fn webhook(&self, body: &str) -> RequestBuilder {
        self.request(Method::POST, "/webhooks/highlevel")
            .header("X-GHL-Signature", sign(body.as_bytes()))
            .body(body.to_owned())
    }
}

/// Status and body of an answer.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

/// The body of an answer.
pub(crate) async fn json(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Counts the lines that one module writes into the log.
pub(crate) struct Lines {
    module: &'static str,
    told: AtomicU32,
}

impl Lines {
    pub(crate) fn of(module: &'static str) -> Self {
        Self { module, told: AtomicU32::new(0) }
    }

    pub(crate) fn told(&self) -> u32 {
        self.told.load(Ordering::Relaxed)
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if event.metadata().target() == self.module {
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

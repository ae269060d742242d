//! The configuration: one TOML file, read strictly. This module is the only one that reads the environment.

mod convert;
mod load;
mod login;
mod vault;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use contactor_engine::{ConnectorsConfig, EngineConfig, OutboundConfig, SmtpTls};
use contactor_highlevel::ApiVersion;
use contactor_runtime::RuntimeConfig;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use load::{ConfigError, environment};
pub(crate) use login::LoginSection;
pub(crate) use vault::{KEY_FILE, VaultSection};

/// Name of the configuration file unless another is given.
pub(crate) const FILE_NAME: &str = "contactor.toml";

/// The file that `contactor init` writes: every key with its default, its unit and what it means.
pub(crate) const TEMPLATE: &str = include_str!("contactor.toml");

/// The word for the vendor's published key in `highlevel.webhook-keys`.
pub(crate) const PUBLISHED: &str = "published";

/// Everything that an operator can set. Keys that are absent have their default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    pub(crate) server: ServerSection,
    pub(crate) store: StoreSection,
    pub(crate) vault: VaultSection,
    pub(crate) artefacts: ArtefactsSection,
    pub(crate) connectors: ConnectorsConfig,
    pub(crate) highlevel: HighLevelSection,
    pub(crate) login: LoginSection,
    pub(crate) runtime: RuntimeSection,
    pub(crate) engine: EngineConfig,
    pub(crate) outbound: OutboundConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) smtp: Option<SmtpSection>,
    pub(crate) log: LogSection,
    /// The directory that relative paths start from: the file's own.
    #[serde(skip)]
    base: PathBuf,
}

impl Config {
    /// A path of the configuration, relative to the configuration file.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServerSection {
    #[serde(deserialize_with = "load::listen_address")]
    pub(crate) listen: SocketAddr,
    pub(crate) admin_token_file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strict_transport_days: Option<u16>,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8440).into(),
            admin_token_file: "admin.token".into(),
            strict_transport_days: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StoreSection {
    pub(crate) path: PathBuf,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { path: "contactor.db".into() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ArtefactsSection {
    pub(crate) dir: PathBuf,
}

impl Default for ArtefactsSection {
    fn default() -> Self {
        Self { dir: "artefacts".into() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct HighLevelSection {
    pub(crate) base_url: String,
    pub(crate) version: ApiVersion,
    pub(crate) webhook_keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) legacy_webhook: Option<LegacyWebhook>,
    /// Seconds that one request may take.
    pub(crate) timeout: NonZeroU16,
    pub(crate) allow_plain_http: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oauth: Option<OAuthSection>,
}

/// The app that HighLevel's marketplace knows this host by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OAuthSection {
    pub(crate) client_id: String,
    pub(crate) client_secret_file: PathBuf,
    pub(crate) redirect_url: String,
    /// Another consent page than the vendor's two: a double's.
    #[serde(default)]
    pub(crate) consent_page: Option<String>,
    #[serde(default = "oauth_scopes")]
    pub(crate) scopes: Vec<String>,
    #[serde(default = "courier_dir")]
    pub(crate) courier_dir: PathBuf,
}

/// What the host and the connectors of this repository need; a scope that is added later needs every customer's consent again. The two of
/// an agency are asked for in its consent alone.
fn oauth_scopes() -> Vec<String> {
    let scopes = [
        "contacts.readonly",
        "contacts.write",
        "locations.readonly",
        "locations/customFields.readonly",
        "locations/tags.readonly",
        "locations/tasks.readonly",
        "calendars.readonly",
        "calendars/events.readonly",
        "calendars/events.write",
        "users.readonly",
    ];
    scopes.map(str::to_owned).to_vec()
}

fn courier_dir() -> PathBuf {
    "couriers".into()
}

/// The vendor's old webhook signature, until a date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LegacyWebhook {
    pub(crate) keys: Vec<String>,
    pub(crate) accept_until: Timestamp,
}

impl Default for HighLevelSection {
    fn default() -> Self {
        let vendor = contactor_highlevel::Config::default();
        Self {
            base_url: vendor.base_url,
            version: vendor.version,
            webhook_keys: vec![PUBLISHED.to_owned()],
            legacy_webhook: None,
            timeout: u16::try_from(vendor.timeout.as_secs())
                .ok()
                .and_then(NonZeroU16::new)
                .unwrap_or(NonZeroU16::MAX),
            allow_plain_http: vendor.allow_plain_http,
            oauth: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RuntimeSection {
    pub(crate) max_instances: u32,
    pub(crate) memory_mib: u32,
    pub(crate) cpu_ms: u64,
    pub(crate) call_timeout_ms: u64,
    pub(crate) host_calls: u32,
    pub(crate) pool_wait_ms: u64,
    pub(crate) compile_timeout_ms: u64,
    pub(crate) max_component_mib: usize,
    pub(crate) compile_memory_mib: u64,
    pub(crate) aot_cache: PathBuf,
}

impl Default for RuntimeSection {
    /// The runtime's own defaults.
    fn default() -> Self {
        let runtime = RuntimeConfig::default();
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            max_instances: runtime.max_instances,
            memory_mib: runtime.max_limits.memory_mib,
            cpu_ms: millis(runtime.max_limits.cpu),
            call_timeout_ms: millis(runtime.max_limits.timeout),
            host_calls: runtime.max_limits.host_calls,
            pool_wait_ms: millis(runtime.pool_wait),
            compile_timeout_ms: millis(runtime.compile_timeout),
            compile_memory_mib: 1024,
            max_component_mib: runtime.max_component_bytes >> 20,
            aot_cache: "aot-cache".into(),
        }
    }
}

/// The mail server that messages leave by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SmtpSection {
    pub(crate) server: String,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) tls: SmtpTls,
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) from: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LogSection {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

//! From the operator's words to the parts' own settings.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use contactor_engine::{Courier, NotificationConfig, OAuthSetup, SmtpConfig, SmtpTls};
use contactor_highlevel::oauth::{Marketplace, OAuthApp};
use contactor_highlevel::webhook::{LegacyRsa, PUBLISHED_ED25519, Verifier, VerifierConfig};
use contactor_runtime::{CacheConfig, Limits, RuntimeConfig, WorkerConfig};

use super::{Config, ConfigError, HighLevelSection, PUBLISHED, RuntimeSection, SmtpSection};
use crate::secrets::read_private_file;

impl HighLevelSection {
    /// How the vendor's API is reached.
    pub(crate) fn api(&self) -> contactor_highlevel::Config {
        contactor_highlevel::Config {
            base_url: self.base_url.clone(),
            version: self.version,
            timeout: Duration::from_secs(u64::from(self.timeout.get())),
            allow_plain_http: self.allow_plain_http,
            ..contactor_highlevel::Config::default()
        }
    }

    /// The app of the marketplace, if this host is one. Its requests for tokens are made by processes of this program.
    pub(crate) fn app(&self, base: &Config) -> Result<Option<OAuthSetup>, ConfigError> {
        let Some(section) = &self.oauth else { return Ok(None) };
        let refuse = |message: String| ConfigError::Value { key: "highlevel.oauth", message };
        let client_secret = read_private_file(&base.path(&section.client_secret_file))
            .map_err(|error| refuse(error.to_string()))?;
        if section.client_id.trim().is_empty() || section.scopes.is_empty() {
            return Err(refuse("`client-id` and `scopes` must not be empty".to_owned()));
        }
        let address = |what: &str, text: &str| {
            text.parse::<url::Url>().map_err(|error| refuse(format!("`{what}` is no address: {error}")))
        };
        let page = |vendors: Marketplace| {
            address("consent-page", section.consent_page.as_deref().unwrap_or(vendors.consent_page()))
        };
        let redirect_url = address("redirect-url", &section.redirect_url)?;
        let program =
            this_program().map_err(|error| refuse(format!("this program is not found: {error}")))?;
        Ok(Some(OAuthSetup {
            app: OAuthApp { client_id: section.client_id.trim().to_owned(), client_secret, redirect_url },
            pages: [page(Marketplace::Standard)?, page(Marketplace::WhiteLabel)?],
            scopes: section.scopes.clone(),
            courier: Courier {
                dir: base.path(&section.courier_dir),
                program: Some((program, vec!["token-courier".into()])),
                secrets: base.vault.variable().map(str::to_owned).into_iter().collect(),
            },
        }))
    }

    /// Which webhook signatures count.
    pub(crate) fn verifier(&self) -> Result<Verifier, ConfigError> {
        let named = |key: &String| if key == PUBLISHED { PUBLISHED_ED25519.to_owned() } else { key.clone() };
        let config = VerifierConfig {
            ed25519_keys: self.webhook_keys.iter().map(named).collect(),
            legacy_rsa: self
                .legacy_webhook
                .as_ref()
                .map(|legacy| LegacyRsa { keys: legacy.keys.clone(), accept_until: legacy.accept_until }),
            ..VerifierConfig::default()
        };
        Verifier::new(config)
            .map_err(|error| ConfigError::Value { key: "highlevel.webhook-keys", message: error.to_string() })
    }
}

/// To begin this program again: the file that runs, also when another one has taken its place meanwhile.
fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

impl RuntimeSection {
    /// Size of the largest component, for the upload as for the runtime.
    pub(crate) fn max_component_bytes(&self) -> usize {
        self.max_component_mib.saturating_mul(1 << 20)
    }

    /// How components run.
    pub(crate) fn runtime(&self, worker: WorkerConfig, cache: Option<CacheConfig>) -> RuntimeConfig {
        let default = RuntimeConfig::default();
        RuntimeConfig {
            max_instances: self.max_instances,
            max_limits: Limits {
                memory_mib: self.memory_mib,
                cpu: Duration::from_millis(self.cpu_ms),
                timeout: Duration::from_millis(self.call_timeout_ms),
                host_calls: self.host_calls,
                ..default.max_limits
            },
            pool_wait: Duration::from_millis(self.pool_wait_ms),
            compile_timeout: Duration::from_millis(self.compile_timeout_ms),
            max_component_bytes: self.max_component_bytes(),
            worker: Some(worker),
            cache,
            ..default
        }
    }

    /// What compiles: this program, in a process for each component.
    pub(crate) fn worker(&self) -> io::Result<WorkerConfig> {
        Ok(WorkerConfig {
            program: this_program()?,
            arguments: vec!["compile-worker".into()],
            memory_mib: self.compile_memory_mib,
        })
    }
}

impl SmtpSection {
    /// The ports of RFC 8314 and RFC 6409, and the old one of a server on this machine.
    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            SmtpTls::Implicit => 465,
            SmtpTls::Starttls => 587,
            SmtpTls::None => 25,
        })
    }
}

impl Config {
    /// How messages leave this host. The password is read from its file, which nobody else may read.
    pub(crate) fn notifications(&self) -> Result<NotificationConfig, ConfigError> {
        let refuse = |message: String| ConfigError::Value { key: "smtp", message };
        let smtp = match &self.smtp {
            None => None,
            Some(section) => {
                let password = section.password_file.as_ref().map(|file| read_private_file(&self.path(file)));
                let smtp = SmtpConfig {
                    server: section.server.clone(),
                    port: section.port(),
                    tls: section.tls,
                    user: section.user.clone(),
                    password: password.transpose().map_err(|error| refuse(error.to_string()))?,
                    from: section.from.clone(),
                };
                smtp.check().map_err(refuse)?;
                Some(smtp)
            }
        };
        Ok(NotificationConfig { smtp })
    }

    /// The address under which this host's own commands reach it.
    pub(crate) fn server_url(&self) -> Result<String, ConfigError> {
        let listen = self.server.listen;
        if listen.port() == 0 {
            return Err(ConfigError::Value {
                key: "server.listen",
                message: "the port is chosen at every start; name the host with --server URL".to_owned(),
            });
        }
        let ip = match listen.ip() {
            ip if !ip.is_unspecified() => ip,
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        Ok(format!("http://{}", std::net::SocketAddr::new(ip, listen.port())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_section_is_the_runtimes_own_default() {
        let section = RuntimeSection::default();
        let converted = section.runtime(section.worker().unwrap(), None);
        let default = RuntimeConfig::default();
        assert_eq!(converted.max_limits, default.max_limits);
        assert_eq!(converted.pool_wait, default.pool_wait);
        assert_eq!(converted.compile_timeout, default.compile_timeout);
        assert_eq!(converted.max_component_bytes, default.max_component_bytes);
    }

    #[test]
    fn a_host_without_a_webhook_key_does_not_start() {
        let mut section = HighLevelSection::default();
        assert!(section.verifier().is_ok());
        section.webhook_keys.clear();
        assert!(section.verifier().is_err());
        section.webhook_keys = vec!["no key".to_owned()];
        assert!(section.verifier().unwrap_err().to_string().starts_with("highlevel.webhook-keys: "));
    }

    #[test]
    fn whoever_asks_for_tokens_is_not_told_the_keys_of_the_vault() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("client.secret");
        std::fs::write(&secret, "fake-client-secret").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let told = |vault: &str| {
            let text = format!(
                "[vault]\n{vault}\n[highlevel.oauth]\nclient-id = \"65f0fake-abc\"\nclient-secret-file = \"{}\"\n\
                 redirect-url = \"https://host.example/oauth/highlevel/callback\"\n",
                secret.display()
            );
            let config: Config = toml::from_str(&text).unwrap();
            config.highlevel.app(&config).unwrap().unwrap().courier.secrets
        };
        assert_eq!(told("key-env = \"KEYS_OF_MINE\""), ["KEYS_OF_MINE"]);
        assert_eq!(told(""), Vec::<String>::new());
    }

    #[test]
    fn the_mail_server_is_complete_or_the_host_does_not_start() {
        let config = |text: &str| toml::from_str::<Config>(text).unwrap();
        assert!(config("").notifications().unwrap().smtp.is_none());
        let full = "[smtp]\nserver = \"mail.example.com\"\nfrom = \"Contactor <contactor@example.com>\"\n";
        assert_eq!(config(full).notifications().unwrap().smtp.unwrap().port, 465);
        let starttls = format!("{full}tls = \"starttls\"\n");
        assert_eq!(config(&starttls).notifications().unwrap().smtp.unwrap().port, 587);
        for bad in ["tls = \"none\"\n", "user = \"u\"\n", "password-file = \"missing\"\n"] {
            let error = config(&format!("{full}{bad}")).notifications().unwrap_err().to_string();
            assert!(error.starts_with("smtp: "), "{error}");
        }
    }

    #[test]
    fn a_host_that_listens_everywhere_is_reached_here() {
        let mut config = Config::default();
        config.server.listen = "0.0.0.0:81".parse().unwrap();
        assert_eq!(config.server_url().unwrap(), "http://127.0.0.1:81");
        config.server.listen = "[::]:81".parse().unwrap();
        assert_eq!(config.server_url().unwrap(), "http://[::1]:81");
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        assert!(config.server_url().is_err());
    }
}

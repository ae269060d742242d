//! The section `[login]`: who may log in with a browser, and by which identity provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contactor_engine::{CreateUsers, LoginAlgorithm, LoginSetup};
use contactor_store::Role;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};
use crate::secrets::read_private_file;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LoginSection {
    /// Minutes without a request after which a session ends.
    idle_minutes: u32,
    /// Hours after which a session ends however it is used.
    session_hours: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<OidcSection>,
}

impl Default for LoginSection {
    fn default() -> Self {
        Self { idle_minutes: 60, session_hours: 12, oidc: None }
    }
}

/// A provider that speaks OpenID Connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OidcSection {
    issuer: String,
    client_id: String,
    #[serde(default)]
    client_secret_file: Option<PathBuf>,
    redirect_url: String,
    #[serde(default = "scopes")]
    scopes: Vec<String>,
    #[serde(default)]
    algorithms: Vec<LoginAlgorithm>,
    #[serde(default = "email_claim")]
    email_claim: String,
    #[serde(default)]
    email_is_verified: bool,
    #[serde(default)]
    require: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    create: Option<CreateSection>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CreateSection {
    domains: Vec<String>,
    workspace: String,
    role: Role,
}

fn scopes() -> Vec<String> {
    vec!["email".to_owned()]
}

fn email_claim() -> String {
    "email".to_owned()
}

impl LoginSection {
    /// Says what is wrong with a value, by its key.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("login.idle-minutes", self.idle_minutes, 5..=7 * 24 * 60),
            ("login.session-hours", self.session_hours, 1..=30 * 24),
        ];
        for (key, value, within) in limits {
            if !within.contains(&value) {
                let message = format!("it is {value}, and has to be {} to {}", within.start(), within.end());
                return Err(ConfigError::Value { key, message });
            }
        }
        Ok(())
    }

    /// The provider, if there is one. The client's secret is read from its file, which nobody else may read.
    pub(crate) fn setup(&self, base: &Config) -> Result<Option<LoginSetup>, ConfigError> {
        let Some(oidc) = &self.oidc else { return Ok(None) };
        let refuse = |message: String| ConfigError::Value { key: "login.oidc", message };
        let secret = oidc.client_secret_file.as_ref().map(|file| read_private_file(&base.path(file)));
        let redirect_url = oidc.redirect_url.parse();
        Ok(Some(LoginSetup {
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            client_secret: secret.transpose().map_err(|error| refuse(error.to_string()))?,
            redirect_url: redirect_url
                .map_err(|error| refuse(format!("`redirect-url` is no address: {error}")))?,
            scopes: oidc.scopes.clone(),
            algorithms: oidc.algorithms.clone(),
            email_claim: oidc.email_claim.clone(),
            email_is_verified: oidc.email_is_verified,
            require: oidc.require.clone(),
            create: oidc.create.as_ref().map(|create| CreateUsers {
                domains: create.domains.clone(),
                workspace: create.workspace.clone(),
                role: create.role,
            }),
            idle: SignedDuration::from_mins(self.idle_minutes.into()),
            lasts: SignedDuration::from_hours(self.session_hours.into()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn load(text: &str) -> Result<(tempfile::TempDir, Config), ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contactor.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path).map(|config| (dir, config))
    }

    const OIDC: &str = "[login.oidc]\nissuer = \"https://id.example.com\"\nclient-id = \"c\"\n\
                        redirect-url = \"https://contactor.example.com/login/callback\"\n";

    #[test]
    fn nobody_logs_in_unless_a_provider_is_named() {
        let (_dir, config) = load("").unwrap();
        assert!(config.login.setup(&config).unwrap().is_none());
        let (_dir, config) = load(OIDC).unwrap();
        let setup = config.login.setup(&config).unwrap().unwrap();
        assert!(setup.client_secret.is_none() && setup.create.is_none() && !setup.email_is_verified);
        assert_eq!((setup.idle.as_mins(), setup.lasts.as_hours()), (60, 12));
    }

    #[test]
    fn the_clients_secret_is_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, config) = load(&format!("{OIDC}client-secret-file = \"oidc.secret\"\n")).unwrap();
        assert!(config.login.setup(&config).is_err(), "it is not there");
        let file = dir.path().join("oidc.secret");
        std::fs::write(&file, "fake-secret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(config.login.setup(&config).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let setup = config.login.setup(&config).unwrap().unwrap();
        assert_eq!(setup.client_secret.unwrap().expose_secret(), "fake-secret");
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        for (text, part) in [
            ("[login]\nidle-minutes = 4\n", "login.idle-minutes"),
            ("[login]\nsession-hours = 721\n", "login.session-hours"),
            (&format!("{OIDC}client-secret = \"fake-secret\"\n"), "client-secret"),
            (&format!("{OIDC}algorithms = [\"HS256\"]\n"), "HS256"),
            (&format!("{OIDC}algorithms = [\"none\"]\n"), "none"),
            (&format!("{OIDC}create = {{ domains = [], workspace = \"a\" }}\n"), "role"),
        ] {
            let error = load(text).err().unwrap().to_string();
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }
}

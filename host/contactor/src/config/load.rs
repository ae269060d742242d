//! Reading the file, and saying precisely what is wrong with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Config;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(
        "there is no configuration at {path}\n\
         `contactor init` writes one with everything that a host needs; --config names another file",
        path = path.display()
    )]
    Missing { path: PathBuf },
    #[error("{path} cannot be read: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Line, key and the expected value are in the parser's message.
    #[error("{path}: {message}", path = path.display())]
    Malformed { path: PathBuf, message: String },
    #[error("{key}: {message}")]
    Value { key: &'static str, message: String },
}

impl Config {
    /// Reads a configuration file.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
            _ => ConfigError::Unreadable { path: path.to_owned(), source },
        })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), message: error.to_string() })?;
        config
            .engine
            .check()
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), message: error.to_string() })?;
        config
            .connectors
            .check()
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), message: error.to_string() })?;
        config.login.check()?;
        // A request that outlives the lease would be made again by whoever takes the lease over.
        let (timeout, lease) = (u64::from(config.highlevel.timeout.get()), config.engine.lease_ttl);
        if timeout >= lease {
            return Err(ConfigError::Value {
                key: "highlevel.timeout",
                message: format!(
                    "it is {timeout}, and has to be shorter than `engine.lease-ttl`, which is {lease}"
                ),
            });
        }
        path.parent().unwrap_or(Path::new("")).clone_into(&mut config.base);
        Ok(config)
    }
}

/// A variable that the operator named. Nothing else reads the environment, apart from the command line's declared ones.
#[expect(clippy::disallowed_methods, reason = "the configuration is where the environment comes in")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An address with a port, or an error that shows one.
pub(super) fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is no address with a port, such as `127.0.0.1:8440` or `[::]:8440`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::TEMPLATE;
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contactor.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn the_file_that_init_writes_says_the_defaults() {
        let mut written = load(TEMPLATE).unwrap();
        written.base = PathBuf::new();
        assert_eq!(written, Config::default());
    }

    #[test]
    fn the_file_that_init_writes_shows_every_key() {
        let shown: toml::Table = toml::from_str(TEMPLATE).unwrap();
        let all = toml::Table::try_from(Config::default()).unwrap();
        for (section, keys) in all {
            for key in keys.as_table().unwrap().keys() {
                assert!(shown[&section].get(key).is_some(), "[{section}] {key} is missing");
            }
        }
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(load("").unwrap().server, Config::default().server);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_keys_there_are() {
        let error = load("[server]\nlisten = \"127.0.0.1:1\"\nlissen = 1\n").unwrap_err().to_string();
        for part in ["contactor.toml", "line 3", "lissen", "admin-token-file"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_line_and_an_example() {
        let error = load("[server]\nlisten = \"8440\"\n").unwrap_err().to_string();
        for part in ["line 2", "8440", "127.0.0.1:8440"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[test]
    fn a_value_out_of_its_range_is_refused_with_the_range() {
        let error = load("[engine]\npage-size = 501\n").unwrap_err().to_string();
        for part in ["contactor.toml", "engine.page-size", "501", "1 to 500"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[test]
    fn a_publisher_is_a_key_with_what_it_may_sign() {
        let key = "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let config =
            load(&format!("[connectors.publishers.acme]\nkey = \"{key}\"\nids = [\"acme-*\"]\n")).unwrap();
        assert_eq!(config.connectors.publishers["acme"].key.to_string(), key);
        for (text, part) in [
            ("[connectors.publishers.acme]\nkey = \"Gb9E\"\n", "contactor connector keygen"),
            ("[connectors]\nunsigned = \"maybe\"\n", "`refuse` or `allow`"),
            ("[connectors]\nrefuse = [\"0f1e\"]\n", "64 hexadecimal digits"),
            (&format!("[connectors.publishers.acme]\nkey = \"{key}\"\nids = []\n"), "`ids` is empty"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[test]
    fn no_request_outlives_the_lease() {
        assert_eq!(load("[highlevel]\ntimeout = 119\n").unwrap().highlevel.api().timeout.as_secs(), 119);
        let error = load("[highlevel]\ntimeout = 120\n").unwrap_err().to_string();
        for part in ["highlevel.timeout", "120", "engine.lease-ttl"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
        assert!(load("[highlevel]\ntimeout = 0\n").is_err());
    }

    #[test]
    fn paths_start_at_the_file() {
        let config = Config { base: "/etc/contactor".into(), ..Config::default() };
        assert_eq!(config.path(Path::new("vault.key")), Path::new("/etc/contactor/vault.key"));
        assert_eq!(config.path(Path::new("/keys/vault.key")), Path::new("/keys/vault.key"));
    }
}

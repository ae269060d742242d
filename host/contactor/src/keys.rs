//! The key-encryption keys as the configuration says: in a file, in a variable, or printed by a command.

use std::path::Path;

use async_trait::async_trait;
use contactor_store::{KeyCommand, KeyFile, KeyRing, KeySource, VaultError};
use zeroize::Zeroizing;

use crate::config::{self, Config, VaultSection};

/// Where the keys of a configuration come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfiguredKeys {
    File(KeyFile),
    Variable(KeyVariable),
    Command(KeyCommand),
}

impl ConfiguredKeys {
    /// The source that a configuration names.
    pub(crate) fn of(config: &Config) -> Self {
        match &config.vault {
            VaultSection::File(path) => Self::File(KeyFile::at(config.path(path))),
            VaultSection::Variable(name) => Self::Variable(KeyVariable(name.clone())),
            VaultSection::Command(program, arguments) => {
                // A bare name is looked for where programs are; a path starts where all paths of the configuration do.
                let is_path = program.contains('/');
                let program = if is_path { config.path(Path::new(program)) } else { program.into() };
                Self::Command(KeyCommand::new(program, arguments.clone()))
            }
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&KeyFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Variable(_) | Self::Command(_) => None,
        }
    }

    fn source(&self) -> &dyn KeySource {
        match self {
            Self::File(file) => file,
            Self::Variable(variable) => variable,
            Self::Command(command) => command,
        }
    }
}

#[async_trait]
impl KeySource for ConfiguredKeys {
    async fn read(&self) -> Result<KeyRing, VaultError> {
        self.source().read().await
    }

    fn describe(&self) -> String {
        self.source().describe()
    }

    fn is_file(&self) -> bool {
        self.source().is_file()
    }
}

/// Keys in an environment variable. A process keeps those that it was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyVariable(String);

#[async_trait]
impl KeySource for KeyVariable {
    async fn read(&self) -> Result<KeyRing, VaultError> {
        let value = config::environment(&self.0).map(Zeroizing::new);
        let value = value.ok_or_else(|| VaultError::Source {
            place: self.describe(),
            problem: "it is not set, or holds no text".to_owned(),
        })?;
        KeyRing::parse(&value).map_err(|problem| VaultError::NoKeys { place: self.describe(), problem })
    }

    fn describe(&self) -> String {
        format!("the variable {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(vault: &str) -> ConfiguredKeys {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("contactor.toml"), format!("[vault]\n{vault}\n")).unwrap();
        let keys = ConfiguredKeys::of(&Config::load(&dir.path().join("contactor.toml")).unwrap());
        match &keys {
            ConfiguredKeys::File(file) => {
                let inside = file.path().strip_prefix(dir.path()).unwrap_or(file.path());
                ConfiguredKeys::File(KeyFile::at(inside))
            }
            _ => keys,
        }
    }

    #[test]
    fn a_configuration_names_one_source() {
        assert_eq!(keys(""), ConfiguredKeys::File(KeyFile::at("vault.key")));
        assert_eq!(keys("key-file = \"/k/v.key\""), ConfiguredKeys::File(KeyFile::at("/k/v.key")));
        assert_eq!(
            keys("key-env = \"VAULT_KEY\""),
            ConfiguredKeys::Variable(KeyVariable("VAULT_KEY".to_owned()))
        );
        let command = KeyCommand::new("aws", vec!["kms".to_owned(), "decrypt".to_owned()]);
        assert_eq!(keys("key-command = [\"aws\", \"kms\", \"decrypt\"]"), ConfiguredKeys::Command(command));
        assert!(keys("key-command = [\"./unwrap\"]").describe().ends_with("/./unwrap"));
    }

    #[tokio::test]
    async fn a_variable_that_is_not_set_is_told_by_its_name() {
        let error = keys("key-env = \"NO_SUCH_VARIABLE_HERE\"").read().await.unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE_HERE") && error.contains("not set"), "{error}");
    }
}

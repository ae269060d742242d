//! The section `[vault]`: exactly one source of keys.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The key file unless another source is named, as `contactor init` writes it.
pub(crate) const KEY_FILE: &str = "vault.key";

/// Where the key-encryption keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) enum VaultSection {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A program with its arguments.
    Command(String, Vec<String>),
}

impl Default for VaultSection {
    fn default() -> Self {
        Self::File(KEY_FILE.into())
    }
}

impl VaultSection {
    /// The variable that holds the keys, if it is one.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable(name) => Some(name),
            Self::File(_) | Self::Command(..) => None,
        }
    }
}

/// The section as it is written.
#[expect(clippy::struct_field_names, reason = "they are called so in the file")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_command: Option<Vec<String>>,
}

impl TryFrom<Written> for VaultSection {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match (written.key_file, written.key_env, written.key_command) {
            (None, None, None) => Ok(Self::default()),
            (Some(path), None, None) => Ok(Self::File(path)),
            (None, Some(name), None) if name.is_empty() => Err("`key-env` names no variable".to_owned()),
            (None, Some(name), None) => Ok(Self::Variable(name)),
            (None, None, Some(words)) => {
                let mut words = words.into_iter();
                match words.next() {
                    Some(program) if !program.is_empty() => Ok(Self::Command(program, words.collect())),
                    _ => {
                        Err("`key-command` names no program: expected [\"program\", \"argument\", …]"
                            .to_owned())
                    }
                }
            }
            _ => Err("[vault] takes one of `key-file`, `key-env` and `key-command`: \
                      the vault has one source of keys"
                .to_owned()),
        }
    }
}

impl From<VaultSection> for Written {
    fn from(section: VaultSection) -> Self {
        match section {
            VaultSection::File(path) => Self { key_file: Some(path), ..Self::default() },
            VaultSection::Variable(name) => Self { key_env: Some(name), ..Self::default() },
            VaultSection::Command(program, arguments) => {
                let words = std::iter::once(program).chain(arguments).collect();
                Self { key_command: Some(words), ..Self::default() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<VaultSection, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_source_is_written_as_it_was_read() {
        for text in
            ["key-file = \"a/b.key\"\n", "key-env = \"NAME\"\n", "key-command = [\"prog\", \"a b\"]\n"]
        {
            assert_eq!(toml::to_string(&read(text).unwrap()).unwrap(), text);
        }
        assert_eq!(read("").unwrap(), VaultSection::default());
    }

    #[test]
    fn two_sources_and_none_at_all_are_refused() {
        for (text, told) in [
            ("key-file = \"a\"\nkey-env = \"B\"", "one source"),
            ("key-env = \"B\"\nkey-command = [\"c\"]", "one source"),
            ("key-command = []", "names no program"),
            ("key-env = \"\"", "names no variable"),
            ("key-fiel = \"a\"", "key-file"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}

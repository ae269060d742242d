//! Secrets come from files, from variables named by the operator, or from standard input; never from the command line, where
//! every process of the machine could read them and the shell would remember them.

use std::convert::Infallible;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::config;

/// Larger files are not secrets but mistakes.
const LARGEST: u64 = 64 * 1024;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
    /// On standard input.
    Stdin,
    /// Nowhere: the secret itself was typed. It is forgotten at once and refused when it is to be read, by words of our own: a refusal of
    /// the command line's parser repeats what was typed.
    Typed,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("a secret is given as `@FILE`, `env:NAME` or `-` (standard input), never as itself")]
    Literal,
    #[error("the secret cannot be read from {place}: {source}")]
    Unreadable { place: String, source: std::io::Error },
    #[error("there is no environment variable `{0}`; set it, or use `@FILE`")]
    NoVariable(String),
    #[error("the secret in {0} is empty")]
    Empty(String),
    #[error("{0} holds more than {LARGEST} bytes; that is no secret")]
    TooLarge(String),
    #[error(
        "{path} can be read by other users; run `chmod 600 {path}` (and renew the secret if strangers had access)",
        path = .0.display()
    )]
    Exposed(PathBuf),
}

impl FromStr for SecretSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        match (text, text.strip_prefix('@'), text.strip_prefix("env:")) {
            ("-", _, _) => Ok(Self::Stdin),
            (_, Some(file), _) if !file.is_empty() => Ok(Self::File(file.into())),
            (_, _, Some(name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            _ => Ok(Self::Typed),
        }
    }
}

impl SecretSource {
    /// Fetches the secret; line ends around it do not belong to it.
    pub(crate) fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Typed => Err(SecretError::Literal),
            Self::Stdin => trimmed(&read_all(std::io::stdin().lock(), "standard input")?, "standard input"),
            Self::Variable(name) => {
                let value = config::environment(name).ok_or_else(|| SecretError::NoVariable(name.clone()))?;
                trimmed(&Zeroizing::new(value), name)
            }
        }
    }
}

/// Reads a secret of the host itself, whose file nobody else may read.
pub(crate) fn read_private_file(path: &Path) -> Result<SecretString, SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let place = || path.display().to_string();
    let unreadable = |source| SecretError::Unreadable { place: place(), source };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed(path.to_owned()));
    }
    read_file(path)
}

/// Writes a new secret into a file that only its owner can read; never over an existing one.
pub(crate) fn write_private_file(path: &Path, secret: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let place = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|source| SecretError::Unreadable { place: place.clone(), source })?;
    trimmed(&read_all(file, &place)?, &place)
}

fn read_all(reader: impl Read, place: &str) -> Result<Zeroizing<String>, SecretError> {
    let mut text = Zeroizing::new(String::new());
    reader
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|source| SecretError::Unreadable { place: place.to_owned(), source })?;
    if text.len() as u64 > LARGEST { Err(SecretError::TooLarge(place.to_owned())) } else { Ok(text) }
}

fn trimmed(text: &str, place: &str) -> Result<SecretString, SecretError> {
    match text.trim() {
        "" => Err(SecretError::Empty(place.to_owned())),
        secret => Ok(SecretString::from(secret)),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused_without_repeating_it() {
        for literal in ["fake-secret", "", "@", "env:"] {
            let source = literal.parse::<SecretSource>().unwrap();
            assert_eq!(source, SecretSource::Typed);
            let error = source.read().unwrap_err().to_string();
            assert!(error.contains("never as itself") && !error.contains("fake-secret"), "{error}");
        }
        assert_eq!("@a/b".parse::<SecretSource>().unwrap(), SecretSource::File("a/b".into()));
        assert_eq!("env:KEY".parse::<SecretSource>().unwrap(), SecretSource::Variable("KEY".to_owned()));
        assert_eq!("-".parse::<SecretSource>().unwrap(), SecretSource::Stdin);
    }

    #[test]
    fn the_end_of_the_line_is_no_part_of_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "fake-secret\r\n").unwrap();
        assert_eq!(SecretSource::File(path.clone()).read().unwrap().expose_secret(), "fake-secret");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(SecretSource::File(path).read(), Err(SecretError::Empty(_))));
    }

    #[test]
    fn a_secret_file_of_the_host_is_private_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.token");
        write_private_file(&path, "fake-secret").unwrap();
        assert!(write_private_file(&path, "other").is_err());
        assert_eq!(read_private_file(&path).unwrap().expose_secret(), "fake-secret");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_private_file(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}

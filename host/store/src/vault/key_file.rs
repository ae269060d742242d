//! One key in one file: what an operator makes once, keeps secret and backs up apart from the database.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::{KeyId, KeySource, SecretKey, VaultError};

const COMMENT: &str = "# Contactor: key of the stored credentials. Whoever has this file and the database can read them all.\n\
                       # Keep it secret, and back it up apart from the database: without it every credential is lost.\n";

/// A key file that was read: the key stays in memory, the file is not touched again.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    key: SecretKey,
}

impl KeyFile {
    /// Makes a file with a new key, readable by its owner alone. Never overwrites: a lost key loses every credential.
    pub fn create(path: &Path) -> Result<Self, VaultError> {
        let key = SecretKey::random()?;
        write(path, &key).map_err(|source| VaultError::KeyFile {
            path: path.to_owned(),
            action: "created",
            source,
        })?;
        Ok(Self { path: path.to_owned(), key })
    }

    /// Reads a key file. Refuses one that others than its owner can read.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::KeyFile { path: path.to_owned(), action: "read", source };
        // The permissions of the opened file, not of whatever the path names a moment later.
        let mut file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::KeyFileExposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        let key = parse(&text)
            .map_err(|problem| VaultError::KeyFileUnreadable { path: path.to_owned(), problem })?;
        Ok(Self { path: path.to_owned(), key })
    }

    /// Where the key was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl KeySource for KeyFile {
    fn current(&self) -> &SecretKey {
        &self.key
    }

    fn key(&self, id: &KeyId) -> Option<&SecretKey> {
        (self.key.id() == *id).then_some(&self.key)
    }
}

fn write(path: &Path, key: &SecretKey) -> io::Result<()> {
    let base64 = Zeroizing::new(BASE64.encode(key.0.as_slice()));
    let line = Zeroizing::new(format!("{}:{}\n", key.id(), base64.as_str()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(COMMENT.as_bytes())?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    // The name of the file has to survive a power failure as well: credentials sealed a moment later depend on it.
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()
}

/// Reads `<key id>:<base64 of the key>`; lines that begin with `#` are comments.
fn parse(text: &str) -> Result<SecretKey, &'static str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err("it must hold exactly one line with a key");
    };
    let (id, base64) = line.split_once(':').ok_or("its line is not `<key id>:<key>`")?;
    let bytes = Zeroizing::new(BASE64.decode(base64).map_err(|_| "its key is not base64")?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err("its key is not 32 bytes long");
    }
    key.copy_from_slice(&bytes);
    let key = SecretKey(key);
    if key.id().as_str() != id {
        return Err("its key does not belong to its key id: it was altered");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret as _;

    use super::super::Vault;
    use super::*;
    use crate::model::WorkspaceId;

    fn path(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("contactor.key")
    }

    #[test]
    fn what_was_sealed_before_a_restart_opens_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let acme = WorkspaceId::new("acme");
        let before = Vault::create_key(&path(&dir)).unwrap();
        let sealed = before.seal(&acme, "acme", &"fake-secret".into()).unwrap();
        let after = Vault::open(&path(&dir)).unwrap();
        assert_eq!(after.unseal(&acme, "acme", &sealed).unwrap().expose_secret(), "fake-secret");
    }

    #[test]
    fn a_new_key_file_belongs_to_its_owner_alone_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let first = KeyFile::create(&path(&dir)).unwrap();
        assert_eq!(fs::metadata(path(&dir)).unwrap().permissions().mode() & 0o777, 0o600);
        let error = KeyFile::create(&path(&dir)).unwrap_err();
        assert!(error.to_string().contains("cannot be created"), "{error}");
        assert_eq!(KeyFile::open(&path(&dir)).unwrap().key.id(), first.key.id());
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        KeyFile::create(&path(&dir)).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(path(&dir), fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyFile::open(&path(&dir)).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn an_altered_key_file_is_refused_without_quoting_it() {
        let dir = tempfile::tempdir().unwrap();
        KeyFile::create(&path(&dir)).unwrap();
        let text = fs::read_to_string(path(&dir)).unwrap();
        let line = text.lines().last().unwrap();
        let base64 = line.split_once(':').unwrap().1;
        for broken in
            [text.replace(line, ""), text.replace(':', " "), text.replace(line, &format!("0000:{base64}"))]
        {
            fs::write(path(&dir), &broken).unwrap();
            let error = KeyFile::open(&path(&dir)).unwrap_err();
            assert!(matches!(error, VaultError::KeyFileUnreadable { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains(base64));
        }
    }
}

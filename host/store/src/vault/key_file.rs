//! Keys in a file: what an operator makes once, keeps secret and backs up apart from the database.
//!
//! The file is never changed in place: a new one takes its place in one step, so that neither a crash nor a full disk leaves a
//! file without its keys.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{KeyId, KeyRing, KeySource, SecretKey, VaultError};

const COMMENT: &str = "# Contactor: keys of what is sealed in the database. Whoever has this file and the database can read it all.\n\
                       # Keep it secret, and back it up apart from the database: without it every credential is lost.\n\
                       # The first key is the current one; those below it only open what it does not open yet.\n";

/// Larger files hold no keys.
const LARGEST: usize = 64 * 1024;

/// Keys in a file that only its owner can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The keys of this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Makes a file with a new key, readable by its owner alone. Never overwrites: a lost key loses every credential.
    pub fn create(path: &Path) -> Result<(Self, KeyRing), VaultError> {
        let file = Self::at(path);
        let ring = KeyRing::of(SecretKey::random()?);
        file.write_new(path, &ring, None).map_err(|source| file.failed("created", source))?;
        Ok((file, ring))
    }

    /// Where the keys lie.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the keys. Refuses a file that others than its owner can read.
    pub fn open(&self) -> Result<KeyRing, VaultError> {
        let failed = |source| self.failed("read", source);
        // The permissions of the opened file, not of whatever the path names a moment later.
        let file = File::open(&self.path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::KeyFileExposed { path: self.path.clone(), mode });
        }
        // Of its full size at once: a text that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
        file.take(LARGEST as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        parse(&self.describe(), &text)
    }

    /// Puts a new key before those that are there. Answers its id.
    pub fn add_key(&self) -> Result<KeyId, VaultError> {
        let key = SecretKey::random()?;
        let id = key.id().clone();
        self.replace(|ring| ring.renewed(key))?;
        Ok(id)
    }

    /// Takes former keys out that nothing needs any more; the current one stays whatever is asked for.
    pub fn drop_keys(&self, unneeded: &[KeyId]) -> Result<(), VaultError> {
        self.replace(|ring| ring.without(unneeded))
    }

    fn replace(&self, change: impl FnOnce(KeyRing) -> KeyRing) -> Result<(), VaultError> {
        let failed = |source| self.failed("replaced", source);
        // The file itself takes part, not a link to it.
        let path = self.path.canonicalize().map_err(failed)?;
        let mut name = path.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        // Made before the keys are read: it keeps two commands from losing each other's keys.
        let owner = path.metadata().map_err(failed)?;
        let claimed = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
        let claimed = claimed.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => VaultError::KeyFileBusy { path: new.clone() },
            _ => failed(source),
        })?;
        let replaced = self.open().map(change).and_then(|ring| {
            fill(claimed, &ring, Some((owner.uid(), owner.gid())))
                .and_then(|()| std::fs::rename(&new, &path))
                .and_then(|()| sync_directory(&path))
                .map_err(failed)
        });
        if replaced.is_err() {
            // What is left of it would only be in the way; the keys are where they were.
            let _ = std::fs::remove_file(&new);
        }
        replaced
    }

    fn write_new(&self, path: &Path, ring: &KeyRing, owner: Option<(u32, u32)>) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        fill(file, ring, owner)?;
        // The name of the file has to survive a power failure as well: what is sealed a moment later depends on it.
        sync_directory(&self.path)
    }

    fn failed(&self, action: &'static str, source: io::Error) -> VaultError {
        VaultError::KeyFile { path: self.path.clone(), action, source }
    }
}

#[async_trait]
impl KeySource for KeyFile {
    async fn read(&self) -> Result<KeyRing, VaultError> {
        self.open()
    }

    fn describe(&self) -> String {
        format!("the key file {}", self.path.display())
    }

    fn is_file(&self) -> bool {
        true
    }
}

/// Keys out of what a source gave.
pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<KeyRing, VaultError> {
    let no_keys = |problem| VaultError::NoKeys { place: place.to_owned(), problem };
    if bytes.len() > LARGEST {
        return Err(no_keys("it is larger than 64 KiB"));
    }
    let text = str::from_utf8(bytes).map_err(|_| no_keys("it is no text"))?;
    KeyRing::parse(text).map_err(no_keys)
}

fn fill(mut file: File, ring: &KeyRing, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some((uid, gid)) = owner {
        let own = file.metadata()?;
        // A file that root makes for the host has to stay the host's.
        if (own.uid(), own.gid()) != (uid, gid) {
            fchown(&file, Some(uid), Some(gid))?;
        }
    }
    file.write_all(COMMENT.as_bytes())?;
    file.write_all(ring.lines().as_bytes())?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(dir: &tempfile::TempDir) -> KeyFile {
        KeyFile::at(dir.path().join("vault.key"))
    }

    fn created(dir: &tempfile::TempDir) -> (KeyFile, KeyRing) {
        KeyFile::create(file(dir).path()).unwrap()
    }

    fn ids(ring: &KeyRing) -> Vec<KeyId> {
        ring.ids().cloned().collect()
    }

    fn names(dir: &tempfile::TempDir) -> Vec<String> {
        fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_new_key_file_belongs_to_its_owner_alone_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (file, ring) = created(&dir);
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let error = KeyFile::create(file.path()).unwrap_err();
        assert!(error.to_string().contains("cannot be created"), "{error}");
        assert_eq!(ids(&file.open().unwrap()), ids(&ring));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (file, _) = created(&dir);
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            for error in [file.open().unwrap_err(), file.add_key().unwrap_err()] {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn an_altered_key_file_is_refused_without_quoting_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, _) = created(&dir);
        let text = fs::read_to_string(file.path()).unwrap();
        let line = text.lines().last().unwrap();
        let base64 = line.split_once(':').unwrap().1;
        let large = format!("{text}#{}", "x".repeat(LARGEST));
        for broken in [
            text.replace(line, ""),
            text.replace(line, base64),
            text.replace(line, &format!("0000:{base64}")),
            large,
        ] {
            fs::write(file.path(), &broken).unwrap();
            let error = file.open().unwrap_err();
            assert!(matches!(error, VaultError::NoKeys { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains(base64));
        }
    }

    #[test]
    fn a_new_key_goes_before_the_others_and_the_file_stays_private_and_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, ring) = created(&dir);
        let link = KeyFile::at(dir.path().join("link.key"));
        std::os::unix::fs::symlink(file.path(), link.path()).unwrap();
        let first = ids(&ring).remove(0);
        let second = file.add_key().unwrap();
        let third = link.add_key().unwrap();
        assert_eq!(ids(&file.open().unwrap()), [third.clone(), second.clone(), first.clone()]);
        assert!(fs::symlink_metadata(link.path()).unwrap().is_symlink(), "the link was replaced");
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);

        file.drop_keys(&[first, third.clone()]).unwrap();
        assert_eq!(ids(&file.open().unwrap()), [third, second]);
        assert!(names(&dir).iter().all(|name| !name.contains(".new")), "{:?}", names(&dir));
    }

    #[test]
    fn two_commands_do_not_lose_each_others_keys() {
        let dir = tempfile::tempdir().unwrap();
        let (file, ring) = created(&dir);
        let other = dir.path().join("vault.key.new");
        fs::write(&other, "another command is at work").unwrap();
        let error = file.add_key().unwrap_err();
        assert!(matches!(error, VaultError::KeyFileBusy { .. }), "{error}");
        assert!(error.to_string().contains("vault.key.new"), "{error}");
        assert_eq!(ids(&file.open().unwrap()), ids(&ring));
        assert!(other.exists(), "what the other command writes was taken away");
    }
}

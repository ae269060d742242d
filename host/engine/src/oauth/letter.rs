//! What a courier leaves: the vendor's answer in a file, for whoever comes to read it.
//!
//! The file is sealed with a key that the lease keeps in the vault, lies in a directory of the host's own, and is durable before
//! the courier says that it is done. Beside it lies a file whose lock tells that a courier is under way.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use contactor_highlevel::oauth::Answered;
use contactor_store::{FileKey, GrantId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What came of a request.
#[derive(Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The vendor answered.
    Answered(Answered),
    /// No answer came.
    Failed {
        problem: String,
        /// Whether the request may have been carried out.
        sent: bool,
    },
}

/// Where the letter for one generation of a grant lies.
#[derive(Clone, Debug)]
pub(crate) struct Letterbox {
    letter: PathBuf,
}

impl Letterbox {
    pub(crate) fn new(dir: &Path, id: &GrantId, generation: u64) -> Self {
        let name = hex::encode(&Sha256::digest(id.as_str().as_bytes())[..16]);
        Self { letter: dir.join(format!("{name}-{generation}.letter")) }
    }

    pub(crate) fn at(letter: PathBuf) -> Self {
        Self { letter }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.letter
    }

    /// Takes the lock of the grant, which a courier inherits. None while another courier holds it. Letters of other generations
    /// are nobody's then, and go.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let prefix = self.prefix();
        let dir = self.letter.parent().unwrap_or(Path::new("."));
        let lock = dir.join(format!("{prefix}lock"));
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&prefix) && !name.ends_with("lock") && path != self.letter {
                Self::at(path).clear();
            }
        }
        Ok(Some(file))
    }

    /// What the names of a grant's files begin with.
    fn prefix(&self) -> String {
        let name = self.name();
        name.rsplit_once('-').map_or_else(|| name.clone(), |(grant, _)| format!("{grant}-"))
    }

    /// Leaves an outcome; durable when it answers.
    pub(crate) fn leave(&self, outcome: &Outcome, key: &SecretString) -> io::Result<()> {
        let plain = Zeroizing::new(serde_json::to_vec(outcome).map_err(io::Error::other)?);
        let sealed = file_key(key)?.seal(&self.name(), &plain).map_err(io::Error::other)?;
        let draft = self.letter.with_extension("draft");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.letter)?;
        self.sync_dir()
    }

    /// Reads the letter, if one lies there.
    pub(crate) fn open(&self, key: &SecretString) -> io::Result<Option<Outcome>> {
        let bytes = match std::fs::read(&self.letter) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let plain = file_key(key)?.open(&self.name(), &bytes).map_err(io::Error::other)?;
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|_| io::Error::other("the letter is of another version"))
    }

    /// Takes the letter away, once its outcome is stored.
    pub(crate) fn clear(&self) {
        for path in [self.letter.clone(), self.letter.with_extension("draft")] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "what a courier left could not be removed");
                }
                _ => {}
            }
        }
    }

    fn name(&self) -> String {
        self.letter.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.letter.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }
}

fn file_key(text: &SecretString) -> io::Result<FileKey> {
    FileKey::of(text).ok_or_else(|| io::Error::other("no key of a letter"))
}

#[cfg(test)]
mod tests {
    use contactor_store::random_secret;

    use super::*;

    fn outcome(problem: &str) -> Outcome {
        Outcome::Failed { problem: problem.to_owned(), sent: true }
    }

    #[test]
    fn a_letter_opens_with_its_key_in_its_place_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (id, key) = (GrantId::company("fake"), random_secret().unwrap());
        let letterbox = Letterbox::new(dir.path(), &id, 7);
        assert!(letterbox.open(&key).unwrap().is_none());
        letterbox.leave(&outcome("fake-secret-words"), &key).unwrap();
        let Some(Outcome::Failed { problem, sent: true }) = letterbox.open(&key).unwrap() else { panic!() };
        assert_eq!(problem, "fake-secret-words");
        let bytes = std::fs::read(letterbox.path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));

        assert!(letterbox.open(&random_secret().unwrap()).is_err());
        let other = Letterbox::new(dir.path(), &id, 8);
        std::fs::copy(letterbox.path(), other.path()).unwrap();
        assert!(other.open(&key).is_err());
        std::fs::write(letterbox.path(), &bytes[..20]).unwrap();
        assert!(letterbox.open(&key).is_err());
        letterbox.clear();
        assert!(letterbox.open(&key).unwrap().is_none());
    }

    #[test]
    fn one_courier_of_a_grant_is_under_way_whatever_the_generation() {
        let dir = tempfile::tempdir().unwrap();
        let id = GrantId::company("fake");
        let first = Letterbox::new(dir.path(), &id, 1).lock().unwrap();
        assert!(first.is_some());
        assert!(Letterbox::new(dir.path(), &id, 2).lock().unwrap().is_none());
        assert!(Letterbox::new(dir.path(), &GrantId::company("else"), 1).lock().unwrap().is_some());
        drop(first);
        assert!(Letterbox::new(dir.path(), &id, 2).lock().unwrap().is_some());
    }
}

//! The artefact directory: component bytes under their digest. Nothing but a digest ever becomes a file name.

use std::io::{self, Read as _, Write as _};

use cap_std::fs::{Dir, File};
use contactor_store::Digest;

use crate::error::EngineError;

/// Installed components on disk.
pub(crate) struct Artefacts {
    dir: Dir,
}

impl Artefacts {
    pub(crate) fn new(dir: Dir) -> Self {
        Self { dir }
    }

    /// Writes a component; the rename makes it appear whole or not at all.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), EngineError> {
        let name = file_name(digest)?;
        if self.dir.exists(&name) {
            return Ok(());
        }
        let partial = format!("{name}.{}.partial", uuid::Uuid::new_v4());
        let write = || {
            let mut file = self.dir.create(&partial)?;
            write_in_pieces(&mut file, bytes)?;
            file.sync_all()?;
            self.dir.rename(&partial, &self.dir, &name)
        };
        write().map_err(|source| {
            // Best effort: the partial file has a name of its own and is never read.
            let _ = self.dir.remove_file(&partial);
            EngineError::Artefacts(source)
        })
    }

    /// Reads a component. The runtime compares its digest again before it compiles anything.
    pub(crate) fn get(&self, digest: &Digest) -> Result<Vec<u8>, EngineError> {
        let mut bytes = Vec::new();
        let mut file = self.dir.open(file_name(digest)?).map_err(EngineError::Artefacts)?;
        file.read_to_end(&mut bytes).map_err(EngineError::Artefacts)?;
        Ok(bytes)
    }
}

/// Writes a file to the disk, one piece after the other. A large one that is written in one go keeps the disk for as long as it takes, and
/// every commit of the store waits behind it: the journal of the file system brings what it refers to to the disk first.
fn write_in_pieces(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    /// What a disk writes in about the time that a small commit takes.
    const PIECE: usize = 256 << 10;
    for piece in bytes.chunks(PIECE) {
        file.write_all(piece)?;
        file.sync_data()?;
    }
    Ok(())
}

fn file_name(digest: &Digest) -> Result<String, EngineError> {
    let text = digest.as_str();
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        Ok(format!("{text}.wasm"))
    } else {
        Err(EngineError::Invalid(format!("`{text}` is no SHA-256 digest (64 lower-case hex digits)")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_becomes_a_file_name() {
        let root = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(root.path(), cap_std::ambient_authority()).unwrap();
        let artefacts = Artefacts::new(dir);
        let digest = Digest::new(contactor_runtime::Digest::of(b"bytes").to_string());
        artefacts.put(&digest, b"bytes").unwrap();
        assert_eq!(artefacts.get(&digest).unwrap(), b"bytes");
        for hostile in ["../../etc/passwd", "", "ABC", &"a".repeat(63), &format!("{}/", "a".repeat(63))] {
            assert!(artefacts.get(&Digest::new(hostile)).is_err(), "{hostile}");
        }
    }
}

//! Compiled components on disk, authenticated.
//!
//! An entry is machine code, and deserialising it runs whatever is in it. So the cache takes back only what this host wrote: the
//! HMAC covers the component's digest, the engine's compatibility and every byte, and is checked on the bytes in memory that
//! are then used. An entry that fails the check is moved aside for a person to look at, and the component is compiled again.
//!
//! The key may change while the host works. Entries of another key have other names, so that they are never looked at, and are removed:
//! whoever came to know the former key could have made them. Rejected: to go on reading them while the former key is kept, or to
//! authenticate them anew, which both would take in what that one put there; compiling again takes a moment for each.

use std::{
    hash::{Hash, Hasher},
    io::{self, Write},
    process,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use cap_std::fs::{Dir, OpenOptions};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, component::Component};

use crate::{CacheConfig, Digest};

/// Changes whenever the layout of an entry does.
const LAYOUT: &[u8] = b"contactor compiled component 1";
/// What a key's mark is made of.
const NAME: &[u8] = b"contactor compiled component's name 1";
const TAG: usize = 32;

const FINISHED: &str = ".compiled";
const UNFINISHED: &str = ".tmp";

pub(crate) struct Cache {
    dir: Dir,
    key: RwLock<Key>,
    /// Which engines can use an entry; part of the HMAC and of the file's name.
    compatibility: [u8; 32],
    /// Keeps the names of unfinished files apart.
    unfinished: AtomicU64,
}

/// What authenticates entries.
#[derive(Clone, Copy)]
struct Key {
    bytes: [u8; 32],
    /// Tells its entries from another key's by their names, and tells nothing about it.
    mark: [u8; 8],
}

impl Key {
    fn new(bytes: [u8; 32]) -> Self {
        let mut mac = hmac(&bytes);
        mac.update(NAME);
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        Self { bytes, mark: std::array::from_fn(|at| whole[at]) }
    }
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// What the cache had to say.
pub(crate) enum Found {
    /// The component, ready to use.
    Hit(Component),
    /// Never seen.
    Miss,
    /// There was an entry that this host did not write; it was moved aside.
    Quarantined,
}

impl Cache {
    /// Takes over the directory. Entries of other engine versions and of other keys are of no use any more and are removed.
    pub(crate) fn open(config: CacheConfig, engine: &Engine) -> io::Result<Self> {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let cache = Self {
            dir: config.dir,
            key: RwLock::new(Key::new(config.key)),
            compatibility: hasher.0.finalize().into(),
            unfinished: AtomicU64::new(0),
        };
        cache.remove(|name| cache.is_stale(name) || name.ends_with(UNFINISHED))?;
        Ok(cache)
    }

    /// Authenticates with another key from now on: no entry of the former one is taken any more.
    pub(crate) fn change_key(&self, key: [u8; 32]) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Key::new(key);
    }

    /// Removes what is never looked at any more. What is being written belongs to somebody.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        self.remove(|name| self.is_stale(name))
    }

    /// Looks a component up. Fails only when the directory cannot be read.
    pub(crate) fn get(&self, engine: &Engine, digest: &Digest) -> io::Result<Found> {
        let key = self.key();
        let name = self.name(&key, digest);
        let sealed = match self.dir.read(&name) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Miss),
            Err(error) => return Err(error),
        };
        if let Some(artefact) = self.opened(&key, digest, &sealed)
            && let Ok(component) = revive(engine, artefact)
        {
            return Ok(Found::Hit(component));
        }
        self.dir.rename(&name, &self.dir, format!("{name}.quarantined"))?;
        Ok(Found::Quarantined)
    }

    /// Stores a component; readers see the whole entry or none.
    pub(crate) fn put(&self, digest: &Digest, artefact: &[u8]) -> io::Result<()> {
        let key = self.key();
        let name = self.name(&key, digest);
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{name}.{}-{number}{UNFINISHED}", process::id());
        let mut file = self.dir.open_with(&unfinished, OpenOptions::new().write(true).create_new(true))?;
        let written = file
            .write_all(&self.tag(&key, digest, artefact))
            .and_then(|()| file.write_all(artefact))
            .and_then(|()| self.dir.rename(&unfinished, &self.dir, &name));
        if written.is_err() {
            // The first error is the one to report.
            let _ = self.dir.remove_file(&unfinished);
        }
        written
    }

    fn key(&self) -> Key {
        *self.key.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, key: &Key, digest: &Digest) -> String {
        format!("{digest}{}", self.suffix(key))
    }

    fn suffix(&self, key: &Key) -> String {
        format!("-{}-{}{FINISHED}", hex::encode(&self.compatibility[..8]), hex::encode(key.mark))
    }

    /// Of another engine or another key.
    fn is_stale(&self, name: &str) -> bool {
        name.ends_with(FINISHED) && !name.ends_with(&self.suffix(&self.key()))
    }

    fn remove(&self, is_useless: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in self.dir.entries()? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&is_useless) {
                // Another host may be quicker; that is fine.
                let _ = entry.remove_file();
            }
        }
        Ok(())
    }

    /// The artefact, if this host sealed it for this component and this engine.
    fn opened<'a>(&self, key: &Key, digest: &Digest, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, artefact) = sealed.split_at_checked(TAG)?;
        self.mac(key, digest, artefact).verify_slice(tag).is_ok().then_some(artefact)
    }

    fn tag(&self, key: &Key, digest: &Digest, artefact: &[u8]) -> [u8; TAG] {
        self.mac(key, digest, artefact).finalize().into_bytes().into()
    }

    fn mac(&self, key: &Key, digest: &Digest, artefact: &[u8]) -> Hmac<Sha256> {
        // All parts before the artefact have a fixed length, so no two inputs run together.
        let mut mac = hmac(&key.bytes);
        mac.update(LAYOUT);
        mac.update(digest.as_bytes());
        mac.update(&self.compatibility);
        mac.update(artefact);
        mac
    }
}

/// Turns an artefact back into a component.
#[expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the one place that may; its callers know where the artefact comes from"
)]
pub(crate) fn revive(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: wasmtime demands bytes that `Component::serialize` or `Engine::precompile_component` made. `Cache::get` passes just
    // what carries an HMAC under the host's key, and `Cache::put` gives that HMAC only to what those returned. `Work::compile`
    // passes what a worker wrote, which is this program, into a pipe that nobody else holds. The bytes are in memory, so nobody can
    // change them between the check and the use.
    unsafe { Component::deserialize(engine, artefact) }
}

/// Wasmtime describes an engine through [`Hash`]; the standard library's hashers may change with a compiler, this one does not.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
    }
}

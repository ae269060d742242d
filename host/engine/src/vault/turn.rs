//! Exchanging keys while everything goes on: a pass wraps data keys anew, replaces those of an earlier generation, and seals anew what
//! is under any other key than its workspace's current one.
//!
//! A pass is made at the start, when an operator asks for it, and now and then. It changes only what is still as it read it, a little
//! at a time, and leaves the store as long to others as it took itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use contactor_store::{
    DataKey, DataKeys, KeyUse, Resealed, Rewrapped, SealedRow, StoreError, StoredDataKey, check_keys,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cache_key;
use super::report::VaultReport;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::scheduler::Wake;

/// Data keys in one commit, and rows at most.
const BATCH: u32 = 64;
/// How often it is looked whether something came under a retired key after the pass: a recording that had been sealed before.
const LOOK: Duration = Duration::from_hours(1);
/// How soon a pass is tried again that the store or a key stopped.
const AGAIN: Duration = Duration::from_secs(10);
/// Rows that do not open are named up to so many.
const NAMED: usize = 20;

/// Which keys are to be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotate {
    /// The key-encryption key: the source is read again, and data keys are wrapped with its first key.
    Wrapping,
    /// The data keys: each workspace gets a new one, and everything is sealed anew.
    Data,
    /// Both.
    All,
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
    /// Data keys that were replaced.
    pub replaced: u64,
    /// Rows that were sealed anew.
    pub resealed: u64,
    /// Rows that do not open. They are left as they are.
    pub unopenable: u64,
}

/// A row that does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopenable {
    /// What it is.
    pub name: String,
    /// Why it does not open.
    pub problem: String,
}

/// How passes stand in this process.
#[derive(Default)]
pub(crate) struct Turning {
    wake: Wake,
    /// One pass at a time.
    pass: tokio::sync::Mutex<()>,
    running: AtomicBool,
    unopenable: AtomicU64,
    last: Mutex<Last>,
}

/// What the last pass left to be told.
#[derive(Clone, Default)]
pub(super) struct Last {
    /// Why it stopped, if it did.
    pub(super) stopped: Option<String>,
    /// The first rows that do not open.
    pub(super) unopenable: Vec<Unopenable>,
}

impl Turning {
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }

    pub(super) fn unopenable(&self) -> u64 {
        self.unopenable.load(Ordering::SeqCst)
    }

    pub(super) fn last(&self) -> Last {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Says that a pass is running, until it ends in whatever way.
struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::SeqCst);
        Self(flag)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Engine {
    /// Begins to exchange keys, and answers how that stands; the work goes on behind. One that is under way is continued, not begun
    /// anew.
    ///
    /// # Errors
    /// When the source gives no keys, or not those that are needed: then everything stays as it was.
    pub async fn rotate_keys(&self, what: Rotate) -> Result<VaultReport, EngineError> {
        if what != Rotate::Data {
            self.read_keys_again().await?;
        }
        if what != Rotate::Wrapping && self.vault_report().await?.is_renewed() {
            let generation = self.store().begin_key_generation().await?;
            tracing::info!(generation, "every workspace gets a new data key");
        }
        // What an earlier pass was stopped by says nothing about the one that begins now.
        self.turning().last.lock().unwrap_or_else(PoisonError::into_inner).stopped = None;
        self.turning().wake.wake();
        self.vault_report().await
    }

    /// Reads the key source again and works with what it says, if that opens what is stored.
    async fn read_keys_again(&self) -> Result<(), EngineError> {
        let keys = self.credentials().keys();
        let before = keys.vault().ring().current().id().clone();
        let kept =
            |error| EngineError::Conflict(format!("{error}; the host goes on with the keys that it has"));
        let ring = keys.vault().read_again().await.map_err(kept)?;
        let (stored, uses) = (self.store().data_keys().await?, self.store().key_uses().await?);
        check_keys(&ring, &stored, &uses).map_err(kept)?;
        let (current, cache_key) = (ring.current().id().clone(), cache_key(&ring).map_err(kept)?);
        keys.wrap_with(ring).await;
        if current != before {
            // Whoever knows the former key could put machine code there.
            self.runtime().change_cache_key(cache_key).await;
            tracing::info!(%before, %current, "the key source has a new key; data keys are wrapped with it");
        }
        Ok(())
    }

    /// Passes until told to stop.
    pub(crate) async fn turn_keys_until(self, stop: CancellationToken) {
        loop {
            let wait = match self.turn_keys().await {
                Ok(_) => LOOK,
                Err(error) => {
                    tracing::warn!(%error, "keys were not exchanged; it is tried again");
                    AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.turning().wake.woken() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One pass: afterwards everything that opens is under the current keys.
    pub async fn turn_keys(&self) -> Result<Turned, EngineError> {
        let turning = self.turning();
        let _one = turning.pass.lock().await;
        let _running = Running::begin(&turning.running);
        let mut pass = Pass { engine: self, turned: Turned::default(), unopenable: Vec::new() };
        let ended = pass.run().await;
        turning.unopenable.store(pass.turned.unopenable, Ordering::SeqCst);
        let stopped = ended.as_ref().err().map(ToString::to_string);
        *turning.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Last { stopped, unopenable: pass.unopenable };
        ended?;
        let turned = pass.turned;
        if turned != Turned::default() {
            let Turned { rewrapped, replaced, resealed, unopenable } = turned;
            tracing::info!(rewrapped, replaced, resealed, unopenable, "everything is under the current keys");
        }
        Ok(turned)
    }
}

struct Pass<'a> {
    engine: &'a Engine,
    turned: Turned,
    unopenable: Vec<Unopenable>,
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<(), EngineError> {
        self.rewrap().await?;
        let outdated: Vec<_> = self.data_keys().await?.outdated().cloned().collect();
        for key in outdated {
            let begun = Instant::now();
            self.engine.credentials().keys().replace(&key).await?;
            self.turned.replaced += 1;
            pause(begun).await;
        }
        let stored = self.data_keys().await?;
        let in_use: HashSet<_> = stored.current().map(|key| &key.key.id).collect();
        for used in self.engine.store().key_uses().await? {
            if !in_use.contains(&used.key) {
                self.reseal(&used).await?;
            }
        }
        let left = self.data_keys().await?.keys.into_iter().map(|key| key.key.id).collect();
        self.engine.credentials().keys().forget_all_but(&left);
        Ok(())
    }

    async fn data_keys(&self) -> Result<DataKeys, StoreError> {
        self.engine.store().data_keys().await
    }

    async fn rewrap(&mut self) -> Result<(), EngineError> {
        loop {
            let begun = Instant::now();
            let ring = self.engine.credentials().keys().vault().ring();
            let wrapped_before = |key: &StoredDataKey| key.key.wrapped.key_id != *ring.current().id();
            let keys: Vec<_> = self
                .data_keys()
                .await?
                .keys
                .into_iter()
                .filter(wrapped_before)
                .take(BATCH as usize)
                .collect();
            let mut changes = Vec::new();
            for StoredDataKey { key, .. } in keys {
                let to = DataKey::unwrap(&key, &ring)?.wrap(&ring)?.wrapped;
                changes.push(Rewrapped { id: key.id, from: key.wrapped, to });
            }
            if changes.is_empty() {
                return Ok(());
            }
            let changed = self.engine.store().rewrap_data_keys(changes).await?;
            self.turned.rewrapped += changed;
            metrics::counter!("contactor_vault_rewrapped_total").increment(changed);
            if changed == 0 {
                // Somebody else wraps them at the same time.
                return Ok(());
            }
            pause(begun).await;
        }
    }

    /// Seals anew what of a kind is under a key that is not in use.
    async fn reseal(&mut self, used: &KeyUse) -> Result<(), EngineError> {
        let (store, mut after) = (self.engine.store(), None);
        loop {
            let begun = Instant::now();
            let rows = store.sealed_with(&used.key, used.kind, after.clone(), BATCH).await?;
            let Some(last) = rows.last().map(|row| row.at.clone()) else { return Ok(()) };
            let mut changes = Vec::new();
            for row in rows {
                match self.sealed_anew(&row).await {
                    Ok(to) => changes.push(Resealed { at: row.at, from: row.sealed, to }),
                    Err(EngineError::Vault(error)) => self.note_unopenable(&row, &error),
                    Err(other) => return Err(other),
                }
            }
            let changed = match store.reseal(changes).await {
                // Another process replaced a key meanwhile: the page is done again.
                Err(StoreError::KeyRetired { key }) => {
                    self.engine.credentials().keys().forget_use(&key);
                    continue;
                }
                resealed => resealed?,
            };
            self.turned.resealed += changed;
            metrics::counter!("contactor_vault_resealed_total").increment(changed);
            after = Some(last);
            pause(begun).await;
        }
    }

    async fn sealed_anew(&self, row: &SealedRow) -> Result<contactor_store::Sealed, EngineError> {
        let keys = self.engine.credentials().keys();
        let Some(secret) = keys.open_as_read(&row.purpose, &row.sealed).await? else {
            return Err(keys.lost(&row.purpose, row.sealed.key_id.clone()).into());
        };
        keys.seal(&row.purpose, &secret).await
    }

    fn note_unopenable(&mut self, row: &SealedRow, error: &contactor_store::VaultError) {
        self.turned.unopenable += 1;
        let name = row.purpose.name().to_owned();
        tracing::warn!(name, %error, "it does not open, so it is not sealed anew");
        if self.unopenable.len() < NAMED {
            self.unopenable.push(Unopenable { name, problem: error.to_string() });
        }
    }
}

/// Leaves the store to others for as long as it was used.
async fn pause(begun: Instant) {
    tokio::time::sleep(begun.elapsed()).await;
}

#[cfg(test)]
mod tests;

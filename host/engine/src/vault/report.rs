//! How the vault stands: what is under which keys, and what an operator does next.

use std::collections::BTreeMap;

use contactor_store::{DataKeys, KeyId, KeyUse, SealedKind};

use super::turn::Unopenable;
use crate::engine::Engine;
use crate::error::EngineError;

/// A key-encryption key at hand that only opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerKey {
    /// The key.
    pub key: KeyId,
    /// Data keys that are wrapped with it.
    pub data_keys: u64,
    /// Rows that a host before data keys sealed with it.
    pub rows: u64,
}

impl FormerKey {
    /// Whether anything needs it.
    pub fn is_needed(&self) -> bool {
        self.data_keys + self.rows > 0
    }
}

/// How much of a kind is sealed, and with which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedCount {
    /// What is sealed.
    pub kind: SealedKind,
    /// With their workspace's data key that is in use.
    pub current: u64,
    /// With another key: these are to be sealed anew.
    pub older: u64,
}

/// What an operator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// Nothing.
    Nothing,
    /// Wait: the host exchanges keys.
    Wait,
    /// Have the host read its key source, which has a new key.
    Rotate,
    /// Look why some rows do not open.
    Repair,
    /// Take former keys out of the source that nothing needs any more.
    DropFormer,
}

/// How the vault stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultReport {
    /// Where the key-encryption keys come from.
    pub source: String,
    /// Whether that is a file, which `contactor vault` can change.
    pub in_file: bool,
    /// The key-encryption key that wraps.
    pub current: KeyId,
    /// Another key that stands first in the key file by now; the host has not read it yet.
    pub offered: Option<KeyId>,
    /// Those that only open.
    pub former: Vec<FormerKey>,
    /// Workspaces' data keys that are in use.
    pub data_keys: u64,
    /// Of these, how many are to be replaced.
    pub to_replace: u64,
    /// Data keys that only open, until nothing is sealed with them; they are forgotten an hour after they were replaced.
    pub retired: u64,
    /// Data keys, retired ones as well, that are not wrapped with the current key.
    pub to_rewrap: u64,
    /// What is sealed.
    pub sealed: Vec<SealedCount>,
    /// Whether keys are being exchanged at this moment.
    pub running: bool,
    /// Why the last pass stopped before its end, if it did; it is tried again by itself.
    pub stopped: Option<String>,
    /// Rows that did not open, and so were not sealed anew.
    pub unopenable: u64,
    /// The first of them.
    pub examples: Vec<Unopenable>,
}

impl VaultReport {
    /// Rows that are to be sealed anew.
    pub fn to_reseal(&self) -> u64 {
        self.sealed.iter().map(|count| count.older).sum()
    }

    /// Whether every workspace has the data key that was last asked for, and nothing that opens is sealed with another.
    pub fn is_renewed(&self) -> bool {
        self.to_replace == 0 && self.to_reseal() <= self.unopenable
    }

    /// Whether nothing is left to be exchanged.
    pub fn is_done(&self) -> bool {
        !self.running && self.to_rewrap == 0 && self.is_renewed()
    }

    /// What comes next.
    pub fn next(&self) -> KeyStep {
        if self.offered.is_some() {
            KeyStep::Rotate
        } else if !self.is_done() {
            KeyStep::Wait
        } else if self.unopenable > 0 {
            KeyStep::Repair
        } else if self.former.iter().any(|key| !key.is_needed()) {
            KeyStep::DropFormer
        } else {
            KeyStep::Nothing
        }
    }
}

impl Engine {
    /// How the vault stands.
    pub async fn vault_report(&self) -> Result<VaultReport, EngineError> {
        let vault = self.credentials().keys().vault();
        let offered = vault.offered().await;
        let (keys, uses) = (self.store().data_keys().await?, self.store().key_uses().await?);
        let ring = vault.ring();
        let (turning, current) = (self.turning(), ring.current().id().clone());
        let (last, sealed) = (turning.last(), sealed(&keys, &uses));
        // What did not open in the last pass may be entered again, or forgotten, by now.
        let unopenable = turning.unopenable().min(sealed.iter().map(|count| count.older).sum());
        Ok(VaultReport {
            source: vault.source(),
            in_file: vault.is_file(),
            offered,
            former: former(ring.former(), &keys, &uses),
            data_keys: keys.current().count() as u64,
            to_replace: keys.outdated().count() as u64,
            retired: keys.keys.iter().filter(|key| key.retired_at.is_some()).count() as u64,
            to_rewrap: keys.keys.iter().filter(|key| key.key.wrapped.key_id != current).count() as u64,
            sealed,
            running: turning.is_running(),
            stopped: last.stopped,
            unopenable,
            examples: if unopenable > 0 { last.unopenable } else { Vec::new() },
            current,
        })
    }
}

fn former<'a>(former: impl Iterator<Item = &'a KeyId>, keys: &DataKeys, uses: &[KeyUse]) -> Vec<FormerKey> {
    let of = |key: &KeyId| FormerKey {
        key: key.clone(),
        data_keys: keys.keys.iter().filter(|stored| stored.key.wrapped.key_id == *key).count() as u64,
        rows: uses.iter().filter(|used| used.key == *key).map(|used| used.rows).sum(),
    };
    former.map(of).collect()
}

fn sealed(keys: &DataKeys, uses: &[KeyUse]) -> Vec<SealedCount> {
    let mut counts: BTreeMap<SealedKind, (u64, u64)> =
        SealedKind::ALL.into_iter().map(|kind| (kind, (0, 0))).collect();
    for used in uses {
        let in_use = keys.get(&used.key).is_some_and(|key| key.retired_at.is_none());
        let (current, older) = counts.entry(used.kind).or_default();
        *if in_use { current } else { older } += used.rows;
    }
    counts.into_iter().map(|(kind, (current, older))| SealedCount { kind, current, older }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn former(data_keys: u64, rows: u64) -> FormerKey {
        FormerKey { key: KeyId::from_stored("00ff"), data_keys, rows }
    }

    fn report() -> VaultReport {
        VaultReport {
            source: "the key file vault.key".to_owned(),
            in_file: true,
            current: KeyId::from_stored("11ff"),
            offered: None,
            former: Vec::new(),
            data_keys: 3,
            to_replace: 0,
            retired: 0,
            to_rewrap: 0,
            sealed: vec![SealedCount { kind: SealedKind::Credential, current: 9, older: 0 }],
            running: false,
            stopped: None,
            unopenable: 0,
            examples: Vec::new(),
        }
    }

    fn older(rows: u64) -> Vec<SealedCount> {
        vec![SealedCount { kind: SealedKind::Recording, current: 0, older: rows }]
    }

    #[test]
    fn the_next_step_is_the_one_that_everything_else_waits_for() {
        let offered = Some(KeyId::from_stored("22ff"));
        let unneeded = vec![former(1, 0), former(0, 0)];
        for (report, next) in [
            (report(), KeyStep::Nothing),
            (VaultReport { offered, to_rewrap: 2, ..report() }, KeyStep::Rotate),
            (VaultReport { to_rewrap: 1, former: vec![former(1, 0)], ..report() }, KeyStep::Wait),
            (VaultReport { to_replace: 1, ..report() }, KeyStep::Wait),
            (VaultReport { running: true, ..report() }, KeyStep::Wait),
            (VaultReport { sealed: older(2), ..report() }, KeyStep::Wait),
            (VaultReport { sealed: older(2), unopenable: 2, ..report() }, KeyStep::Repair),
            (VaultReport { former: unneeded, ..report() }, KeyStep::DropFormer),
            (VaultReport { former: vec![former(0, 1)], ..report() }, KeyStep::Nothing),
        ] {
            assert_eq!(report.next(), next, "{report:?}");
        }
    }

    #[test]
    fn a_rotation_that_is_under_way_is_not_begun_anew_and_one_that_cannot_end_is_no_obstacle() {
        assert!(report().is_renewed());
        assert!(!VaultReport { to_replace: 1, ..report() }.is_renewed());
        assert!(!VaultReport { sealed: older(3), unopenable: 2, ..report() }.is_renewed());
        assert!(VaultReport { sealed: older(2), unopenable: 2, ..report() }.is_renewed());
    }
}

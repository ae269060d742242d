//! Whether given keys open a backup: every data key and everything that is sealed. Changes nothing, and shows no secret.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::{Result, check, data_keys, schema, sealed};
use crate::error::StoreError;
use crate::model::{DataKeys, SealedKind, SealedRow};
use crate::vault::{DataKey, KeyId, KeyRing, open_as_before};

/// Schema versions that brought what is looked through.
const RECORDINGS: i64 = 10;
const DELETIONS: i64 = 13;
const DATA_KEYS: i64 = 23;

/// Reasons that are named at most; the counts are complete.
const NAMED: usize = 20;
/// Rows read at once.
const PAGE: u32 = 100;

/// How many there are and how many of them open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drilled {
    /// So many there are.
    pub total: u64,
    /// So many opened.
    pub opened: u64,
}

impl Drilled {
    fn note(&mut self, opened: bool) {
        self.total += 1;
        self.opened += u64::from(opened);
    }
}

/// Something that does not open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unopened {
    /// What it is.
    pub name: String,
    /// The key that it needs.
    pub key: KeyId,
    /// Why it does not open.
    pub problem: String,
}

/// What a drill found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drill {
    /// The backup.
    pub backup: PathBuf,
    /// The keys that were tried, the current one first.
    pub keys: Vec<KeyId>,
    /// The workspaces' data keys.
    pub data_keys: Drilled,
    /// Tokens, partners' credentials, webhooks' secrets, addresses.
    pub credentials: Drilled,
    /// Recordings of runs.
    pub recordings: Drilled,
    /// What undos of deletions need.
    pub undos: Drilled,
    /// Sealed by a host before data keys, with the operator's key itself; among the others.
    pub sealed_before: u64,
    /// The first that do not open.
    pub unopened: Vec<Unopened>,
}

impl Drill {
    /// Whether everything opened.
    pub fn is_complete(&self) -> bool {
        [self.data_keys, self.credentials, self.recordings, self.undos]
            .iter()
            .all(|drilled| drilled.opened == drilled.total)
    }

    /// How much did not open.
    pub fn failed(&self) -> u64 {
        [self.data_keys, self.credentials, self.recordings, self.undos]
            .iter()
            .map(|drilled| drilled.total - drilled.opened)
            .sum()
    }

    fn of(&mut self, kind: SealedKind) -> &mut Drilled {
        match kind {
            SealedKind::Credential => &mut self.credentials,
            SealedKind::Recording => &mut self.recordings,
            SealedKind::Undo => &mut self.undos,
        }
    }

    fn note_failure(&mut self, name: impl Into<String>, key: &KeyId, problem: &impl ToString) {
        if self.unopened.len() < NAMED {
            self.unopened.push(Unopened {
                name: name.into(),
                key: key.clone(),
                problem: problem.to_string(),
            });
        }
    }
}

/// Opens a backup with these keys, and everything that is sealed in it.
///
/// # Errors
///
/// `NotFound` without a file, `Foreign` and `TooNew` when it is no database of this version or an earlier one, `Corrupt` when it cannot
/// be read. That something does not open is no error.
pub fn drill(backup: &Path, ring: &KeyRing) -> Result<Drill> {
    let (db, version) = open(backup)?;
    let mut drill = Drill {
        backup: backup.to_owned(),
        keys: ring.ids().cloned().collect(),
        data_keys: Drilled::default(),
        credentials: Drilled::default(),
        recordings: Drilled::default(),
        undos: Drilled::default(),
        sealed_before: 0,
        unopened: Vec::new(),
    };
    let stored = if version >= DATA_KEYS { data_keys::all(&db)? } else { DataKeys::default() };
    let mut opened = HashMap::new();
    for key in &stored.keys {
        let unwrapped = DataKey::unwrap(&key.key, ring);
        drill.data_keys.note(unwrapped.is_ok());
        match unwrapped {
            Ok(data_key) => {
                opened.insert(key.key.id.clone(), data_key);
            }
            Err(problem) => drill.note_failure(
                format!("data key of {}", key.key.workspace),
                &key.key.wrapped.key_id,
                &problem,
            ),
        }
    }
    for kind in kinds(version) {
        for key in keys_of(&db, kind)? {
            let mut after = None;
            loop {
                let page = sealed::page(&db, kind, &key, after.as_ref(), PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some(last.at.clone());
                for row in page {
                    try_row(&mut drill, ring, (&stored, &opened), &row);
                }
            }
        }
    }
    Ok(drill)
}

fn try_row(
    drill: &mut Drill,
    ring: &KeyRing,
    (stored, opened): (&DataKeys, &HashMap<KeyId, DataKey>),
    row: &SealedRow,
) {
    let key = &row.sealed.key_id;
    let outcome = if let Some(data_key) = opened.get(key) {
        data_key.open(&row.purpose, &row.sealed).map(drop).map_err(|error| error.to_string())
    } else if stored.get(key).is_some() {
        Err("its data key does not open".to_owned())
    } else if let Some(outcome) = open_as_before(ring, &row.purpose, &row.sealed) {
        drill.sealed_before += 1;
        outcome.map(drop).map_err(|error| error.to_string())
    } else {
        Err("its key is neither in the backup nor among those given".to_owned())
    };
    drill.of(row.at.kind()).note(outcome.is_ok());
    if let Err(problem) = outcome {
        drill.note_failure(row.purpose.name(), key, &problem);
    }
}

/// The key-encryption keys that a database needs, and how many data keys and other rows need each. For a host that is stopped.
///
/// # Errors
///
/// `NotFound` without a database, `InUse` while a host has it open.
pub fn needed_keys(database: &Path) -> Result<BTreeMap<KeyId, u64>> {
    let (_lock, db) = check::open(database)?;
    let version = schema::recognise(&db, database)?;
    let stored = if version >= DATA_KEYS { data_keys::all(&db)? } else { DataKeys::default() };
    let mut needed = BTreeMap::new();
    for key in &stored.keys {
        *needed.entry(key.key.wrapped.key_id.clone()).or_default() += 1;
    }
    for kind in kinds(version) {
        for key in keys_of(&db, kind)?.into_iter().filter(|key| stored.get(key).is_none()) {
            *needed.entry(key).or_default() += 1;
        }
    }
    Ok(needed)
}

fn kinds(version: i64) -> impl Iterator<Item = SealedKind> {
    SealedKind::ALL.into_iter().filter(move |kind| match kind {
        SealedKind::Credential => true,
        SealedKind::Recording => version >= RECORDINGS,
        SealedKind::Undo => version >= DELETIONS,
    })
}

/// The keys that rows of a kind name.
fn keys_of(db: &Connection, kind: SealedKind) -> Result<BTreeSet<KeyId>> {
    Ok(sealed::uses_of(db, kind)?.into_iter().map(|used| used.key).collect())
}

/// Opens a file that nobody else has open. A plain copy has no log beside it, and its directory may not be ours to write to.
fn open(backup: &Path) -> Result<(Connection, i64)> {
    if !backup.exists() {
        return Err(StoreError::not_found("backup", &backup.display()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut log = backup.as_os_str().to_owned();
    log.push("-wal");
    let db = if PathBuf::from(log).exists() {
        Connection::open_with_flags(backup, flags)?
    } else {
        Connection::open_with_flags(uri(backup)?, flags | OpenFlags::SQLITE_OPEN_URI)?
    };
    db.pragma_update(None, "trusted_schema", false)?;
    let version = schema::recognise(&db, backup)?;
    if version == 0 {
        return Err(StoreError::not_found("database of a host", &backup.display()));
    }
    Ok((db, version))
}

/// The file's address as SQLite reads it, with the promise that nobody changes the file.
fn uri(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)
        .map_err(|error| StoreError::Failed { reason: format!("{}: {error}", path.display()) })?;
    let text = path.to_str().ok_or_else(|| StoreError::Invalid(format!("{} is no text", path.display())))?;
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            other => other.to_string(),
        })
        .collect();
    Ok(format!("file:{escaped}?immutable=1"))
}

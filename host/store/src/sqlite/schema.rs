//! The tables, and how a database of an older version becomes one of this.

use std::path::Path;

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::Result;
use super::codec::Hex;
use crate::error::StoreError;

/// "CTOR": marks the file as ours (`application_id` in the database header).
const APPLICATION_ID: i64 = 0x4354_4f52;

/// Every step once released stays as it is; a change of the schema is a new step at the end. The number of steps is the
/// schema version (`user_version` in the database header).
const STEPS: &[&str] = &[
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
    include_str!("schema/007.sql"),
    include_str!("schema/008.sql"),
    include_str!("schema/009.sql"),
    include_str!("schema/010.sql"),
    include_str!("schema/011.sql"),
    include_str!("schema/012.sql"),
    include_str!("schema/013.sql"),
    include_str!("schema/014.sql"),
    include_str!("schema/015.sql"),
    include_str!("schema/016.sql"),
    include_str!("schema/017.sql"),
    include_str!("schema/018.sql"),
    include_str!("schema/019.sql"),
    include_str!("schema/020.sql"),
    include_str!("schema/021.sql"),
    include_str!("schema/022.sql"),
    include_str!("schema/023.sql"),
    include_str!("schema/024.sql"),
    include_str!("schema/025.sql"),
    include_str!("schema/026.sql"),
    include_str!("schema/027.sql"),
    include_str!("schema/028.sql"),
    include_str!("schema/029.sql"),
    include_str!("schema/030.sql"),
];

/// The step with which the tokens of webhooks' addresses give way to their hashes.
const WEBHOOKS_HASHED: i64 = 30;

/// Answers the schema version of a database that is ours and not too new.
pub(super) fn recognise(connection: &Connection, path: &Path) -> Result<i64> {
    let found = header(connection, "application_id")?;
    let version = header(connection, "user_version")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found != APPLICATION_ID && (found != 0 || tables != 0) {
        return Err(StoreError::Foreign { path: path.to_owned(), found });
    }
    let supported = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version > supported {
        return Err(StoreError::TooNew { path: path.to_owned(), found: version, supported });
    }
    Ok(version)
}

/// Brings the database to the newest version, each step in a transaction of its own.
pub(super) fn upgrade(connection: &Connection, path: &Path) -> Result<()> {
    let version = recognise(connection, path)?;
    for (step, sql) in (1_i64..).zip(STEPS).filter(|(step, _)| *step > version) {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(sql)?;
        if step == WEBHOOKS_HASHED {
            hash_webhook_tokens(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", step)?;
        transaction.commit()?;
        tracing::info!(path = %path.display(), step, "the database schema was upgraded");
    }
    Ok(())
}

/// Puts its hash in the place of each token; the tokens themselves wait to be sealed.
fn hash_webhook_tokens(db: &Connection) -> Result<()> {
    let mut waiting = db.prepare("SELECT connection, token FROM unsealed_webhooks")?;
    let waiting = waiting.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for (connection, token) in waiting.collect::<rusqlite::Result<Vec<_>>>()? {
        let hash = Hex(Sha256::digest(token.as_bytes()).into());
        db.execute("UPDATE connections SET webhook_hash = ?2 WHERE pk = ?1", params![connection, hash])?;
    }
    Ok(())
}

fn header(connection: &Connection, name: &str) -> Result<i64> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

//! Workspaces, installed connectors, connections and sealed credentials.

use jiff::Timestamp;
use rusqlite::{Connection as Db, OptionalExtension as _, Row, named_params, params};
use secrecy::SecretString;

use super::audit::Done;
use super::codec::{At, Hex, Json, Word, count, integer, is_taken};
use super::{Result, audit, data_keys, events, rollouts};
use crate::error::StoreError;
use crate::model::{
    Actor, Connection, ConnectionId, ConnectionState, InstalledConnector, LocationId, Policy, Schedule,
    SecretHash, Shard, StopCause, UnsealedWebhook, Workspace, WorkspaceId,
};
use crate::vault::{KeyId, Sealed};

// ----------------------------------------------------------------------------------------------------------- workspaces

const WORKSPACE: &str =
    "SELECT id, name, location, country, timezone, created_at, retention_days, policy FROM workspaces";

fn workspace_row(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    Ok(Workspace {
        id: row.get(0)?,
        name: row.get(1)?,
        location: row.get(2)?,
        country: row.get(3)?,
        timezone: row.get(4)?,
        created_at: row.get::<_, At>(5)?.0,
        retention_days: row.get(6)?,
        policy: row.get::<_, Json<_>>(7)?.0,
    })
}

pub(super) fn create_workspace(db: &Db, workspace: &Workspace) -> Result<()> {
    let wanted = || format!("workspace `{}` at location `{}`", workspace.id, workspace.location);
    let sql = "INSERT INTO workspaces (id, shard, name, location, country, timezone, created_at, \
                   retention_days, policy) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let inserted = db.prepare_cached(sql)?.insert(params![
        workspace.id,
        Shard::of(&workspace.id).0,
        workspace.name,
        workspace.location,
        workspace.country,
        workspace.timezone,
        At(workspace.created_at),
        workspace.retention_days,
        Json(&workspace.policy),
    ]);
    let pk = match inserted {
        Ok(pk) => pk,
        Err(error) if is_taken(&error) => {
            let existing = match self::workspace(db, &workspace.id)? {
                Some(other) => Some(other),
                None => workspace_of(db, &workspace.location)?,
            };
            let existing = existing.map_or_else(String::new, |other| {
                format!("workspace `{}`, which is bound to location `{}`", other.id, other.location)
            });
            return Err(StoreError::conflict(wanted(), existing));
        }
        Err(error) => return Err(error.into()),
    };
    events::release_held(db, &workspace.location, pk)
}

pub(super) fn update_workspace(db: &Db, workspace: &Workspace) -> Result<()> {
    let sql =
        "UPDATE workspaces SET name = ?2, country = ?3, timezone = ?4, retention_days = ?5 WHERE id = ?1";
    let changed = db.prepare_cached(sql)?.execute(params![
        workspace.id,
        workspace.name,
        workspace.country,
        workspace.timezone,
        workspace.retention_days
    ])?;
    if changed == 0 { Err(StoreError::not_found("workspace", &workspace.id)) } else { Ok(()) }
}

pub(super) fn set_policy(db: &Db, id: &WorkspaceId, policy: &Policy) -> Result<()> {
    let sql = "UPDATE workspaces SET policy = ?2 WHERE id = ?1";
    let changed = db.prepare_cached(sql)?.execute(params![id, Json(policy)])?;
    if changed == 0 { Err(StoreError::not_found("workspace", id)) } else { Ok(()) }
}

pub(super) fn workspace(db: &Db, id: &WorkspaceId) -> Result<Option<Workspace>> {
    let sql = format!("{WORKSPACE} WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], workspace_row).optional()?)
}

pub(super) fn workspace_of(db: &Db, location: &LocationId) -> Result<Option<Workspace>> {
    let sql = format!("{WORKSPACE} WHERE location = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([location], workspace_row).optional()?)
}

pub(super) fn workspaces(db: &Db) -> Result<Vec<Workspace>> {
    let sql = format!("{WORKSPACE} ORDER BY id");
    Ok(db.prepare_cached(&sql)?.query_map([], workspace_row)?.collect::<rusqlite::Result<_>>()?)
}

/// The row key of a workspace.
pub(super) fn workspace_pk(db: &Db, id: &WorkspaceId) -> Result<i64> {
    let sql = "SELECT pk FROM workspaces WHERE id = ?1";
    let pk = db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
    pk.ok_or_else(|| StoreError::not_found("workspace", id))
}

/// The row key of the workspace that is bound to a location.
pub(super) fn workspace_pk_of(db: &Db, location: &LocationId) -> Result<Option<i64>> {
    let sql = "SELECT pk FROM workspaces WHERE location = ?1";
    Ok(db.prepare_cached(sql)?.query_row([location], |row| row.get(0)).optional()?)
}

// ----------------------------------------------------------------------------------------------------------- connectors

pub(super) fn install_connector(db: &Db, connector: &InstalledConnector) -> Result<()> {
    let sql = "INSERT INTO connectors (digest, id, version, manifest, size, installed_at, approved, publisher) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
               ON CONFLICT (digest) DO UPDATE SET approved = 1, installed_at = ?6, publisher = ?8 WHERE ?7";
    db.prepare_cached(sql)?.execute(params![
        connector.digest,
        connector.id,
        connector.version,
        connector.manifest,
        integer(connector.size),
        At(connector.installed_at),
        connector.approved,
        connector.publisher,
    ])?;
    Ok(())
}

pub(super) fn connectors(db: &Db) -> Result<Vec<InstalledConnector>> {
    let sql = "SELECT digest, id, version, manifest, size, installed_at, approved, publisher FROM connectors \
               ORDER BY installed_at DESC, pk DESC";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(InstalledConnector {
            digest: row.get(0)?,
            id: row.get(1)?,
            version: row.get(2)?,
            manifest: row.get(3)?,
            size: count(row.get(4)?),
            installed_at: row.get::<_, At>(5)?.0,
            approved: row.get(6)?,
            publisher: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

// ---------------------------------------------------------------------------------------------------------- connections

const CONNECTION: &str = "SELECT c.id, w.id, c.connector, c.digest, c.state, c.state_reason, c.grants, c.base_url, \
                          c.auth_scheme, c.settings, c.mapping, c.webhook_hash, c.created_at, c.schedule, c.stop_cause \
                          FROM connections c JOIN workspaces w ON w.pk = c.workspace";

fn connection_row(row: &Row<'_>) -> rusqlite::Result<Connection> {
    Ok(Connection {
        id: row.get(0)?,
        workspace: row.get(1)?,
        connector: row.get(2)?,
        digest: row.get(3)?,
        state: row.get::<_, Word<_>>(4)?.0,
        state_reason: row.get(5)?,
        grants: row.get::<_, Json<_>>(6)?.0,
        base_url: row.get(7)?,
        auth_scheme: row.get(8)?,
        settings: row.get::<_, Json<_>>(9)?.0,
        mapping: row.get::<_, Json<_>>(10)?.0,
        webhook_hash: SecretHash(row.get::<_, Hex>(11)?.0),
        created_at: row.get::<_, At>(12)?.0,
        schedule: row.get::<_, Json<_>>(13)?.0,
        stop_cause: row.get::<_, Option<Word<_>>>(14)?.map(|word| word.0),
    })
}

/// Writes a connection; the address of one that exists stays. One whose component is replaced notes what it was before, so that it can be
/// had back.
pub(super) fn put_connection(db: &Db, connection: &Connection, now: Timestamp) -> Result<()> {
    let workspace = workspace_pk(db, &connection.workspace)?;
    let before = self::connection(db, &connection.id)?;
    let sql = "INSERT INTO connections (id, workspace, connector, digest, state, state_reason, grants, base_url, auth_scheme, \
                   settings, mapping, webhook_hash, created_at, schedule, stop_cause) \
               VALUES (:id, :workspace, :connector, :digest, :state, :state_reason, :grants, :base_url, :auth_scheme, \
                   :settings, :mapping, :webhook_hash, :created_at, :schedule, :stop_cause) \
               ON CONFLICT (id) DO UPDATE SET connector = :connector, digest = :digest, state = :state, \
                   state_reason = :state_reason, grants = :grants, base_url = :base_url, auth_scheme = :auth_scheme, \
                   settings = :settings, mapping = :mapping, schedule = :schedule, stop_cause = :stop_cause \
               WHERE workspace = :workspace";
    let written = db.prepare_cached(sql)?.execute(named_params! {
        ":id": connection.id,
        ":workspace": workspace,
        ":connector": connection.connector,
        ":digest": connection.digest,
        ":state": Word(connection.state),
        ":state_reason": connection.state_reason,
        ":grants": Json(&connection.grants),
        ":base_url": connection.base_url,
        ":auth_scheme": connection.auth_scheme,
        ":settings": Json(&connection.settings),
        ":mapping": Json(&connection.mapping),
        ":webhook_hash": Hex(connection.webhook_hash.0),
        ":created_at": At(connection.created_at),
        ":schedule": Json(&connection.schedule),
        ":stop_cause": connection.stop_cause.map(Word),
    });
    let wanted = format!("connection `{}` of workspace `{}`", connection.id, connection.workspace);
    match written {
        Ok(0) => Err(StoreError::conflict(wanted, "a connection of the same id in another workspace")),
        Ok(_) => match before.filter(|before| before.digest != connection.digest) {
            Some(before) => rollouts::note_replaced(db, &before, connection, now),
            None => Ok(()),
        },
        Err(error) if is_taken(&error) => Err(StoreError::conflict(wanted, ADDRESS_TAKEN)),
        Err(error) => Err(error.into()),
    }
}

/// What is in the way; not by which address.
const ADDRESS_TAKEN: &str = "another connection with the same webhook address";

pub(super) fn put_webhook_address(
    db: &Db,
    id: &ConnectionId,
    hash: SecretHash,
    sealed: &Sealed,
) -> Result<()> {
    let connection = owner(db, id)?.connection;
    let sql = "UPDATE connections SET webhook_hash = ?2 WHERE pk = ?1";
    match db.prepare_cached(sql)?.execute(params![connection, Hex(hash.0)]) {
        Err(error) if is_taken(&error) => {
            return Err(StoreError::conflict(format!("the webhook address of `{id}`"), ADDRESS_TAKEN));
        }
        written => written?,
    };
    put_credential(db, &id.webhook_address(), sealed)?;
    db.prepare_cached("DELETE FROM unsealed_webhooks WHERE connection = ?1")?.execute([connection])?;
    Ok(())
}

pub(super) fn unsealed_webhooks(db: &Db) -> Result<Vec<UnsealedWebhook>> {
    let sql = "SELECT w.id, c.id, u.token FROM unsealed_webhooks u JOIN connections c ON c.pk = u.connection \
               JOIN workspaces w ON w.pk = c.workspace ORDER BY c.pk";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(UnsealedWebhook {
            workspace: row.get(0)?,
            connection: row.get(1)?,
            token: SecretString::from(row.get::<_, String>(2)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn set_mapping(db: &Db, id: &ConnectionId, mapping: &serde_json::Value) -> Result<()> {
    let sql = "UPDATE connections SET mapping = ?2 WHERE id = ?1";
    let changed = db.prepare_cached(sql)?.execute(params![id, Json(mapping)])?;
    if changed == 0 { Err(StoreError::not_found("connection", id)) } else { Ok(()) }
}

pub(super) fn set_connection_state(
    db: &Db,
    id: &ConnectionId,
    state: ConnectionState,
    reason: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE connections SET state = ?2, state_reason = ?3, stop_cause = NULL WHERE id = ?1";
    let changed = db.prepare_cached(sql)?.execute(params![id, Word(state), reason])?;
    if changed == 0 { Err(StoreError::not_found("connection", id)) } else { Ok(()) }
}

pub(super) fn exchange_connection_state(
    db: &Db,
    id: &ConnectionId,
    (from, to): (ConnectionState, ConnectionState),
    reason: Option<&str>,
    cause: Option<StopCause>,
    now: Timestamp,
) -> Result<bool> {
    let Some(before) = connection(db, id)?.filter(|before| before.state == from) else { return Ok(false) };
    let sql = "UPDATE connections SET state = ?2, state_reason = ?3, stop_cause = ?4 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, Word(to), reason, cause.map(Word)])?;
    note_exchanged(db, &before, to, cause, now)?;
    Ok(true)
}

pub(super) fn stop_mass_change(db: &Db, id: &ConnectionId, reason: &str, now: Timestamp) -> Result<bool> {
    let states = (ConnectionState::Enabled, ConnectionState::Paused);
    exchange_connection_state(db, id, states, Some(reason), Some(StopCause::MassChange), now)
}

/// Puts on record that the host stopped a connection by itself, or let it go on. Of what stopped it the cause alone: the words may be a
/// vendor's.
fn note_exchanged(
    db: &Db,
    before: &Connection,
    to: ConnectionState,
    cause: Option<StopCause>,
    now: Timestamp,
) -> Result<()> {
    let goes_on = to == ConnectionState::Enabled;
    let cause = cause.or(before.stop_cause).map(|cause| format!(" cause={}", Word(cause).text()));
    let (after, was) = (Word(to).text(), Word(before.state).text());
    let done = Done {
        actor: Actor::Host,
        workspace: Some(before.workspace.clone()),
        action: if goes_on { "connections.enable" } else { "connections.disable" },
        target: format!("connector={}", before.connector),
        detail: format!("state={after} before={was} digest={}{}", before.digest, cause.unwrap_or_default()),
    };
    audit::note(db, done, now)
}

pub(super) fn connection(db: &Db, id: &ConnectionId) -> Result<Option<Connection>> {
    let sql = format!("{CONNECTION} WHERE c.id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], connection_row).optional()?)
}

/// Looked up by the index as it is: how long that takes tells of a hash at most, and nobody has a token to a hash.
pub(super) fn connection_by_webhook(db: &Db, hash: SecretHash) -> Result<Option<Connection>> {
    let sql = format!("{CONNECTION} WHERE c.webhook_hash = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([Hex(hash.0)], connection_row).optional()?)
}

pub(super) fn connections(db: &Db, workspace: Option<&WorkspaceId>) -> Result<Vec<Connection>> {
    let (filter, params) = match &workspace {
        Some(id) => ("WHERE w.id = ?1", params![*id]),
        None => ("", params![]),
    };
    let sql = format!("{CONNECTION} {filter} ORDER BY c.id");
    Ok(db.prepare_cached(&sql)?.query_map(params, connection_row)?.collect::<rusqlite::Result<_>>()?)
}

/// What work needs to know of a connection.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// The connection's row key.
    pub(super) connection: i64,
    /// The connection.
    pub(super) id: ConnectionId,
    /// The workspace's row key.
    pub(super) workspace: i64,
    /// The workspace.
    pub(super) workspace_id: WorkspaceId,
    /// The workspace's shard.
    pub(super) shard: u16,
    /// Whether the connection works.
    pub(super) state: ConnectionState,
}

const OWNER: &str = "SELECT c.pk, c.id, w.pk, w.id, w.shard, c.state \
                     FROM connections c JOIN workspaces w ON w.pk = c.workspace";

fn owner_row(row: &Row<'_>) -> rusqlite::Result<Owner> {
    Ok(Owner {
        connection: row.get(0)?,
        id: row.get(1)?,
        workspace: row.get(2)?,
        workspace_id: row.get(3)?,
        shard: row.get(4)?,
        state: row.get::<_, Word<_>>(5)?.0,
    })
}

/// The connection with this id.
pub(super) fn owner(db: &Db, id: &ConnectionId) -> Result<Owner> {
    let sql = format!("{OWNER} WHERE c.id = ?1");
    let owner = db.prepare_cached(&sql)?.query_row([id], owner_row).optional()?;
    owner.ok_or_else(|| StoreError::not_found("connection", id))
}

/// The connection with this row key, which a foreign key vouches for.
pub(super) fn owner_by_pk(db: &Db, pk: i64) -> Result<Owner> {
    let sql = format!("{OWNER} WHERE c.pk = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([pk], owner_row)?)
}

/// The connections of a workspace that take events, and when they act on them: all that an admin has not switched off. A
/// paused one, or one that waits for a reconnect, keeps its events for later.
pub(super) fn listening(db: &Db, workspace: i64) -> Result<Vec<(i64, Option<Schedule>)>> {
    // Nearly all act at once: only another schedule is read.
    let sql = "SELECT pk, CASE WHEN schedule = '{}' THEN NULL ELSE schedule END FROM connections \
               WHERE workspace = ?1 AND state <> 'disabled'";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([workspace], |row| {
        Ok((row.get(0)?, row.get::<_, Option<Json<Schedule>>>(1)?.map(|json| json.0)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

// ---------------------------------------------------------------------------------------------------------- credentials

pub(super) fn put_credential(db: &Db, name: &str, sealed: &Sealed) -> Result<()> {
    data_keys::seals(db, &sealed.key_id)?;
    let sql = "INSERT INTO credentials (name, key_id, bytes) VALUES (?1, ?2, ?3) \
               ON CONFLICT (name) DO UPDATE SET key_id = ?2, bytes = ?3";
    db.prepare_cached(sql)?.execute(params![name, sealed.key_id.as_str(), sealed.bytes])?;
    Ok(())
}

pub(super) fn credential(db: &Db, name: &str) -> Result<Option<Sealed>> {
    let sql = "SELECT key_id, bytes FROM credentials WHERE name = ?1";
    let sealed = db.prepare_cached(sql)?.query_row([name], |row| {
        Ok(Sealed { key_id: KeyId::from_stored(row.get::<_, String>(0)?), bytes: row.get(1)? })
    });
    Ok(sealed.optional()?)
}

pub(super) fn remove_credential(db: &Db, name: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM credentials WHERE name = ?1")?.execute([name])?;
    Ok(())
}

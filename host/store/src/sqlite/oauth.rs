//! Grants of HighLevel's marketplace: one process at a time renews one, from the generation that it has read.

use jiff::Timestamp;
use rusqlite::{Connection as Db, OptionalExtension as _, Row, params};

use super::audit::Done;
use super::codec::{At, Json, Word, count, integer};
use super::{Result, audit, configuration};
use crate::error::StoreError;
use crate::model::{
    Actor, ConsentFlow, Consented, GrantId, GrantLease, GrantState, Installation, LeaseRequest, Leased,
    LocationId, NewPair, NotRenewed, OAuthGrant, WorkspaceId,
};

const GRANT: &str = "SELECT id, client, company, scopes, state, reason, generation, expires_at, renewed_at, attempts, \
                     next_attempt_at, fence, lease_owner, lease_until, created_at FROM oauth_grants";

fn grant_row(row: &Row<'_>) -> rusqlite::Result<OAuthGrant> {
    let fence = count(row.get(11)?);
    let (owner, until) = (row.get::<_, Option<String>>(12)?, row.get::<_, Option<At>>(13)?);
    Ok(OAuthGrant {
        id: GrantId::from_stored(row.get::<_, String>(0)?),
        client: row.get(1)?,
        company: row.get(2)?,
        scopes: row.get::<_, Json<_>>(3)?.0,
        state: row.get::<_, Word<_>>(4)?.0,
        reason: row.get(5)?,
        generation: count(row.get(6)?),
        expires_at: row.get::<_, At>(7)?.0,
        renewed_at: row.get::<_, At>(8)?.0,
        attempts: row.get(9)?,
        next_attempt_at: row.get::<_, At>(10)?.0,
        lease: owner.zip(until).map(|(owner, until)| GrantLease { owner, fence, until: until.0 }),
        created_at: row.get::<_, At>(14)?.0,
    })
}

pub(super) fn grant(db: &Db, id: &GrantId) -> Result<Option<OAuthGrant>> {
    let sql = format!("{GRANT} WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id.as_str()], grant_row).optional()?)
}

pub(super) fn grants(db: &Db) -> Result<Vec<OAuthGrant>> {
    let sql = format!("{GRANT} ORDER BY id");
    Ok(db.prepare_cached(&sql)?.query_map([], grant_row)?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn due(db: &Db, now: Timestamp, limit: u32) -> Result<Vec<OAuthGrant>> {
    let sql = format!(
        "{GRANT} WHERE next_attempt_at <= ?1 AND state <> 'needs-reconnect' \
         AND (lease_until IS NULL OR lease_until <= ?1) ORDER BY next_attempt_at LIMIT ?2"
    );
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_map(params![At(now), limit], grant_row)?.collect::<rusqlite::Result<_>>()?)
}

/// Stores what a person consented to. It takes the place of whatever was there, and of whatever is under way for that.
pub(super) fn consented(db: &Db, consented: &Consented) -> Result<OAuthGrant> {
    let Consented { id, client, company, pair } = consented;
    let sql = "INSERT INTO oauth_grants (id, client, company, scopes, state, generation, expires_at, renewed_at, attempts, \
                   next_attempt_at, fence, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, 0, ?8, 1, ?7) \
               ON CONFLICT (id) DO UPDATE SET client = ?2, company = coalesce(?3, company), scopes = ?4, state = ?5, \
                   reason = NULL, generation = generation + 1, expires_at = ?6, renewed_at = ?7, attempts = 0, \
                   next_attempt_at = ?8, fence = fence + 1, lease_owner = NULL, lease_until = NULL, unsettled = NULL";
    db.prepare_cached(sql)?.execute(params![
        id.as_str(),
        client,
        company,
        Json(&pair.scopes),
        Word(GrantState::Active),
        At(pair.expires_at),
        At(pair.at),
        At(pair.next_attempt_at),
    ])?;
    configuration::put_credential(db, &id.pair(), &pair.sealed)?;
    grant(db, id)?.ok_or_else(|| StoreError::not_found("grant", id))
}

/// Leave to renew a grant.
pub(super) fn lease(db: &Db, request: &LeaseRequest) -> Result<Leased> {
    let present = grant(db, &request.id)?.ok_or_else(|| StoreError::not_found("grant", &request.id))?;
    if present.generation != request.generation {
        return Ok(Leased::Renewed);
    }
    let ended = |owner: &str| request.ended.as_ref().is_some_and(|ended| owner.starts_with(ended.as_str()));
    if let Some(GrantLease { owner, until, .. }) = present.lease
        && until > request.now
        && !ended(&owner)
    {
        return Ok(Leased::Held { until });
    }
    let sql = "SELECT fence, unsettled FROM oauth_grants WHERE id = ?1";
    let (fence, unsettled) = db
        .prepare_cached(sql)?
        .query_row([request.id.as_str()], |row| Ok((count(row.get(0)?), row.get::<_, Option<i64>>(1)?)))?;
    let fence = fence + 1;
    let sql = "UPDATE oauth_grants SET fence = ?2, lease_owner = ?3, lease_until = ?4, unsettled = ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        request.id.as_str(),
        integer(fence),
        request.owner,
        At(request.until)
    ])?;
    // Its predecessor's letter may still lie there: what opens it goes only with its outcome.
    if unsettled.is_none() {
        configuration::put_credential(db, &request.id.courier(), &request.courier)?;
    }
    Ok(Leased::Granted { fence, before: unsettled.map(count) })
}

/// Stores the next pair, if the lease is still the one under which it was fetched.
pub(super) fn renew(
    db: &Db,
    id: &GrantId,
    (generation, fence): (u64, u64),
    pair: &NewPair,
    now: Timestamp,
) -> Result<bool> {
    let before = grant(db, id)?;
    let sql = "UPDATE oauth_grants SET scopes = ?4, state = ?5, reason = NULL, generation = generation + 1, expires_at = ?6, \
                   renewed_at = ?7, attempts = 0, next_attempt_at = ?8, lease_owner = NULL, lease_until = NULL, \
                   unsettled = NULL \
               WHERE id = ?1 AND generation = ?2 AND fence = ?3";
    let changed = db.prepare_cached(sql)?.execute(params![
        id.as_str(),
        integer(generation),
        integer(fence),
        Json(&pair.scopes),
        Word(GrantState::Active),
        At(pair.expires_at),
        At(pair.at),
        At(pair.next_attempt_at),
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    configuration::put_credential(db, &id.pair(), &pair.sealed)?;
    configuration::remove_credential(db, &id.courier())?;
    note_state(db, before, GrantState::Active, now)?;
    Ok(true)
}

/// Notes that an attempt brought no pair, and gives the lease back.
pub(super) fn not_renewed(db: &Db, ended: &NotRenewed, now: Timestamp) -> Result<bool> {
    let before = grant(db, &ended.id)?;
    let sql = "UPDATE oauth_grants SET state = ?4, reason = ?5, attempts = attempts + 1, next_attempt_at = ?6, \
                   lease_owner = NULL, lease_until = NULL, unsettled = CASE WHEN ?7 THEN unsettled END \
               WHERE id = ?1 AND generation = ?2 AND fence = ?3";
    let changed = db.prepare_cached(sql)?.execute(params![
        ended.id.as_str(),
        integer(ended.generation),
        integer(ended.fence),
        Word(ended.state),
        ended.reason,
        At(ended.next_attempt_at),
        ended.unread,
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    if !ended.unread {
        configuration::remove_credential(db, &ended.id.courier())?;
    }
    note_state(db, before, ended.state, now)?;
    Ok(true)
}

/// Puts on record that a grant opens nothing any more, or is not so any more. An attempt that failed and is made again within minutes is
/// none of that: an outage would fill the log.
fn note_state(db: &Db, before: Option<OAuthGrant>, after: GrantState, now: Timestamp) -> Result<()> {
    let is_shut = |state: GrantState| matches!(state, GrantState::Paused | GrantState::NeedsReconnect);
    let Some(OAuthGrant { id, state, .. }) = before else { return Ok(()) };
    if state == after || !(is_shut(state) || is_shut(after)) {
        return Ok(());
    }
    let workspace = match id.as_location() {
        Some(location) => bound_to(db, &location)?,
        None => None,
    };
    let done = Done {
        actor: Actor::Host,
        workspace,
        action: "oauth.renew",
        target: format!("grant={id}"),
        detail: format!("state={} before={}", Word(after).text(), Word(state).text()),
    };
    audit::note(db, done, now)
}

/// The workspace of a location.
fn bound_to(db: &Db, location: &LocationId) -> Result<Option<WorkspaceId>> {
    Ok(configuration::workspace_of(db, location)?.map(|workspace| workspace.id))
}

/// Brings a grant's turn forward, whatever its state: somebody has reason to think that it changed.
pub(super) fn try_now(db: &Db, id: &GrantId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE oauth_grants SET next_attempt_at = min(next_attempt_at, ?2) WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id.as_str(), At(now)])?;
    Ok(())
}

pub(super) fn begin_consent(db: &Db, flow: &ConsentFlow, now: Timestamp) -> Result<()> {
    db.prepare_cached("DELETE FROM consent_flows WHERE expires_at <= ?1")?.execute([At(now)])?;
    let workspace = flow.workspace.as_ref().map(|id| configuration::workspace_pk(db, id)).transpose()?;
    let sql = "INSERT INTO consent_flows (state, workspace, begun_by, expires_at) VALUES (?1, ?2, ?3, ?4)";
    let row = params![flow.state, workspace, flow.begun_by.as_str(), At(flow.expires_at)];
    db.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Takes a consent that was begun; it can be taken once.
pub(super) fn end_consent(db: &Db, state: &str, now: Timestamp) -> Result<Option<ConsentFlow>> {
    let sql = "SELECT w.id, f.expires_at, f.begun_by FROM consent_flows f LEFT JOIN workspaces w ON w.pk = f.workspace \
               WHERE f.state = ?1";
    let found = db
        .prepare_cached(sql)?
        .query_row([state], |row| {
            Ok(ConsentFlow {
                state: state.to_owned(),
                workspace: row.get(0)?,
                begun_by: Actor::from(row.get::<_, String>(2)?),
                expires_at: row.get::<_, At>(1)?.0,
            })
        })
        .optional()?;
    db.prepare_cached("DELETE FROM consent_flows WHERE state = ?1")?.execute([state])?;
    Ok(found.filter(|flow| flow.expires_at > now))
}

/// Notes what the vendor told of locations. Answers those of which it is news, and puts these on record.
pub(super) fn put_installations(db: &Db, told: &[Installation], now: Timestamp) -> Result<Vec<LocationId>> {
    let sql = "INSERT INTO installations (location, company, name, installed, told_at) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (location) DO UPDATE SET company = coalesce(?2, company), name = coalesce(?3, name), \
                   installed = ?4, told_at = ?5 \
               WHERE told_at <= ?5 RETURNING location";
    let mut news = Vec::new();
    for one in told {
        let before = installed(db, &one.location)?;
        let mut statement = db.prepare_cached(sql)?;
        let row = params![one.location, one.company, one.name, one.installed, At(one.told_at)];
        let written = statement.query_row(row, |row| row.get::<_, LocationId>(0)).optional()?;
        if written.is_some() && before != Some(one.installed) {
            news.push(one);
        }
    }
    note_installations(db, &news, now)?;
    Ok(news.into_iter().map(|one| one.location.clone()).collect())
}

/// Each location of a workspace by itself, for its admins. An agency may have thousands of others: those are one entry.
fn note_installations(db: &Db, news: &[&Installation], now: Timestamp) -> Result<()> {
    let note = |installed: bool, workspace: Option<WorkspaceId>, target: String| {
        let action = if installed { "oauth.installed" } else { "oauth.uninstalled" };
        let done = Done { actor: Actor::Host, workspace, action, target, detail: String::new() };
        audit::note(db, done, now)
    };
    for installed in [true, false] {
        let mut others = Vec::new();
        for one in news.iter().filter(|one| one.installed == installed) {
            let target = format!("location={}", one.location);
            match bound_to(db, &one.location)? {
                Some(workspace) => note(installed, Some(workspace), target)?,
                None => others.push(target),
            }
        }
        match &others[..] {
            [] => {}
            [one] => note(installed, None, one.clone())?,
            more => note(installed, None, format!("locations={}", more.len()))?,
        }
    }
    Ok(())
}

fn installed(db: &Db, location: &LocationId) -> Result<Option<bool>> {
    let sql = "SELECT installed FROM installations WHERE location = ?1";
    Ok(db.prepare_cached(sql)?.query_row([location], |row| row.get(0)).optional()?)
}

pub(super) fn installations(db: &Db) -> Result<Vec<Installation>> {
    let sql = "SELECT location, company, name, installed, told_at FROM installations ORDER BY location";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Installation {
            location: row.get(0)?,
            company: row.get(1)?,
            name: row.get(2)?,
            installed: row.get(3)?,
            told_at: row.get::<_, At>(4)?.0,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

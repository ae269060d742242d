//! Identities of users at providers, and sessions.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Result;
use super::codec::{At, is_taken};
use super::people;
use crate::error::StoreError;
use crate::model::{Identity, LoggedIn, SecretHash, Session, SessionId, UserId};

pub(super) fn identified(db: &Connection, identity: &Identity) -> Result<Option<UserId>> {
    let sql =
        "SELECT u.id FROM identities i JOIN users u ON u.pk = i.user WHERE i.issuer = ?1 AND i.subject = ?2";
    let found = db.prepare_cached(sql)?.query_row([&identity.issuer, &identity.subject], |row| row.get(0));
    Ok(found.optional()?)
}

pub(super) fn bind_identity(
    db: &Connection,
    identity: &Identity,
    user: &UserId,
    now: Timestamp,
) -> Result<()> {
    let pk = people::user_pk(db, user)?;
    let sql = "INSERT INTO identities (issuer, subject, user, bound_at) VALUES (?1, ?2, ?3, ?4)";
    match db.prepare_cached(sql)?.execute(params![identity.issuer, identity.subject, pk, At(now)]) {
        Err(error) if is_taken(&error) => Err(StoreError::conflict(
            format!("an identity of the user `{user}`"),
            "another user with it, or another identity of the user",
        )),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Forgets who a user is at providers, and ends the sessions that began by that.
pub(super) fn unbind_identities(db: &Connection, user: &UserId) -> Result<bool> {
    let pk = people::user_pk(db, user)?;
    end_sessions_of(db, pk)?;
    Ok(db.prepare_cached("DELETE FROM identities WHERE user = ?1")?.execute([pk])? > 0)
}

pub(super) fn end_sessions_of(db: &Connection, user: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM sessions WHERE user = ?1")?.execute([user])?;
    Ok(())
}

/// Begins a session; the oldest of the user end beyond so many, and so do all whose time is over.
pub(super) fn begin_session(db: &Connection, session: &Session, most: u32) -> Result<()> {
    db.prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1")?.execute([At(session.created_at)])?;
    // Somebody who was switched off since the login was let in does not come back with it.
    let sql = "INSERT INTO sessions (id, user, hash, created_at, used_at, expires_at) \
               SELECT ?1, pk, ?3, ?4, ?5, ?6 FROM users WHERE id = ?2 AND NOT disabled";
    let begun = db.prepare_cached(sql)?.execute(params![
        session.id,
        session.user,
        session.hash.0,
        At(session.created_at),
        At(session.used_at),
        At(session.expires_at),
    ])?;
    if begun == 0 {
        return Err(StoreError::not_found("user", &session.user));
    }
    let pk = people::user_pk(db, &session.user)?;
    let sql = "DELETE FROM sessions WHERE user = ?1 AND pk NOT IN \
               (SELECT pk FROM sessions WHERE user = ?1 ORDER BY pk DESC LIMIT ?2)";
    db.prepare_cached(sql)?.execute(params![pk, most])?;
    Ok(())
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        user: row.get(1)?,
        hash: SecretHash(row.get(2)?),
        created_at: row.get::<_, At>(3)?.0,
        used_at: row.get::<_, At>(4)?.0,
        expires_at: row.get::<_, At>(5)?.0,
    })
}

pub(super) fn logged_in(db: &Connection, id: &SessionId) -> Result<Option<LoggedIn>> {
    let sql = "SELECT s.id, u.id, s.hash, s.created_at, s.used_at, s.expires_at \
               FROM sessions s JOIN users u ON u.pk = s.user WHERE s.id = ?1";
    let found = db.prepare_cached(sql)?.query_row([id], session_row).optional()?;
    let Some(session) = found else { return Ok(None) };
    let Some(user) = people::user(db, &session.user)? else { return Ok(None) };
    let members = people::members_of(db, &user.id)?;
    Ok(Some(LoggedIn { session, user, members }))
}

pub(super) fn touch_session(db: &Connection, id: &SessionId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE sessions SET used_at = ?2 WHERE id = ?1 AND used_at < ?2";
    db.prepare_cached(sql)?.execute(params![id, At(now)])?;
    Ok(())
}

pub(super) fn end_session(db: &Connection, id: &SessionId) -> Result<bool> {
    Ok(db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id])? > 0)
}

//! Users, their roles in workspaces, and their tokens.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Result;
use super::codec::{At, Json, Word, is_taken};
use super::configuration::workspace_pk;
use super::logins;
use crate::error::StoreError;
use crate::model::{Bearer, Member, Role, SecretHash, Token, TokenId, User, UserChange, UserId, WorkspaceId};

// ---------------------------------------------------------------------------------------------------------------- users

const USER: &str = "SELECT id, name, email, platform_admin, disabled, created_at FROM users";

fn user_row(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        platform_admin: row.get(3)?,
        disabled: row.get(4)?,
        created_at: row.get::<_, At>(5)?.0,
    })
}

pub(super) fn create_user(db: &Connection, user: &User) -> Result<()> {
    let sql = "INSERT INTO users (id, name, email, platform_admin, disabled, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let written = db.prepare_cached(sql)?.execute(params![
        user.id,
        user.name,
        user.email,
        user.platform_admin,
        user.disabled,
        At(user.created_at)
    ]);
    match written {
        Err(error) if is_taken(&error) => {
            Err(StoreError::conflict(format!("user `{}`", user.id), "a user of the same id"))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

pub(super) fn update_user(db: &Connection, id: &UserId, change: UserChange) -> Result<()> {
    let sql = "UPDATE users SET platform_admin = coalesce(?2, platform_admin), disabled = coalesce(?3, disabled) WHERE id = ?1";
    let changed = db.prepare_cached(sql)?.execute(params![id, change.platform_admin, change.disabled])?;
    if changed == 0 {
        return Err(StoreError::not_found("user", id));
    }
    // Whoever is switched on again logs in again.
    if change.disabled == Some(true) { logins::end_sessions_of(db, user_pk(db, id)?) } else { Ok(()) }
}

pub(super) fn user(db: &Connection, id: &UserId) -> Result<Option<User>> {
    let sql = format!("{USER} WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], user_row).optional()?)
}

pub(super) fn users(db: &Connection) -> Result<Vec<User>> {
    let sql = format!("{USER} ORDER BY id");
    Ok(db.prepare_cached(&sql)?.query_map([], user_row)?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn user_pk(db: &Connection, id: &UserId) -> Result<i64> {
    let pk = db.prepare_cached("SELECT pk FROM users WHERE id = ?1")?.query_row([id], |row| row.get(0));
    pk.optional()?.ok_or_else(|| StoreError::not_found("user", id))
}

// -------------------------------------------------------------------------------------------------------------- members

const MEMBER: &str = "SELECT w.id, u.id, m.role FROM members m \
                      JOIN workspaces w ON w.pk = m.workspace JOIN users u ON u.pk = m.user";

fn member_row(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member { workspace: row.get(0)?, user: row.get(1)?, role: row.get::<_, Word<_>>(2)?.0 })
}

pub(super) fn put_member(db: &Connection, member: &Member) -> Result<()> {
    if member.role == Role::PlatformAdmin {
        return Err(StoreError::Invalid("nobody is a platform admin of one workspace".to_owned()));
    }
    let (workspace, user) = (workspace_pk(db, &member.workspace)?, user_pk(db, &member.user)?);
    let sql = "INSERT INTO members (workspace, user, role) VALUES (?1, ?2, ?3) \
               ON CONFLICT (workspace, user) DO UPDATE SET role = ?3";
    db.prepare_cached(sql)?.execute(params![workspace, user, Word(member.role)])?;
    Ok(())
}

pub(super) fn remove_member(db: &Connection, workspace: &WorkspaceId, user: &UserId) -> Result<bool> {
    let workspace = workspace_pk(db, workspace)?;
    let sql = "DELETE FROM members WHERE workspace = ?1 AND user = (SELECT pk FROM users WHERE id = ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![workspace, user])? > 0)
}

/// The users of a workspace, by id.
pub(super) fn members(db: &Connection, workspace: &WorkspaceId) -> Result<Vec<(User, Role)>> {
    let sql = "SELECT u.id, u.name, u.email, u.platform_admin, u.disabled, u.created_at, m.role \
               FROM members m JOIN users u ON u.pk = m.user WHERE m.workspace = ?1 ORDER BY u.id";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement
        .query_map([workspace_pk(db, workspace)?], |row| Ok((user_row(row)?, row.get::<_, Word<_>>(6)?.0)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The roles of a user, by workspace.
pub(super) fn members_of(db: &Connection, user: &UserId) -> Result<Vec<Member>> {
    let sql = format!("{MEMBER} WHERE m.user = (SELECT pk FROM users WHERE id = ?1) ORDER BY w.id");
    Ok(db.prepare_cached(&sql)?.query_map([user], member_row)?.collect::<rusqlite::Result<_>>()?)
}

// --------------------------------------------------------------------------------------------------------------- tokens

const TOKEN: &str = "SELECT t.id, u.id, t.name, t.hash, t.role, t.workspaces, m.id, t.created_at, t.expires_at, t.used_at, \
                     t.revoked_at \
                     FROM tokens t JOIN users u ON u.pk = t.user LEFT JOIN tokens m ON m.pk = t.made_with";

fn token_row(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        user: row.get(1)?,
        name: row.get(2)?,
        hash: SecretHash(row.get(3)?),
        role: row.get::<_, Option<Word<_>>>(4)?.map(|word| word.0),
        workspaces: row.get::<_, Option<Json<_>>>(5)?.map(|json| json.0),
        made_with: row.get(6)?,
        created_at: row.get::<_, At>(7)?.0,
        expires_at: row.get::<_, At>(8)?.0,
        used_at: row.get::<_, Option<At>>(9)?.map(|at| at.0),
        revoked_at: row.get::<_, Option<At>>(10)?.map(|at| at.0),
    })
}

pub(super) fn create_token(db: &Connection, token: &Token) -> Result<()> {
    let user = user_pk(db, &token.user)?;
    let made_with = match &token.made_with {
        None => None,
        Some(id) => Some(standing(db, id)?),
    };
    let sql = "INSERT INTO tokens (id, user, name, hash, role, workspaces, made_with, created_at, expires_at, used_at, revoked_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let written = db.prepare_cached(sql)?.execute(params![
        token.id,
        user,
        token.name,
        token.hash.0,
        token.role.map(Word),
        token.workspaces.as_ref().map(Json),
        made_with,
        At(token.created_at),
        At(token.expires_at),
        token.used_at.map(At),
        token.revoked_at.map(At),
    ]);
    match written {
        Err(error) if is_taken(&error) => {
            Err(StoreError::conflict(format!("token {}", token.id), "a token of the same id"))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// The row key of a token that may make others: one that was revoked meanwhile would leave a successor that nothing ends.
fn standing(db: &Connection, id: &TokenId) -> Result<i64> {
    let sql = "SELECT pk FROM tokens WHERE id = ?1 AND revoked_at IS NULL";
    let pk = db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
    pk.ok_or_else(|| StoreError::not_found("token", id))
}

/// Tokens of a user, or all, the newest first.
pub(super) fn tokens(db: &Connection, user: Option<&UserId>) -> Result<Vec<Token>> {
    let sql = format!("{TOKEN} WHERE ?1 IS NULL OR u.id = ?1 ORDER BY t.pk DESC");
    Ok(db.prepare_cached(&sql)?.query_map([user], token_row)?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn token(db: &Connection, id: &TokenId) -> Result<Option<Token>> {
    let sql = format!("{TOKEN} WHERE t.id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], token_row).optional()?)
}

/// Revokes a token and those that were made with it, and with those.
pub(super) fn revoke_token(db: &Connection, id: &TokenId, now: Timestamp) -> Result<u64> {
    let sql = "WITH RECURSIVE ended (pk) AS (\
                   SELECT pk FROM tokens WHERE id = ?1 \
                   UNION SELECT tokens.pk FROM tokens JOIN ended ON tokens.made_with = ended.pk) \
               UPDATE tokens SET revoked_at = ?2 WHERE pk IN (SELECT pk FROM ended) AND revoked_at IS NULL";
    Ok(db.prepare_cached(sql)?.execute(params![id, At(now)])? as u64)
}

pub(super) fn touch_token(db: &Connection, id: &TokenId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE tokens SET used_at = ?2 WHERE id = ?1 AND (used_at IS NULL OR used_at < ?2)";
    db.prepare_cached(sql)?.execute(params![id, At(now)])?;
    Ok(())
}

pub(super) fn bearer(db: &Connection, id: &TokenId) -> Result<Option<Bearer>> {
    let Some(token) = token(db, id)? else { return Ok(None) };
    let Some(user) = user(db, &token.user)? else { return Ok(None) };
    let members = members_of(db, &user.id)?;
    Ok(Some(Bearer { token, user, members }))
}

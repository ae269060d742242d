//! Tokens of users: made, listed, revoked.

use std::collections::BTreeSet;

use contactor_store::{Role, StoreError, Token, TokenId, UserId, WorkspaceId};
use jiff::SignedDuration;
use secrecy::SecretString;

use super::people::line;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::people::{Caller, Narrowed, TOKEN, fresh};

/// Days for which a token may count.
pub const TOKEN_DAYS: std::ops::RangeInclusive<u32> = 1..=366;
/// Days for which it counts unless somebody says otherwise.
const DAYS: u32 = 90;
/// Tokens of one user that count at the same time: more are forgotten ones.
const AT_ONCE: usize = 50;

/// A token to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewToken {
    /// Whose it is to be; that of whoever asks if absent.
    pub user: Option<String>,
    /// What it is for.
    pub name: Option<String>,
    /// Narrows the user to at most this role.
    pub role: Option<Role>,
    /// Narrows the user to these workspaces.
    pub workspaces: Option<BTreeSet<WorkspaceId>>,
    /// How long it counts.
    pub days: Option<u32>,
}

/// A token that was made, with what only its user is told, and only once.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// What to show.
    pub shown: SecretString,
}

impl Engine {
    /// Makes a token. A platform admin makes them for everybody; everybody else for oneself, and no wider than the token that it is asked
    /// with, with which it ends.
    ///
    /// # Errors
    /// No such user or workspace; it would be wider; the days are out of range; or the user has many.
    pub async fn issue_token(&self, caller: &Caller, new: NewToken) -> Result<IssuedToken, EngineError> {
        let user = match (new.user, caller.user()) {
            (Some(user), _) => UserId::new(user),
            (None, Some(own)) => own.clone(),
            (None, None) => {
                let why = "the host's admin token belongs to no user: say for whom the token is (`--user`)";
                return Err(EngineError::Invalid(why.to_owned()));
            }
        };
        let is_own = caller.user() == Some(&user);
        if !is_own && !caller.rights.is_platform_admin() {
            return Err(EngineError::Forbidden(
                "only a platform admin makes tokens for others; without a user it is for you".to_owned(),
            ));
        }
        let found = self.store().user(&user).await?.ok_or_else(|| EngineError::no_user(&user))?;
        if found.disabled {
            return Err(EngineError::Conflict(format!(
                "the user `{user}` is disabled; `contactor user enable {user}` first"
            )));
        }
        let days = new.days.unwrap_or(DAYS);
        if !TOKEN_DAYS.contains(&days) {
            let (least, most) = (TOKEN_DAYS.start(), TOKEN_DAYS.end());
            return Err(EngineError::Invalid(format!("a token of {days} days: expected {least} to {most}")));
        }
        for workspace in new.workspaces.iter().flatten() {
            self.seen_by(caller, workspace).await?;
        }
        let scope = if is_own {
            inherited(&caller.narrowed, Narrowed { role: new.role, workspaces: new.workspaces })?
        } else {
            Narrowed { role: new.role, workspaces: new.workspaces }
        };
        let now = self.now();
        let counting = self.store().tokens(Some(&user)).await?;
        let counting = counting.iter().filter(|token| token.revoked_at.is_none() && token.expires_at > now);
        if counting.count() >= AT_ONCE {
            return Err(EngineError::Conflict(format!(
                "{user} has {AT_ONCE} tokens that count; `contactor token list` shows them, `contactor token revoke` ends one"
            )));
        }
        let made_with = if is_own { caller.token.clone() } else { None };
        // What one token makes does not outlive it.
        let latest = match &made_with {
            Some(maker) => self.store().token(maker).await?.map(|maker| maker.expires_at),
            None => None,
        };
        let asked = now + SignedDuration::from_hours(24 * i64::from(days));
        let (id, hash, shown) = fresh(TOKEN);
        let token = Token {
            id: TokenId::new(id),
            user,
            name: new.name.as_deref().map_or(Ok(String::new()), |name| line("name", name))?,
            hash,
            role: scope.role,
            workspaces: scope.workspaces,
            made_with,
            created_at: now,
            expires_at: latest.map_or(asked, |latest| asked.min(latest)),
            used_at: None,
            revoked_at: None,
        };
        match self.store().create_token(token.clone()).await {
            // The token that it is made with was revoked since the request was let in.
            Err(StoreError::NotFound { what: "token", .. }) => {
                Err(EngineError::Forbidden("your token was just revoked; nothing was made".to_owned()))
            }
            made => {
                made?;
                Ok(IssuedToken { token, shown })
            }
        }
    }

    /// The tokens of whoever asks; of a platform admin those of a user, or all.
    ///
    /// # Errors
    /// No such user; or it is another one and whoever asks is no platform admin.
    pub async fn tokens_for(&self, caller: &Caller, user: Option<UserId>) -> Result<Vec<Token>, EngineError> {
        if !caller.rights.is_platform_admin() {
            let own = caller.user();
            if user.is_some() && user.as_ref() != own {
                return Err(EngineError::Forbidden(
                    "only a platform admin sees the tokens of others".to_owned(),
                ));
            }
            return match own {
                Some(own) => Ok(self.store().tokens(Some(own)).await?),
                None => Ok(Vec::new()),
            };
        }
        if let Some(user) = &user
            && self.store().user(user).await?.is_none()
        {
            return Err(EngineError::no_user(user));
        }
        Ok(self.store().tokens(user.as_ref()).await?)
    }

    /// One token.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn token(&self, id: &TokenId) -> Result<Option<Token>, EngineError> {
        Ok(self.store().token(id).await?)
    }

    /// Revokes a token and whatever was made with it; answers how many that are.
    ///
    /// # Errors
    /// No such token, or none of whoever asks.
    pub async fn revoke_token(&self, caller: &Caller, id: &TokenId) -> Result<u64, EngineError> {
        let found = self.store().token(id).await?;
        let may = |token: &Token| caller.rights.is_platform_admin() || caller.user() == Some(&token.user);
        if !found.as_ref().is_some_and(may) {
            return Err(EngineError::no_token(id));
        }
        Ok(self.store().revoke_token(id).await?)
    }
}

/// What is asked for within what whoever asks has; what is not said is as narrow as that.
fn inherited(mine: &Narrowed, asked: Narrowed) -> Result<Narrowed, EngineError> {
    let scope = Narrowed {
        role: asked.role.or(mine.role),
        workspaces: asked.workspaces.or_else(|| mine.workspaces.clone()),
    };
    if mine.holds(&scope) {
        return Ok(scope);
    }
    Err(EngineError::Forbidden(
        "your own token is narrower: what is made with it may not be wider (`contactor whoami` shows it)"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(role: Option<Role>, workspaces: Option<&[&str]>) -> Narrowed {
        let workspaces = workspaces.map(|ids| ids.iter().map(|id| WorkspaceId::new(*id)).collect());
        Narrowed { role, workspaces }
    }

    #[test]
    fn a_token_passes_on_what_it_is_narrowed_to_and_nothing_wider() {
        let mine = narrowed(Some(Role::Author), Some(&["a", "b"]));
        assert_eq!(inherited(&mine, Narrowed::default()).unwrap(), mine);
        let less = narrowed(Some(Role::Viewer), Some(&["a"]));
        assert_eq!(inherited(&mine, less.clone()).unwrap(), less);
        for wider in [narrowed(Some(Role::WorkspaceAdmin), None), narrowed(None, Some(&["a", "c"]))] {
            assert!(matches!(inherited(&mine, wider), Err(EngineError::Forbidden(_))));
        }
        assert_eq!(inherited(&Narrowed::default(), mine.clone()).unwrap(), mine);
    }
}

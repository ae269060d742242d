//! Users, and what they may do where.

use contactor_store::{Actor, Member, Role, StoreError, User, UserChange, UserId, WorkspaceId};

use super::check_id;
use crate::engine::Engine;
use crate::error::EngineError;

/// Characters of a name, and of an address.
const LONGEST: usize = 200;

/// A user to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// A short name: 1 to 63 lower-case letters, digits and hyphens.
    pub id: String,
    /// A name for people; the id if absent.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// May do everything, everywhere.
    pub platform_admin: bool,
}

/// A user with the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// The user.
    pub user: User,
    /// The roles, by workspace.
    pub members: Vec<Member>,
}

impl Engine {
    /// Makes a user, who may do nothing yet unless as a platform admin.
    ///
    /// # Errors
    /// The id is taken, or a value is not allowed.
    pub async fn create_user(&self, new: NewUser) -> Result<UserView, EngineError> {
        check_id("user", &new.id)?;
        if Actor::is_taken(&new.id) {
            return Err(EngineError::Invalid(format!(
                "user id `{}`: the audit log calls somebody else so",
                new.id
            )));
        }
        let name = match new.name {
            Some(name) => line("name", &name)?,
            None => new.id.clone(),
        };
        let user = User {
            id: UserId::new(new.id),
            name,
            email: new.email.map(|email| address(&email)).transpose()?,
            platform_admin: new.platform_admin,
            disabled: false,
            created_at: self.now(),
        };
        match self.store().create_user(user.clone()).await {
            Ok(()) => Ok(UserView { user, members: Vec::new() }),
            Err(StoreError::Conflict { .. }) => {
                Err(EngineError::Conflict(format!("the user `{}` exists", user.id)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All users, with their roles.
    pub async fn users(&self) -> Result<Vec<UserView>, EngineError> {
        let mut views = Vec::new();
        for user in self.store().users().await? {
            let members = self.store().members_of(&user.id).await?;
            views.push(UserView { user, members });
        }
        Ok(views)
    }

    /// One user.
    ///
    /// # Errors
    /// No such user.
    pub async fn user(&self, id: &UserId) -> Result<UserView, EngineError> {
        let user = self.store().user(id).await?.ok_or_else(|| EngineError::no_user(id))?;
        let members = self.store().members_of(id).await?;
        Ok(UserView { user, members })
    }

    /// Switches a user off or on, or makes one a platform admin. It counts from the next request on.
    ///
    /// # Errors
    /// No such user.
    pub async fn change_user(&self, id: &UserId, change: UserChange) -> Result<UserView, EngineError> {
        match self.store().update_user(id, change).await {
            Err(StoreError::NotFound { .. }) => Err(EngineError::no_user(id)),
            changed => {
                changed?;
                self.user(id).await
            }
        }
    }

    /// The users of a workspace, with their roles there.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<(User, Role)>, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().members(workspace).await?)
    }

    /// Gives a user a role in a workspace, in the place of the one that the user has there.
    ///
    /// # Errors
    /// No such workspace or user; or the role is that of a platform admin.
    pub async fn put_member(&self, member: Member) -> Result<(User, Role), EngineError> {
        self.workspace(&member.workspace).await?;
        let user = self.store().user(&member.user).await?;
        let user = user.ok_or_else(|| EngineError::no_user(&member.user))?;
        if member.role == Role::PlatformAdmin {
            return Err(EngineError::Invalid(
                "nobody is a platform admin of one workspace: the greatest role there is workspace-admin"
                    .to_owned(),
            ));
        }
        let role = member.role;
        self.store().put_member(member).await?;
        Ok((user, role))
    }

    /// Takes a user's role in a workspace away.
    ///
    /// # Errors
    /// No such workspace, or the user has no role there.
    pub async fn remove_member(&self, workspace: &WorkspaceId, user: &UserId) -> Result<(), EngineError> {
        self.workspace(workspace).await?;
        if self.store().remove_member(workspace, user).await? {
            return Ok(());
        }
        Err(EngineError::NotFound {
            what: "member",
            id: user.to_string(),
            hint: format!("; `contactor user list --workspace {workspace}` shows those there are"),
        })
    }
}

/// A text that stands on one line.
pub(super) fn line(what: &str, text: &str) -> Result<String, EngineError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(EngineError::Invalid(format!(
            "the {what}: expected 1 to {LONGEST} characters on one line"
        )));
    }
    Ok(text.to_owned())
}

fn address(text: &str) -> Result<String, EngineError> {
    let text = line("email address", text)?;
    let is_one = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !host.contains('@') && !text.contains(char::is_whitespace)
    });
    if is_one {
        return Ok(text.to_lowercase());
    }
    Err(EngineError::Invalid("the email address: expected one such as bob@example.com".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lower_case_and_whole() {
        assert_eq!(address(" Bob@Example.com ").unwrap(), "bob@example.com");
        for wrong in ["", "bob", "bob@", "@example.com", "bob@example", "a b@example.com", "a@b@c.d"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        assert!(line("name", "two\nlines").is_err() && line("name", &"x".repeat(201)).is_err());
    }
}

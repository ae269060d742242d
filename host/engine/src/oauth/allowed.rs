//! What the consent allows that opens a workspace's location.

use contactor_highlevel::oauth::AGENCY_SCOPES;
use contactor_store::{GrantId, GrantState, LocationId, OAuthGrant, Workspace};

use super::{OAuth, lock};
use crate::engine::Engine;
use crate::error::EngineError;

/// What a consent allows in one location.
pub(crate) struct Allowed {
    /// The location's own, or its agency's.
    pub(crate) grant: GrantId,
    /// The scopes that it brought.
    pub(crate) scopes: Vec<String>,
}

impl Engine {
    /// What the consent allows that opens a workspace's location. None when nobody consented, when a private token opens it, of which
    /// HighLevel does not tell what it allows, or when HighLevel did not say.
    pub(crate) async fn allowed(&self, workspace: &Workspace) -> Result<Option<Allowed>, EngineError> {
        let Ok(oauth) = self.oauth() else { return Ok(None) };
        // In the order in which a token is looked for.
        let own = self.store().grant(&GrantId::location(&workspace.location)).await?;
        let is_lost = own.as_ref().is_none_or(|grant| grant.state == GrantState::NeedsReconnect);
        if is_lost && self.store().credential(workspace.id.as_str()).await?.is_some() {
            return Ok(None);
        }
        let agency = if is_lost { self.agency_of(&workspace.location).await? } else { None };
        let allowed = agency.or(own).map(|OAuthGrant { id: grant, scopes, .. }| {
            let made = if grant.as_company().is_some() { oauth.made_with(&workspace.location) } else { None };
            Allowed { grant, scopes: in_location(scopes, made) }
        });
        Ok(allowed.filter(|allowed| !allowed.scopes.is_empty()))
    }

    /// The grant of a location's agency. Of several it is not guessed whose the location is.
    async fn agency_of(&self, location: &LocationId) -> Result<Option<OAuthGrant>, EngineError> {
        let mut agencies = self.store().grants().await?;
        agencies.retain(|grant| grant.id.as_company().is_some());
        if agencies.len() > 1 {
            let told = self.store().installations().await?;
            let company = told.into_iter().find(|one| one.location == *location).and_then(|one| one.company);
            agencies.retain(|grant| grant.id.as_company() == company.as_deref());
        }
        Ok(agencies.pop())
    }
}

impl OAuth {
    /// What the token allows that was made from an agency's grant for a location; none when there is none, or HighLevel did not say.
    fn made_with(&self, location: &LocationId) -> Option<Vec<String>> {
        lock(&self.derived).get(location).map(|made| made.scopes.clone()).filter(|scopes| !scopes.is_empty())
    }
}

/// What a grant allows in a location. What HighLevel says of the location's token is nearer to it than what it says of the agency's, but
/// for what only the agency's is good for.
fn in_location(granted: Vec<String>, made: Option<Vec<String>>) -> Vec<String> {
    let Some(mut scopes) = made else { return granted };
    scopes.extend(granted.into_iter().filter(|scope| AGENCY_SCOPES.contains(&scope.as_str())));
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_locations_token_counts_before_what_is_said_of_the_agencys() {
        let scopes = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let granted = scopes(&["contacts.readonly", "contacts.write", "oauth.write"]);
        assert_eq!(in_location(granted.clone(), None), granted);
        let made = scopes(&["contacts.readonly"]);
        assert_eq!(in_location(granted, Some(made)), ["contacts.readonly", "oauth.write"]);
    }
}

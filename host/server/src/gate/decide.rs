//! Whether the rule of a route lets a caller pass, and of which workspace the request is.

use axum::extract::{Query, RawPathParams};
use contactor_engine::{Caller, EngineError};
use contactor_store::{Role, RunId, WorkspaceId};
use http::Uri;
use serde::Deserialize;

use super::refusal::Refusal;
use super::rules::{Needs, Rule, word};
use crate::app::App;
use crate::error::ApiError;

/// The workspace of the request, once its rule lets it pass.
pub(super) async fn decide(
    app: &App,
    caller: &Caller,
    rule: &Rule,
    params: &RawPathParams,
    uri: &Uri,
) -> Result<Option<WorkspaceId>, Refusal> {
    let rights = &caller.rights;
    let platform = |passes: bool, needs: &str| {
        if passes { Ok(None) } else { Err(Refusal::forbidden(caller, rule, needs)) }
    };
    match rule.needs {
        Needs::Anyone => Ok(None),
        Needs::Platform => platform(rights.is_platform_admin(), "the role platform-admin"),
        Needs::Installing => platform(rights.installs(), "the role author or platform-admin"),
        Needs::Somewhere(role) => {
            platform(rights.holds(role), &format!("the role {} in a workspace", word(role)))
        }
        Needs::Workspace(role) => within(caller, rule, WorkspaceId::new(part(params, "workspace")), role),
        Needs::Queried(role) => match queried(uri)? {
            Some(workspace) => within(caller, rule, workspace, role),
            None => Ok(None),
        },
        Needs::Run(role) => {
            let run = RunId::new(part(params, "run"));
            let unknown = |why| Refusal { error: EngineError::no_run(&run).into(), why };
            let found = app.engine.workspace_of_run(&run).await.map_err(Refusal::failed)?;
            let workspace = found.ok_or_else(|| unknown("there is no such run".to_owned()))?;
            if rights.role_in(&workspace).is_none() {
                return Err(unknown(format!("no role in {workspace}, of which the run is")));
            }
            within(caller, rule, workspace, role)
        }
    }
}

/// Whoever has no role in a workspace learns nothing of it, not even whether it exists: nobody looked.
fn within(
    caller: &Caller,
    rule: &Rule,
    workspace: WorkspaceId,
    role: Role,
) -> Result<Option<WorkspaceId>, Refusal> {
    match caller.rights.role_in(&workspace) {
        None => Err(Refusal {
            error: EngineError::no_workspace(&workspace).into(),
            why: "no role in the workspace".to_owned(),
        }),
        Some(has) if has >= role => Ok(Some(workspace)),
        Some(_) => {
            let needs = format!("the role {} in {workspace}", word(role));
            Err(Refusal::forbidden(caller, rule, &needs))
        }
    }
}

/// A part of the path, as the handler will read it.
fn part<'a>(params: &'a RawPathParams, name: &str) -> &'a str {
    params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// The workspace that a query names, as the handler will read it.
fn queried(uri: &Uri) -> Result<Option<WorkspaceId>, Refusal> {
    #[derive(Deserialize)]
    struct Named {
        workspace: Option<String>,
    }
    match Query::<Named>::try_from_uri(uri) {
        Ok(Query(named)) => Ok(named.workspace.map(WorkspaceId::new)),
        Err(rejection) => Err(Refusal {
            error: ApiError::invalid(rejection.body_text()),
            why: "the query cannot be read".to_owned(),
        }),
    }
}

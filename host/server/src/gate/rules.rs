//! Who may do what: one rule for every route of the admin API. A route without a rule is refused, and a test finds it.
//!
//! A rule names the least role and where the workspace comes from. The role counts in that workspace; in another one, whatever the path
//! names is answered as if it did not exist.

use std::collections::HashMap;
use std::sync::LazyLock;

use contactor_store::Role::{self, Author, PlatformAdmin, Viewer, WorkspaceAdmin};

/// What a request needs before its handler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// This role in the workspace that the path names.
    Workspace(Role),
    /// This role in the workspace of the run that the path names.
    Run(Role),
    /// This role in the workspace that the query names; where it names none the handler shows what whoever asks may see.
    Queried(Role),
    /// This role in any workspace; the handler shows what whoever asks may see.
    Somewhere(Role),
    /// The right to install connectors.
    Installing,
    /// A token; the handler shows and changes only what is of whoever asks.
    Anyone,
    /// To be a platform admin.
    Platform,
}

/// The rule of one route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The method.
    pub(crate) method: &'static str,
    /// The route's pattern.
    pub(crate) path: &'static str,
    /// The operation's id in the OpenAPI document; what the audit log calls it.
    pub(crate) operation: &'static str,
    /// What it needs.
    pub(crate) needs: Needs,
}

use Needs::{Anyone, Installing, Platform, Queried, Run, Somewhere, Workspace};

const fn rule(method: &'static str, path: &'static str, operation: &'static str, needs: Needs) -> Rule {
    Rule { method, path, operation, needs }
}

macro_rules! of_connection {
    ($rest:literal) => {
        concat!("/api/v1/workspaces/{workspace}/connections/{connector}", $rest)
    };
}

macro_rules! of_workspace {
    ($rest:literal) => {
        concat!("/api/v1/workspaces/{workspace}", $rest)
    };
}

/// Every rule, in the order of the routes.
#[rustfmt::skip]
pub(crate) const RULES: &[Rule] = &[
    rule("GET", "/api/v1/health", "health", Platform),
    rule("GET", "/api/v1/whoami", "whoami", Anyone),
    rule("GET", "/api/v1/session", "session.get", Anyone),
    rule("DELETE", "/api/v1/session", "session.end", Anyone),
    rule("GET", "/api/v1/vault", "vault.status", Platform),
    rule("POST", "/api/v1/vault/rotate", "vault.rotate", Platform),
    // ----------------------------------------------------------------------------------- people
    rule("GET", "/api/v1/users", "users.list", Platform),
    rule("POST", "/api/v1/users", "users.create", Platform),
    rule("GET", "/api/v1/users/{user}", "users.get", Platform),
    rule("POST", "/api/v1/users/{user}/disable", "users.disable", Platform),
    rule("POST", "/api/v1/users/{user}/enable", "users.enable", Platform),
    rule("DELETE", "/api/v1/users/{user}/identity", "users.unbind", Platform),
    rule("PUT", "/api/v1/users/{user}/platform-admin", "users.make-platform-admin", Platform),
    rule("DELETE", "/api/v1/users/{user}/platform-admin", "users.unmake-platform-admin", Platform),
    rule("GET", "/api/v1/tokens", "tokens.list", Anyone),
    rule("POST", "/api/v1/tokens", "tokens.create", Anyone),
    rule("DELETE", "/api/v1/tokens/{token}", "tokens.revoke", Anyone),
    rule("GET", of_workspace!("/members"), "members.list", Workspace(WorkspaceAdmin)),
    rule("PUT", of_workspace!("/members/{user}"), "members.put", Workspace(WorkspaceAdmin)),
    rule("DELETE", of_workspace!("/members/{user}"), "members.remove", Workspace(WorkspaceAdmin)),
    rule("GET", "/api/v1/audit", "audit.list", Somewhere(WorkspaceAdmin)),
    rule("GET", "/api/v1/audit/verify", "audit.verify", Platform),
    // ------------------------------------------------------------------------------- workspaces
    rule("GET", "/api/v1/workspaces", "workspaces.list", Anyone),
    rule("POST", "/api/v1/workspaces", "workspaces.create", Platform),
    rule("GET", of_workspace!(""), "workspaces.get", Workspace(Viewer)),
    rule("PUT", of_workspace!("/settings"), "workspaces.set", Workspace(WorkspaceAdmin)),
    rule("POST", of_workspace!("/erase"), "workspaces.erase", Workspace(WorkspaceAdmin)),
    // What even an admin of the workspace cannot grant.
    rule("PUT", "/api/v1/policies/{policy}", "workspaces.policy", Platform),
    rule("PUT", of_workspace!("/token"), "workspaces.token", Workspace(WorkspaceAdmin)),
    rule("POST", of_workspace!("/consents"), "oauth.consent", Workspace(WorkspaceAdmin)),
    rule("GET", of_workspace!("/grants"), "oauth.grants-of-workspace", Workspace(Viewer)),
    rule("POST", of_workspace!("/grants/renew"), "oauth.renew-of-workspace", Workspace(WorkspaceAdmin)),
    rule("POST", "/api/v1/oauth/consents", "oauth.consent-of-agency", Platform),
    rule("GET", "/api/v1/oauth/grants", "oauth.grants", Platform),
    rule("POST", "/api/v1/oauth/grants/renew", "oauth.renew", Platform),
    rule("GET", "/api/v1/oauth/installations", "oauth.installations", Platform),
    rule("GET", of_workspace!("/quota"), "quota.get", Workspace(Viewer)),
    rule("GET", of_workspace!("/alerts"), "alerts.list", Workspace(Viewer)),
    rule("PUT", of_workspace!("/alerts/rules"), "alerts.set-rules", Workspace(WorkspaceAdmin)),
    rule("GET", of_workspace!("/destinations"), "destinations.list", Workspace(Viewer)),
    rule("PUT", of_workspace!("/destinations/{name}"), "destinations.put", Workspace(WorkspaceAdmin)),
    rule("DELETE", of_workspace!("/destinations/{name}"), "destinations.remove", Workspace(WorkspaceAdmin)),
    rule("POST", of_workspace!("/destinations/{name}/test"), "destinations.test", Workspace(WorkspaceAdmin)),
    // ------------------------------------------------------------------------------- connectors
    rule("GET", "/api/v1/catalogue", "catalogue.list", Queried(Viewer)),
    rule("GET", "/api/v1/connectors", "connectors.list", Anyone),
    rule("POST", "/api/v1/connectors", "connectors.install", Installing),
    rule("POST", "/api/v1/connectors/inspect", "connectors.inspect", Somewhere(Author)),
    rule("POST", of_workspace!("/actions/{action}"), "actions.run", Workspace(Author)),
    rule("POST", of_workspace!("/tasks/poll"), "tasks.poll", Workspace(Author)),
    // ------------------------------------------------------------------------------ connections
    rule("GET", of_workspace!("/connections"), "connections.list", Workspace(Viewer)),
    rule("GET", of_connection!(""), "connections.get", Workspace(Viewer)),
    rule("PUT", of_connection!(""), "connections.enable", Workspace(Author)),
    rule("POST", of_connection!("/disable"), "connections.disable", Workspace(Author)),
    rule("POST", of_connection!("/check"), "connections.check", Workspace(Author)),
    // What the partner sends is refused until somebody enters the new address there.
    rule("POST", of_connection!("/webhook-address"), "connections.renew-webhook-address", Workspace(WorkspaceAdmin)),
    rule("GET", of_connection!("/upgrade"), "rollouts.plan", Workspace(Viewer)),
    rule("PUT", of_connection!("/upgrade"), "rollouts.begin", Workspace(Author)),
    rule("GET", of_connection!("/rollouts"), "rollouts.list", Workspace(Viewer)),
    rule("GET", of_connection!("/rollout"), "rollouts.get", Workspace(Viewer)),
    rule("POST", of_connection!("/adopt"), "rollouts.adopt", Workspace(Author)),
    rule("POST", of_connection!("/rollback"), "rollouts.rollback", Workspace(Author)),
    rule("GET", of_workspace!("/guard"), "guard.list", Workspace(Viewer)),
    rule("GET", of_connection!("/guard"), "guard.get", Workspace(Viewer)),
    rule("POST", of_connection!("/guard/allow"), "guard.allow", Workspace(WorkspaceAdmin)),
    rule("GET", of_connection!("/sync"), "sync.progress", Workspace(Viewer)),
    rule("POST", of_connection!("/sync"), "sync.start", Workspace(Author)),
    // It asks HighLevel, and so costs of the quota.
    rule("GET", of_connection!("/sync/estimate"), "sync.estimate", Workspace(Author)),
    rule("POST", of_connection!("/preview"), "sync.preview", Workspace(Author)),
    rule("POST", of_connection!("/records"), "sync.record", Workspace(Author)),
    rule("POST", of_connection!("/poll"), "sync.poll", Workspace(Author)),
    rule("POST", of_connection!("/samples/{trigger}"), "samples.receive", Workspace(Author)),
    rule("GET", of_connection!("/mapping"), "mapping.list", Workspace(Viewer)),
    rule("PUT", of_connection!("/mapping"), "mapping.set", Workspace(Author)),
    rule("DELETE", of_connection!("/mapping"), "mapping.unset", Workspace(Author)),
    rule("PUT", of_connection!("/mapping/policy"), "mapping.policy", Workspace(Author)),
    rule("POST", of_connection!("/mapping/test"), "mapping.test", Workspace(Author)),
    rule("POST", of_connection!("/mapping/preview"), "mapping.preview", Workspace(Author)),
    rule("GET", of_connection!("/match"), "match.show", Workspace(Viewer)),
    rule("POST", of_connection!("/match"), "match.start", Workspace(Author)),
    rule("POST", of_connection!("/match/approve"), "match.approve", Workspace(WorkspaceAdmin)),
    // ---------------------------------------------------------------- what a person must look at
    rule("GET", of_workspace!("/parked"), "parked.list", Workspace(Viewer)),
    rule("GET", of_workspace!("/parked/groups"), "parked.groups", Workspace(Viewer)),
    rule("GET", of_workspace!("/parked/groups/{group}"), "parked.group", Workspace(Viewer)),
    rule("POST", of_workspace!("/parked/groups/{group}/retry"), "parked.retry-group", Workspace(Author)),
    rule("POST", of_workspace!("/parked/groups/{group}/discard"), "parked.discard-group", Workspace(WorkspaceAdmin)),
    rule("POST", of_connection!("/parked/retry"), "parked.retry", Workspace(Author)),
    rule("POST", of_connection!("/parked/discard"), "parked.discard", Workspace(WorkspaceAdmin)),
    rule("POST", of_connection!("/parked/retry-all"), "parked.retry-all", Workspace(Author)),
    rule("POST", of_connection!("/parked/discard-all"), "parked.discard-all", Workspace(WorkspaceAdmin)),
    rule("GET", of_workspace!("/conflicts"), "conflicts.list", Workspace(Viewer)),
    rule("GET", of_workspace!("/conflicts/{conflict}"), "conflicts.get", Workspace(Viewer)),
    rule("POST", of_workspace!("/conflicts/{conflict}/resolve"), "conflicts.resolve", Workspace(WorkspaceAdmin)),
    rule("GET", of_workspace!("/deletes"), "deletes.list", Workspace(Viewer)),
    rule("GET", of_workspace!("/deletes/{deletion}"), "deletes.get", Workspace(Viewer)),
    rule("POST", of_workspace!("/deletes/{deletion}/{decision}"), "deletes.decide", Workspace(WorkspaceAdmin)),
    rule("POST", of_workspace!("/deletes/confirm"), "deletes.confirm-all", Workspace(WorkspaceAdmin)),
    rule("POST", of_workspace!("/deletes/keep"), "deletes.keep-all", Workspace(WorkspaceAdmin)),
    rule("GET", of_connection!("/deletes/policy"), "deletes.policy", Workspace(Viewer)),
    rule("PUT", of_connection!("/deletes/policy"), "deletes.set-policy", Workspace(WorkspaceAdmin)),
    rule("POST", of_connection!("/deletes/preview"), "deletes.preview", Workspace(Author)),
    // ----------------------------------------------------------------------------- what happened
    rule("GET", of_workspace!("/contacts/{contact}/timeline"), "timeline", Workspace(Viewer)),
    rule("GET", of_workspace!("/contacts/{contact}/fields/{field}"), "timeline.field", Workspace(Viewer)),
    rule("GET", of_workspace!("/events"), "events.list", Workspace(Viewer)),
    rule("GET", of_workspace!("/events/{event}"), "events.get", Workspace(Viewer)),
    rule("GET", "/api/v1/runs", "runs.list", Queried(Viewer)),
    rule("GET", "/api/v1/runs/{run}", "runs.get", Run(Viewer)),
    rule("GET", "/api/v1/runs/{run}/recording", "runs.recording", Run(Author)),
    rule("POST", "/api/v1/runs/{run}/replay", "runs.replay", Run(Author)),
];

/// The rule of a route. HEAD is answered by what answers GET.
pub(crate) fn of(method: &str, path: &str) -> Option<&'static Rule> {
    static BY_ROUTE: LazyLock<HashMap<(&str, &str), &Rule>> =
        LazyLock::new(|| RULES.iter().map(|rule| ((rule.method, rule.path), rule)).collect());
    let method = if method == "HEAD" { "GET" } else { method };
    BY_ROUTE.get(&(method, path)).copied()
}

/// The word for a role.
pub(crate) fn word(role: Role) -> &'static str {
    match role {
        Viewer => "viewer",
        Author => "author",
        WorkspaceAdmin => "workspace-admin",
        PlatformAdmin => "platform-admin",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_route_of_the_document_has_one_rule_and_every_rule_has_its_route() {
        let document = serde_json::to_value(crate::document()).unwrap();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                described.insert((method.to_uppercase(), path.clone(), id.to_owned()));
            }
        }
        let ruled: BTreeSet<_> = RULES
            .iter()
            .map(|rule| (rule.method.to_owned(), rule.path.to_owned(), rule.operation.to_owned()))
            .collect();
        assert_eq!(ruled.len(), RULES.len(), "a rule is there twice");
        let without: Vec<_> = described.difference(&ruled).collect();
        let stale: Vec<_> = ruled.difference(&described).collect();
        assert!(
            without.is_empty() && stale.is_empty(),
            "without a rule: {without:#?}\nwithout a route: {stale:#?}"
        );
    }

    #[test]
    fn a_rule_that_needs_a_workspace_has_one_in_its_path() {
        for rule in RULES {
            let named = |part| rule.path.contains(part);
            match rule.needs {
                Workspace(_) => assert!(named("{workspace}"), "{rule:?}"),
                Run(_) => assert!(named("{run}") && !named("{workspace}"), "{rule:?}"),
                _ => assert!(!named("{workspace}") && !named("{run}"), "{rule:?}"),
            }
        }
    }

    #[test]
    fn what_changes_something_needs_more_than_to_look() {
        for rule in RULES.iter().filter(|rule| rule.method != "GET") {
            let looks = matches!(rule.needs, Workspace(Viewer) | Run(Viewer) | Queried(_));
            assert!(!looks, "{rule:?}");
        }
    }

    /// The table of the guide: operations by what they need.
    fn table() -> String {
        let groups: [(&str, Vec<Needs>); 7] = [
            ("any role, or none: shows and changes one's own only", vec![Anyone]),
            ("`viewer` in the workspace", vec![Workspace(Viewer), Run(Viewer), Queried(Viewer)]),
            ("`author` in the workspace", vec![Workspace(Author), Run(Author)]),
            ("`author` in any workspace", vec![Somewhere(Author)]),
            ("`author` itself, in any workspace, or `platform-admin`", vec![Installing]),
            (
                "`workspace-admin` in the workspace",
                vec![Workspace(WorkspaceAdmin), Somewhere(WorkspaceAdmin)],
            ),
            ("`platform-admin`", vec![Platform]),
        ];
        let mut text = "| needs | operations |\n|---|---|\n".to_owned();
        let mut shown = 0;
        for (words, needs) in groups {
            let of_group: Vec<_> = RULES.iter().filter(|rule| needs.contains(&rule.needs)).collect();
            shown += of_group.len();
            let names: Vec<_> = of_group.iter().map(|rule| format!("`{}`", rule.operation)).collect();
            writeln!(text, "| {words} | {} |", names.join(", ")).unwrap();
        }
        assert_eq!(shown, RULES.len(), "a rule is in no group of the table");
        text
    }

    #[test]
    fn the_table_of_the_guide_is_that_of_the_rules() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let table = table();
        assert!(guide.contains(&table), "docs/operators.md has another table; this is the one:\n{table}");
    }
}

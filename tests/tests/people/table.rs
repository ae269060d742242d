//! Each role, each operation, one's own workspace and another one.

use contactor_tests::engine::ADMIN_TOKEN;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{FOREIGN, OWN, Things, USERS, World};

/// What an operation needs, from the least to the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    Viewer,
    Author,
    Admin,
    Platform,
}

/// What each operation needs.
fn needs(operation: &str) -> Needs {
    match operation {
        "whoami" | "session.get" | "session.end" | "tokens.list" | "tokens.create" | "tokens.revoke"
        | "workspaces.list" | "connectors.list" | "catalogue.list" | "runs.list" => Needs::Nothing,
        "workspaces.get"
        | "oauth.grants-of-workspace"
        | "quota.get"
        | "alerts.list"
        | "destinations.list"
        | "connections.list"
        | "connections.get"
        | "rollouts.plan"
        | "rollouts.list"
        | "rollouts.get"
        | "guard.list"
        | "guard.get"
        | "sync.progress"
        | "mapping.list"
        | "match.show"
        | "parked.list"
        | "parked.groups"
        | "parked.group"
        | "conflicts.list"
        | "conflicts.get"
        | "deletes.list"
        | "deletes.get"
        | "deletes.policy"
        | "timeline"
        | "timeline.field"
        | "events.list"
        | "events.get"
        | "runs.get" => Needs::Viewer,
        // Installing is of authors alone: see `passes`.
        "connectors.install"
        | "connectors.inspect"
        | "actions.run"
        | "tasks.poll"
        | "connections.enable"
        | "connections.disable"
        | "connections.check"
        | "rollouts.begin"
        | "rollouts.adopt"
        | "rollouts.rollback"
        | "sync.start"
        | "sync.estimate"
        | "sync.preview"
        | "sync.record"
        | "sync.poll"
        | "samples.receive"
        | "mapping.set"
        | "mapping.unset"
        | "mapping.policy"
        | "mapping.test"
        | "mapping.preview"
        | "match.start"
        | "parked.retry-group"
        | "parked.retry"
        | "parked.retry-all"
        | "deletes.preview"
        | "runs.recording"
        | "runs.replay" => Needs::Author,
        "members.list"
        | "members.put"
        | "members.remove"
        | "audit.list"
        | "workspaces.set"
        | "workspaces.token"
        | "oauth.consent"
        | "oauth.renew-of-workspace"
        | "workspaces.erase"
        | "alerts.set-rules"
        | "destinations.put"
        | "destinations.remove"
        | "destinations.test"
        | "connections.renew-webhook-address"
        | "guard.allow"
        | "match.approve"
        | "parked.discard-group"
        | "parked.discard"
        | "parked.discard-all"
        | "conflicts.resolve"
        | "deletes.decide"
        | "deletes.confirm-all"
        | "deletes.keep-all"
        | "deletes.set-policy" => Needs::Admin,
        "health"
        | "users.list"
        | "users.create"
        | "users.get"
        | "users.disable"
        | "users.enable"
        | "users.unbind"
        | "users.make-platform-admin"
        | "users.unmake-platform-admin"
        | "audit.verify"
        | "vault.status"
        | "vault.rotate"
        | "oauth.consent-of-agency"
        | "oauth.grants"
        | "oauth.renew"
        | "oauth.installations"
        | "workspaces.create"
        | "workspaces.policy" => Needs::Platform,
        new => {
            panic!("the operation `{new}` is new: say in this table what it needs, and what else it names")
        }
    }
}

/// Who somebody is in one's own workspace.
fn is(user: &str) -> Needs {
    match user {
        "nora" => Needs::Nothing,
        "vera" => Needs::Viewer,
        "arthur" => Needs::Author,
        "wanda" => Needs::Admin,
        "ann" => Needs::Platform,
        other => panic!("{other}"),
    }
}

/// Whether a user may do it in one's own workspace.
fn passes(user: &str, operation: &str) -> bool {
    // Components are the platform's: an admin of a workspace installs none.
    if operation == "connectors.install" {
        return ["arthur", "ann"].contains(&user);
    }
    is(user) >= needs(operation)
}

/// An operation of the API.
struct Operation {
    id: String,
    method: Method,
    path: String,
}

impl Operation {
    /// Whether it is about one workspace.
    fn is_of_workspace(&self) -> bool {
        self.path.contains("{workspace}") || self.path.contains("{run}")
    }

    /// The path with what there is in a workspace.
    fn at(&self, things: &Things, token: &str) -> String {
        let parts = self.path.strip_prefix("/api/v1/").unwrap().split('/').map(|part| {
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                None => part.to_owned(),
                Some("token") => token.to_owned(),
                Some(name) => things.get(name).cloned().unwrap_or_else(|| {
                    panic!("`{}` names a `{name}`, of which there is none to try", self.id)
                }),
            }
        });
        format!("/{}", parts.collect::<Vec<_>>().join("/"))
    }
}

/// Every operation that the API describes.
fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(contactor_server::document()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let method = method.to_uppercase().parse().unwrap();
            found.push(Operation { id, method, path: path.clone() });
        }
    }
    assert!(found.len() > 80, "{}", found.len());
    // What takes something away comes last.
    found.sort_by_key(|operation| (operation.method == Method::DELETE, operation.id.contains("erase")));
    found
}

/// Bodies that would have an effect if they came through where they must not; elsewhere an empty one.
fn body(operation: &str) -> Value {
    let record = json!({"entity": "contact", "side": "highlevel", "record": "h2"});
    match operation {
        "workspaces.set" => json!({"retention_days": 3}),
        "workspaces.token" => json!({"token": "pit-fake-and-unknown"}),
        "oauth.renew" => json!({"grant": "location/fake"}),
        "members.put" => json!({"role": "workspace-admin"}),
        "parked.retry" | "parked.discard" | "sync.record" => record,
        "conflicts.resolve" => json!({"take": "partner"}),
        "alerts.set-rules" => json!({"parked": 9}),
        "deletes.keep-all" | "deletes.confirm-all" => json!({"expect": 1}),
        "deletes.set-policy" => json!({"highlevel": "unlink"}),
        "workspaces.erase" => json!({"who": "h1", "all": false, "preview": false}),
        "guard.allow" => json!({"records": 5}),
        "rollouts.begin" => json!({"mode": "live", "share": 10}),
        "workspaces.policy" => json!({"deny": ["contacts.write"]}),
        "mapping.set" => {
            json!({"entity": "contact", "row": {"highlevel": "lastName", "partner": "last_name"}})
        }
        _ => json!({}),
    }
}

fn code(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    body["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// Whether an answer is one of the gate, which let nothing through.
fn stopped(status: u16, text: &str) -> bool {
    let nowhere = status == 404 && (text.contains("no workspace `") || text.contains("no run `"));
    status == 401 || (status == 403 && code(text) == "forbidden") || nowhere
}

#[tokio::test]
async fn each_role_does_what_it_may_in_its_workspace_and_nothing_in_another_one() {
    let world = World::set().await;
    let theirs = world.state_of(FOREIGN).await;
    for (user, _) in USERS.into_iter().filter(|(user, _)| *user != "ann") {
        let token = world.shows(user);
        // One of somebody else's.
        let victim = world.token_of(&json!({"user": "carl"})).await;
        let victim = victim.split('_').nth(1).unwrap();
        for operation in operations() {
            let Operation { id, method, .. } = &operation;
            let (began, body) = (world.began(user).await, body(id));

            let path = operation.at(world.things(FOREIGN), victim);
            let (status, text) = world.ask(token, method.clone(), &path, &body).await;
            if operation.is_of_workspace() {
                assert!(stopped(status, &text), "{user} did {id} in another workspace: {status} {text}");
                assert_eq!(status, 404, "{user}: {id}: {text}");
                let nothing = nothing_of_the_kind(&world, &operation);
                let missing = world.ask(token, method.clone(), &operation.at(&nothing, victim), &body).await;
                let renamed = missing.1.replace("nowhere", FOREIGN);
                assert_eq!(
                    (missing.0, renamed),
                    (status, text),
                    "{user}: {id} tells what is missing from what is not"
                );
            } else if id == "tokens.revoke" {
                assert_eq!((status, code(&text)), (404, "not-found".to_owned()), "{user}: {text}");
            } else {
                assert_eq!(!stopped(status, &text), passes(user, id), "{user}: {id}: {status} {text}");
            }
            let may_begin = !operation.is_of_workspace() && passes(user, id);
            assert!(may_begin || world.began(user).await == began, "{user}: {id} was begun");
            assert_eq!(world.state_of(FOREIGN).await, theirs, "{user}: {id} changed another workspace");
        }
    }
}

/// The names of things in a workspace that does not exist.
fn nothing_of_the_kind(world: &World, operation: &Operation) -> Things {
    let mut things = world.things(FOREIGN).clone();
    let (part, missing) = if operation.path.contains("{workspace}") {
        ("workspace", "nowhere".to_owned())
    } else {
        ("run", world.things(FOREIGN)["run"].replace(FOREIGN, "nowhere"))
    };
    things.insert(part, missing);
    things
}

#[tokio::test]
async fn each_role_does_in_its_own_workspace_what_it_may_and_is_told_what_it_lacks() {
    // Whoever may do less comes first: what the others do changes what there is.
    for user in ["nora", "vera", "arthur", "wanda", "ann"] {
        let world = World::set().await;
        let token = world.shows(user);
        let before = world.state_of(OWN).await;
        let own = world.token_of(&json!({"user": user})).await;
        let own = own.split('_').nth(1).unwrap();
        for operation in operations() {
            let Operation { id, method, .. } = &operation;
            let began = world.began(user).await;
            let path = operation.at(world.things(OWN), own);
            let (status, text) = world.ask(token, method.clone(), &path, &body(id)).await;
            let passes = passes(user, id);
            assert_eq!(!stopped(status, &text), passes, "{user}: {id}: {status} {text}");
            if passes {
                assert!(status < 500 || status == 502, "{user}: {id}: {status} {text}");
            } else {
                let expected = if user == "nora" && operation.is_of_workspace() { 404 } else { 403 };
                assert_eq!(status, expected, "{user}: {id}: {text}");
                assert_eq!(world.began(user).await, began, "{user}: {id} was begun");
            }
            if passes && *method != Method::GET {
                assert_eq!(world.began(user).await, began + 1, "{user}: {id} is not on record");
            }
        }
        if ["nora", "vera"].contains(&user) {
            assert_eq!(world.state_of(OWN).await, before, "{user} changed something");
        }
    }
}

#[tokio::test]
async fn a_platform_admin_and_the_hosts_own_token_pass_everywhere() {
    let world = World::set().await;
    for (who, token) in [("ann", world.shows("ann")), ("admin-token-file", ADMIN_TOKEN)] {
        for operation in operations().iter().filter(|operation| operation.method == Method::GET) {
            for workspace in [OWN, FOREIGN] {
                let path = operation.at(world.things(workspace), "0000000000000000");
                let (status, text) = world.ask(token, Method::GET, &path, &Value::Null).await;
                assert!(!stopped(status, &text), "{who}: {}: {status} {text}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn nobody_without_a_token_that_counts_does_anything() {
    let world = World::set().await;
    let (own, theirs) = (world.state_of(OWN).await, world.state_of(FOREIGN).await);
    let good = world.shows("ann");
    let wrong = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { "1" } else { "0" });
    for operation in operations() {
        for token in ["", "fake-admin-tokem", wrong.as_str()] {
            let path = operation.at(world.things(OWN), "0000000000000000");
            let (status, text) =
                world.ask(token, operation.method.clone(), &path, &body(&operation.id)).await;
            assert_eq!((status, code(&text)), (401, "unauthorized".to_owned()), "{}", operation.id);
        }
    }
    assert_eq!(world.began("-").await, 0);
    assert_eq!((world.state_of(OWN).await, world.state_of(FOREIGN).await), (own, theirs));
}

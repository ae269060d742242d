//! The control API: everything a handle can do, over HTTP below `/_control`, for tests in other processes and for
//! demonstrations.
//!
//! Bodies and answers are JSON. `location`, `project`, `form` and `event` may be left out and mean the first one. `{vendor}`
//! is a double's name. Errors answer 4xx with `{"error": "…"}`; a trigger that nothing sets off has the `code` `no-such-trigger`.
//!
//! | method and path | body | does |
//! |---|---|---|
//! | GET `/_control` | | this list, and the operations that a fault may name |
//! | GET `/_control/keys` | | credentials and public keys of the doubles |
//! | GET `/_control/state` | | every record of every double |
//! | GET `/_control/counters` | | requests per operation |
//! | GET `/_control/requests` | | recent requests, oldest first |
//! | DELETE `/_control/requests` | | forgets counters and requests |
//! | POST `/_control/reset` | | forgets records, faults, counters and webhooks |
//! | GET `/_control/faults` | | the faults in force |
//! | POST `/_control/faults` | a [`Fault`] | adds a fault |
//! | DELETE `/_control/faults` | | removes all faults |
//! | POST `/_control/clock/advance` | `{"seconds"}` | lets time pass |
//! | POST `/_control/connectif/act` | `{"act", …}`, an `AccountAct` | acts as a person |
//! | POST `/_control/connectif/emit` | `{"trigger"}` | does what sets a trigger of the connector off |
//! | POST `/_control/connectif/load` | `{"count"}` | adds sample contacts |
//! | PUT `/_control/connectif/settings` | `{"scopes", "limit", "write_lag", "guesses"}` | changes behaviour; `"limit": null` switches it off |
//! | POST `/_control/connectif/fields` | a [`CustomField`] | adds a custom field |
//! | POST `/_control/connectif/release` | | makes every write readable |
//! | POST `/_control/connectif/revoke` | | withdraws the API key |
//! | POST `/_control/formbuilder/act` | `{"form", "act", …}`, a [`FormAct`] | acts as a person |
//! | POST `/_control/formbuilder/emit` | `{"form", "trigger"}` | does what sets a trigger of the connector off |
//! | POST `/_control/formbuilder/load` | `{"form", "count"}` | fills a form in for sample people |
//! | POST `/_control/formbuilder/webhook` | `{"form", "address"}` | adds a webhook to a form, after a HEAD request |
//! | PUT `/_control/formbuilder/settings` | `{"daily_quota", "guesses"}` | changes behaviour; `"daily_quota": null` lifts it |
//! | POST `/_control/formbuilder/expire` | | makes every token too old |
//! | POST `/_control/formbuilder/revoke` | | withdraws the login |
//! | POST `/_control/highlevel/act` | `{"location", "act", …}`, a [`PersonAct`] | acts as a person |
//! | POST `/_control/highlevel/emit` | `{"location", "event", "body"}` | sends a webhook of this kind about a record that is there |
//! | POST `/_control/highlevel/load` | `{"location", "count"}` | adds sample contacts |
//! | PUT `/_control/highlevel/settings` | `{"limits", "search_lag", "habits"}` | changes behaviour; `"limits": null` switches them off |
//! | POST `/_control/highlevel/refresh-index` | | makes every change searchable |
//! | POST `/_control/highlevel/locations` | a [`LocationConfig`] | adds a location |
//! | POST `/_control/highlevel/active` | `{"location", "active"}` | suspends a location or takes it up again |
//! | POST `/_control/highlevel/authorize` | `{"client_id", "location"}` | consents for an app; `"location": null` is the agency; answers `{"code"}` |
//! | POST `/_control/highlevel/uninstall` | `{"app", "location"}` | removes an app |
//! | POST `/_control/highlevel/revoke` | `{"token"}` | withdraws a token |
//! | POST `/_control/pheedloop/act` | `{"act", "event", …}`, an [`EventAct`] | acts as a person |
//! | POST `/_control/pheedloop/emit` | `{"trigger"}` | does what sets a trigger of the connector off |
//! | POST `/_control/pheedloop/load` | `{"event", "count"}` | adds sample attendees |
//! | PUT `/_control/pheedloop/settings` | `{"guesses"}` | changes behaviour |
//! | POST `/_control/pheedloop/events` | an [`EventConfig`] | adds an event |
//! | POST `/_control/pheedloop/revoke` | | withdraws the key |
//! | POST `/_control/prefinery/act` | `{"project", "act", …}`, a [`ProjectAct`] | acts as a person |
//! | POST `/_control/prefinery/emit` | `{"project", "trigger"}` | does what sets a trigger of the connector off |
//! | POST `/_control/prefinery/load` | `{"project", "count"}` | adds sample testers |
//! | PUT `/_control/prefinery/settings` | `{"limited", "visibility", "guesses"}` | changes behaviour |
//! | POST `/_control/prefinery/release` | | makes every tester findable |
//! | POST `/_control/prefinery/revoke` | | withdraws the API key |
//! | POST `/_control/referrizer/act` | `{"act", …}`, an `AccountAct` | acts as a person |
//! | POST `/_control/referrizer/emit` | `{"trigger"}` | does what sets a trigger of the connector off |
//! | POST `/_control/referrizer/load` | `{"count"}` | adds sample contacts |
//! | PUT `/_control/referrizer/settings` | `{"guesses"}` | changes behaviour |
//! | POST `/_control/referrizer/revoke` | | withdraws the token |
//! | GET `/_control/{vendor}/webhooks` | | webhooks and what became of them |
//! | PUT `/_control/{vendor}/webhooks` | `{"for", "target", "mode"}` | address (`null`: nobody) and mode (`automatic`, `on_flush`) |
//! | POST `/_control/{vendor}/webhooks/listen` | `{"address"}` | as a person does in the vendor's interface: all that the first project, form or event tells goes to an address, too; `{"sends"}` says whether the vendor sends any |
//! | DELETE `/_control/{vendor}/webhooks` | | forgets webhooks, sent or not |
//! | POST `/_control/{vendor}/webhooks/flush` | `{"order"}` | sends what is due: `queued`, `reversed`, `shuffled` |
//! | POST `/_control/{vendor}/webhooks/release` | | lets held webhooks go |
//! | POST `/_control/{vendor}/webhooks/redeliver` | `{"sequence"}` | queues a webhook again, byte for byte |
//! | POST `/_control/{vendor}/webhooks/faults` | a [`DeliveryFault`] | adds a delivery fault |
//! | DELETE `/_control/{vendor}/webhooks/faults` | | removes delivery faults |
//! | GET `/_control/browse/{vendor}` | | a page with records and recent requests |

mod connectif;
mod formbuilder;
mod highlevel;
mod pheedloop;
mod prefinery;
mod referrizer;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::Url;

use crate::browse;
use crate::faults::{Fault, covers};
use crate::http::{Call, Reply};
use crate::outbox::{DeliveryFault, Mode, Order, Outbox};
use crate::{SandboxError, World};

/// Method and path of every route, for the index.
const ROUTES: &[(&str, &str)] = &[
    ("GET", "/_control"),
    ("GET", "/_control/keys"),
    ("GET", "/_control/state"),
    ("GET", "/_control/counters"),
    ("GET", "/_control/requests"),
    ("DELETE", "/_control/requests"),
    ("POST", "/_control/reset"),
    ("GET", "/_control/faults"),
    ("POST", "/_control/faults"),
    ("DELETE", "/_control/faults"),
    ("POST", "/_control/clock/advance"),
    ("POST", "/_control/connectif/act"),
    ("POST", "/_control/connectif/emit"),
    ("POST", "/_control/connectif/load"),
    ("PUT", "/_control/connectif/settings"),
    ("POST", "/_control/connectif/fields"),
    ("POST", "/_control/connectif/release"),
    ("POST", "/_control/connectif/revoke"),
    ("POST", "/_control/formbuilder/act"),
    ("POST", "/_control/formbuilder/emit"),
    ("POST", "/_control/formbuilder/load"),
    ("POST", "/_control/formbuilder/webhook"),
    ("PUT", "/_control/formbuilder/settings"),
    ("POST", "/_control/formbuilder/expire"),
    ("POST", "/_control/formbuilder/revoke"),
    ("POST", "/_control/highlevel/act"),
    ("POST", "/_control/highlevel/emit"),
    ("POST", "/_control/highlevel/load"),
    ("PUT", "/_control/highlevel/settings"),
    ("POST", "/_control/highlevel/refresh-index"),
    ("POST", "/_control/highlevel/locations"),
    ("POST", "/_control/highlevel/active"),
    ("POST", "/_control/highlevel/authorize"),
    ("POST", "/_control/highlevel/uninstall"),
    ("POST", "/_control/highlevel/revoke"),
    ("POST", "/_control/pheedloop/act"),
    ("POST", "/_control/pheedloop/emit"),
    ("POST", "/_control/pheedloop/load"),
    ("PUT", "/_control/pheedloop/settings"),
    ("POST", "/_control/pheedloop/events"),
    ("POST", "/_control/pheedloop/revoke"),
    ("POST", "/_control/prefinery/act"),
    ("POST", "/_control/prefinery/emit"),
    ("POST", "/_control/prefinery/load"),
    ("PUT", "/_control/prefinery/settings"),
    ("POST", "/_control/prefinery/release"),
    ("POST", "/_control/prefinery/revoke"),
    ("POST", "/_control/referrizer/act"),
    ("POST", "/_control/referrizer/emit"),
    ("POST", "/_control/referrizer/load"),
    ("PUT", "/_control/referrizer/settings"),
    ("POST", "/_control/referrizer/revoke"),
    ("GET", "/_control/{vendor}/webhooks"),
    ("PUT", "/_control/{vendor}/webhooks"),
    ("POST", "/_control/{vendor}/webhooks/listen"),
    ("DELETE", "/_control/{vendor}/webhooks"),
    ("POST", "/_control/{vendor}/webhooks/flush"),
    ("POST", "/_control/{vendor}/webhooks/release"),
    ("POST", "/_control/{vendor}/webhooks/redeliver"),
    ("POST", "/_control/{vendor}/webhooks/faults"),
    ("DELETE", "/_control/{vendor}/webhooks/faults"),
    ("GET", "/_control/browse/{vendor}"),
];

type Done = Result<Value, SandboxError>;

pub(crate) async fn answer(world: &World, call: &Call) -> Reply {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    if let ("GET", ["browse", vendor]) = (call.method.as_str(), &parts[..]) {
        return browse::page(world, call, vendor);
    }
    match route(world, call, &parts).await {
        Ok(value) => Reply::json(200, &value),
        Err(error) => {
            let status = if matches!(error, SandboxError::Unknown { .. } | SandboxError::NoTrigger(_)) {
                404
            } else {
                400
            };
            let mut told = json!({"error": error.to_string()});
            if matches!(error, SandboxError::NoTrigger(_)) {
                told["code"] = json!("no-such-trigger");
            }
            Reply::json(status, &told)
        }
    }
}

async fn route(world: &World, call: &Call, parts: &[&str]) -> Done {
    let mut body = Body::read(call)?;
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("GET", [""]) => {
            let routes = ROUTES.iter().map(|(method, path)| json!({"method": method, "path": path}));
            let operations: BTreeSet<_> = operations().collect();
            Ok(json!({"routes": routes.collect::<Vec<_>>(), "operations": operations}))
        }
        ("GET", ["keys"]) => Ok(keys(world)),
        ("GET", ["state"]) => Ok(json!({
            "connectif": world.connectif.snapshot(),
            "formbuilder": world.formbuilder.snapshot(),
            "highlevel": world.highlevel.snapshot(),
            "pheedloop": world.pheedloop.snapshot(),
            "prefinery": world.prefinery.snapshot(),
            "referrizer": world.referrizer.snapshot(),
        })),
        ("GET", ["counters"]) => Ok(json!(world.recorder.counts())),
        ("GET", ["requests"]) => Ok(json!(world.recorder.recent())),
        ("DELETE", ["requests"]) => {
            world.recorder.clear();
            nothing
        }
        ("POST", ["reset"]) => {
            world.reset();
            nothing
        }
        ("GET", ["faults"]) => Ok(json!(world.faults.rules())),
        ("POST", ["faults"]) => {
            let fault: Fault = body.all()?;
            if !operations().any(|name| covers(&fault.operation, name)) {
                let text = format!("no operation is called `{}`; GET /_control lists them", fault.operation);
                return Err(SandboxError::Instruction(text));
            }
            world.faults.add(fault);
            nothing
        }
        ("DELETE", ["faults"]) => {
            world.faults.clear();
            nothing
        }
        ("POST", ["clock", "advance"]) => {
            world.advance(SignedDuration::from_secs(body.need("seconds")?));
            Ok(json!({"now": world.clock.now().to_string()}))
        }
        ("POST", [vendor, "webhooks", "listen"]) => {
            let address: String = body.need("address")?;
            let address =
                address.parse().map_err(|error| SandboxError::Instruction(format!("`address`: {error}")))?;
            listen(world, call, vendor, address).await
        }
        ("GET" | "PUT" | "POST" | "DELETE", [vendor, "webhooks", rest @ ..]) => {
            let outbox = match *vendor {
                "connectif" => world.connectif.webhooks(),
                "formbuilder" => world.formbuilder.webhooks(),
                "highlevel" => world.highlevel.webhooks(),
                "pheedloop" => world.pheedloop.webhooks(),
                "prefinery" => world.prefinery.webhooks(),
                _ => return Err(no_route(call)),
            };
            let first = match *vendor {
                "connectif" => crate::connectif::TARGET.to_owned(),
                "formbuilder" => world.formbuilder.first_target(),
                "highlevel" => world.highlevel.app().id,
                // Targets are REST hooks, which the API sets; the first two belong to somebody else.
                "pheedloop" => "1".to_owned(),
                _ => world.prefinery.first_project().to_string(),
            };
            webhooks(outbox, call, rest, body, first).await
        }
        (_, ["connectif", rest @ ..]) => connectif::answer(&world.connectif, call, rest, body),
        (_, ["formbuilder", rest @ ..]) => formbuilder::answer(&world.formbuilder, call, rest, body).await,
        (_, ["highlevel", rest @ ..]) => highlevel::answer(&world.highlevel, call, rest, body),
        (_, ["pheedloop", rest @ ..]) => pheedloop::answer(&world.pheedloop, call, rest, body),
        (_, ["prefinery", rest @ ..]) => prefinery::answer(&world.prefinery, call, rest, body),
        (_, ["referrizer", rest @ ..]) => referrizer::answer(&world.referrizer, call, rest, body),
        _ => Err(no_route(call)),
    }
}

/// Lets a double's webhooks go to an address, the way that its vendor offers.
async fn listen(world: &World, call: &Call, vendor: &str, address: Url) -> Done {
    match vendor {
        "connectif" => world.connectif.set_webhook_target(Some(address)),
        "formbuilder" => world.formbuilder.listen(address).await?,
        "highlevel" => world.highlevel.set_webhook_target(Some(address)),
        "pheedloop" => world.pheedloop.listen(&address)?,
        "prefinery" => world.prefinery.set_webhook_target(world.prefinery.first_project(), Some(address)),
        // It sends none that is known.
        "referrizer" => return Ok(json!({"sends": false})),
        _ => return Err(no_route(call)),
    }
    Ok(json!({"sends": true}))
}

async fn webhooks(outbox: &Outbox, call: &Call, parts: &[&str], mut body: Body, first: String) -> Done {
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("GET", []) => {
            let webhooks: Vec<_> = outbox.webhooks().iter().map(crate::outbox::Webhook::summary).collect();
            Ok(json!({"webhooks": webhooks}))
        }
        ("PUT", []) => {
            let target: String = body.take("for")?.unwrap_or(first);
            if let Some(address) = body.0.remove("target") {
                let address =
                    read::<Option<String>>(address)?.map(|address| address.parse::<Url>()).transpose();
                let address =
                    address.map_err(|error| SandboxError::Instruction(format!("`target`: {error}")))?;
                outbox.set_target(&target, address);
            }
            if let Some(mode) = body.take::<Mode>("mode")? {
                outbox.set_mode(mode);
            }
            body.nothing_left()
        }
        ("DELETE", []) => {
            outbox.clear();
            nothing
        }
        ("POST", ["flush"]) => {
            let order: Order = body.take("order")?.unwrap_or_default();
            Ok(json!(outbox.flush(order).await))
        }
        ("POST", ["release"]) => Ok(json!({"released": outbox.release()})),
        ("POST", ["redeliver"]) => {
            let sequence: u64 = body.need("sequence")?;
            if outbox.redeliver(sequence) {
                return nothing;
            }
            Err(SandboxError::Unknown { what: "webhook", id: sequence.to_string() })
        }
        ("POST", ["faults"]) => {
            outbox.add_fault(body.all::<DeliveryFault>()?);
            nothing
        }
        ("DELETE", ["faults"]) => {
            outbox.clear_faults();
            nothing
        }
        _ => Err(no_route(call)),
    }
}

/// Everything a client needs to connect. All of it is the sandbox's own and worthless elsewhere.
fn keys(world: &World) -> Value {
    let (formbuilder, highlevel) = (&world.formbuilder, &world.highlevel);
    let (pheedloop, prefinery) = (&world.pheedloop, &world.prefinery);
    let app = highlevel.app();
    let secrets = prefinery
        .project_ids()
        .into_iter()
        .map(|id| json!({"id": id, "secret": prefinery.signing_secret(id)}));
    json!({
        "connectif": {"apiKey": world.connectif.api_key(), "events": world.connectif.event_definitions()},
        "formbuilder": {
            "username": formbuilder.username(), "email": formbuilder.email(), "password": formbuilder.password(),
            "forms": formbuilder.form_ids(),
        },
        "highlevel": {
            "locations": highlevel.location_ids(), "privateToken": highlevel.private_token(),
            "appId": app.id, "clientId": app.client_id, "clientSecret": app.client_secret,
            "webhookPublicKey": highlevel.webhook_public_key_pem(),
            "legacyWebhookPublicKey": highlevel.habits().signs_legacy.then(|| highlevel.legacy_public_key_pem()),
        },
        "pheedloop": {
            "organization": pheedloop.organization(), "apiKey": pheedloop.api_key(),
            "apiSecret": pheedloop.api_secret(), "events": pheedloop.events(),
        },
        "prefinery": {"apiKey": prefinery.api_key(), "projects": secrets.collect::<Vec<_>>()},
        "referrizer": {"token": world.referrizer.token()},
    })
}

/// What a fault may name.
fn operations() -> impl Iterator<Item = &'static str> {
    crate::connectif::operations()
        .chain(crate::formbuilder::operations())
        .chain(crate::highlevel::operations())
        .chain(crate::pheedloop::operations())
        .chain(crate::prefinery::operations())
        .chain(crate::referrizer::operations())
}

fn no_route(call: &Call) -> SandboxError {
    SandboxError::Instruction(format!(
        "there is no {} {}; GET /_control lists what there is",
        call.method, call.path
    ))
}

/// The body of an instruction, consumed member by member, so that a misspelt one is noticed.
struct Body(Map<String, Value>);

impl Body {
    fn read(call: &Call) -> Result<Self, SandboxError> {
        if call.body.is_empty() {
            return Ok(Self(Map::new()));
        }
        serde_json::from_slice(&call.body)
            .map(Self)
            .map_err(|error| SandboxError::Instruction(error.to_string()))
    }

    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, SandboxError> {
        self.0.remove(name).map(read).transpose()
    }

    fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, SandboxError> {
        self.take(name)?.ok_or_else(|| SandboxError::Instruction(format!("`{name}` is missing")))
    }

    fn all<T: DeserializeOwned>(&mut self) -> Result<T, SandboxError> {
        read(Value::Object(std::mem::take(&mut self.0)))
    }

    fn nothing_left(self) -> Done {
        match self.0.keys().next() {
            Some(unknown) => Err(SandboxError::Instruction(format!("`{unknown}` is not known here"))),
            None => Ok(json!({})),
        }
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, SandboxError> {
    serde_json::from_value(value).map_err(|error| SandboxError::Instruction(error.to_string()))
}

/// `base` with the members of `patch` put over it.
fn overlay<T: Serialize + DeserializeOwned>(base: &T, patch: Value) -> Result<T, SandboxError> {
    let mut merged =
        serde_json::to_value(base).map_err(|error| SandboxError::Instruction(error.to_string()))?;
    let (Value::Object(target), Value::Object(patch)) = (&mut merged, patch) else {
        return Err(SandboxError::Instruction("an object is needed".into()));
    };
    target.extend(patch);
    read(merged)
}

#[cfg(test)]
mod tests {
    use super::ROUTES;

    #[test]
    fn the_table_above_names_every_route() {
        let source = include_str!("control.rs");
        let documented =
            source.lines().filter(|line| line.starts_with("//! | ") && line.contains("`/_control")).count();
        assert_eq!(documented, ROUTES.len());
        for (method, path) in ROUTES {
            assert!(source.contains(&format!("//! | {method} `{path}` |")), "{method} {path}");
        }
    }
}

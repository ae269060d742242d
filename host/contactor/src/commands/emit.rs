//! `contactor emit`: a trigger's sample event, through the whole path in the sandbox.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use contactor_highlevel::http::{Options, client};
use contactor_server::dto::{
    CatalogueEntry, CatalogueKind, CatalogueWay, Event, EventQuery, EventState, RecordRef, Run, RunQuery,
};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::Context;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::word;

/// How often the host is asked what became of the event.
const LOOK: Duration = Duration::from_millis(100);
/// How long the host is given to look at the tasks that there are.
const SEEN: Duration = Duration::from_secs(2);
/// Events and runs that are looked through.
const LATEST: u32 = 100;

/// Send a trigger's sample event through the whole path in the sandbox, and say what became of it. The sandbox's doubles do what
/// sets the trigger off: HighLevel's signs and posts a webhook about a contact that it has, a partner's sends its own or changes a
/// record that a poll then finds. Their webhooks are told to go to this host.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor emit acme highlevel.TaskComplete
  contactor emit acme prefinery.reward_delivered

It speaks to a running `contactor sandbox`. Where a partner signs its webhooks, the connection needs the secret that the sandbox
prints (`contactor connection enable --webhook-secret`). `contactor catalog --kind trigger` lists the triggers.")]
pub(crate) struct Args {
    /// The workspace's id.
    workspace: String,
    /// The trigger, for example `highlevel.ContactCreate`.
    trigger: String,
    /// Address of the running sandbox.
    #[arg(long, value_name = "URL", env = "CONTACTOR_SANDBOX", default_value = "http://127.0.0.1:8450")]
    sandbox: Url,
    /// Seconds to wait for what becomes of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    wait: u64,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Report {
    trigger: String,
    /// What was done to set it off.
    done: String,
    /// Events that the host accepted.
    events: Vec<Event>,
    /// Records that were worked on.
    records: Vec<RecordRef>,
    runs: Vec<RunLine>,
}

#[derive(Debug, Serialize)]
struct RunLine {
    id: String,
    connection: String,
    kind: String,
    outcome: String,
    summary: String,
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let client = context.client()?;
    let entry = trigger(&client, args).await?;
    let before = Before::of(&client, &args.workspace).await?;
    let sandbox = Sandbox { base: &args.sandbox };
    let done = set_off(&client, &sandbox, args, &entry).await?;
    let report = before.report(&client, args, &entry, done).await?;
    show(context, &report)?;
    let nothing = report.events.is_empty() && report.runs.is_empty();
    if nothing {
        let why = why_nothing_came(&sandbox, &entry).await;
        return Err(Failure::say(
            Exit::Failed,
            format_args!("nothing arrived within {} s; {why}", args.wait),
        ));
    }
    Ok(())
}

async fn trigger(client: &Client, args: &Args) -> Result<CatalogueEntry, Failure> {
    let entries = client.catalogue(Some(&args.workspace)).await?;
    let found = entries.iter().find(|entry| entry.id == args.trigger);
    match found {
        Some(entry) if entry.kind == CatalogueKind::Trigger => Ok(entry.clone()),
        Some(_) => Err(Failure::say(
            Exit::Usage,
            format_args!(
                "{} is an action: `contactor run {} {}` does it",
                args.trigger, args.workspace, args.trigger
            ),
        )),
        None => {
            let same = |entry: &&CatalogueEntry| {
                entry.kind == CatalogueKind::Trigger && entry.name.eq_ignore_ascii_case(&args.trigger)
            };
            let meant: Vec<&str> = entries.iter().filter(same).map(|entry| entry.id.as_str()).collect();
            let meant = if meant.is_empty() {
                String::new()
            } else {
                format!("; did you mean {}?", meant.join(" or "))
            };
            Err(Failure::say(
                Exit::NotFound,
                format_args!(
                    "no trigger `{}` in {}{meant}\n`contactor catalog --workspace {} --kind trigger` lists those there are",
                    args.trigger, args.workspace, args.workspace
                ),
            ))
        }
    }
}

/// Sets the trigger off and says how.
async fn set_off(
    client: &Client,
    sandbox: &Sandbox<'_>,
    args: &Args,
    entry: &CatalogueEntry,
) -> Result<String, Failure> {
    let workspace = client.workspace(&args.workspace).await?;
    match entry.way {
        CatalogueWay::HighlevelWebhook | CatalogueWay::Found => {
            sandbox.listen("highlevel", &client.address("/webhooks/highlevel")).await?;
            let body = json!({ "location": workspace.location, "event": entry.name, "body": entry.example });
            let mut answer = sandbox.post(&["highlevel", "emit"], &body).await?;
            if entry.way == CatalogueWay::Found {
                // An edit is found only of a task that an earlier look has seen.
                client.poll_tasks(&args.workspace).await?;
                tokio::time::sleep(SEEN).await;
                answer = sandbox.post(&["highlevel", "emit"], &body).await?;
                client.poll_tasks(&args.workspace).await?;
                return Ok(format!("HighLevel's double changed {}", answer["about"]));
            }
            Ok(format!(
                "HighLevel's double sent {} webhooks",
                answer["webhooks"].as_array().map_or(0, Vec::len)
            ))
        }
        CatalogueWay::PartnerWebhook | CatalogueWay::PartnerPoll => {
            if entry.way == CatalogueWay::PartnerWebhook {
                let connection = client.connection(&args.workspace, &entry.owner).await?;
                sandbox.listen(&entry.owner, &client.address(&connection.webhook_path)).await?;
            }
            let body = json!({ "trigger": entry.name });
            match sandbox.post(&[entry.owner.as_str(), "emit"], &body).await {
                Ok(_) if entry.way == CatalogueWay::PartnerPoll => {
                    client.poll(&args.workspace, &entry.owner).await?;
                    Ok(format!("the double of {} changed a record, and its streams are polled", entry.owner))
                }
                Ok(_) => Ok(format!("the double of {} did what sets it off", entry.owner)),
                // Nothing is known of how the vendor sets it off: its manifest's sample is received as if it had been sent.
                Err(Refusal::NoTrigger) => {
                    let received = client.sample(&args.workspace, &entry.owner, &entry.name).await?;
                    let again = if received.new { "" } else { ", which was known already" };
                    Ok(format!("the double has no sender for it; the manifest's sample was received{again}"))
                }
                Err(Refusal::Failed(failure)) => Err(failure),
            }
        }
        CatalogueWay::Timer => {
            // The host's timers are those of its connectors.
            let entries = client.catalogue(Some(&args.workspace)).await?;
            let is_it = |one: &&CatalogueEntry| {
                one.way == CatalogueWay::Timer
                    && one.owner != "host"
                    && (entry.owner == "host" || one.id == entry.id)
            };
            let timer = entries.iter().find(is_it).ok_or_else(|| {
                Failure::say(Exit::NotFound, "no connector of this workspace declares a timer as a trigger")
            })?;
            client.sample(&args.workspace, &timer.owner, &timer.name).await?;
            Ok(format!("the manifest's sample of {} went off as a timer", timer.id))
        }
        CatalogueWay::HighlevelRequest | CatalogueWay::Connector => {
            Err(Failure::say(Exit::Usage, format_args!("{} is an action", entry.id)))
        }
    }
}

/// What the sandbox knows of a webhook that did not lead to anything.
async fn why_nothing_came(sandbox: &Sandbox<'_>, entry: &CatalogueEntry) -> String {
    let double = match entry.way {
        CatalogueWay::HighlevelWebhook => "highlevel",
        CatalogueWay::PartnerWebhook => entry.owner.as_str(),
        CatalogueWay::PartnerPoll => {
            return "a poll tells what changed since an earlier one: run it once more".to_owned();
        }
        _ => return "`contactor health` shows whether the host is at work".to_owned(),
    };
    let told = sandbox.send(Method::GET, &[double, "webhooks"], None).await.unwrap_or_default();
    let last = told["webhooks"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    unheard(double, &last)
}

/// Why the last webhook of a double was not heard, from what became of it.
fn unheard(double: &str, last: &Value) -> String {
    match (last["standing"].as_str(), last["lastStatus"].as_u64()) {
        (Some("no_target"), _) => {
            format!("the double of {double} sends webhooks of this kind to nobody")
        }
        (_, Some(401 | 403)) => format!(
            "the host refused the webhook of the double of {double}: its signature does not fit the key of the configuration, or the \
             connection's --webhook-secret"
        ),
        (_, Some(status)) if status >= 400 => {
            format!("the host answered {status} to the webhook of the double of {double}; its log says why")
        }
        (Some("delivered"), _) => format!("the double of {double} sent a webhook of which nothing is new"),
        (Some(_), None) => {
            format!("the double of {double} has a webhook that it could not deliver to this host")
        }
        _ => format!("the double of {double} sent no webhook"),
    }
}

/// The sandbox's control API.
struct Sandbox<'a> {
    base: &'a Url,
}

/// Why the sandbox did not do it.
enum Refusal {
    /// Nothing of its double sets such a trigger off.
    NoTrigger,
    Failed(Failure),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoTrigger => Self::say(Exit::Refused, "nothing in the sandbox sets such a trigger off"),
            Refusal::Failed(failure) => failure,
        }
    }
}

impl Sandbox<'_> {
    async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Refusal> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Lets a double's webhooks go to an address, too.
    async fn listen(&self, double: &str, address: &str) -> Result<(), Refusal> {
        self.post(&[double, "webhooks", "listen"], &json!({ "address": address })).await.map(drop)
    }

    async fn send(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Value, Refusal> {
        let failed = Refusal::Failed;
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("_control").extend(path);
        }
        let http = client(&Options::default()).map_err(|error| failed(Failure::new(Exit::Failed, error)))?;
        let mut request = http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|_| {
            failed(Failure::say(
                Exit::Unreachable,
                format_args!(
                    "no sandbox answers at {}\nstart one with `contactor sandbox`, or name a running one with --sandbox URL",
                    self.base
                ),
            ))
        })?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(told);
        }
        if told["code"] == "no-such-trigger" {
            return Err(Refusal::NoTrigger);
        }
        let why = told["error"].as_str().unwrap_or("it says nothing").to_owned();
        Err(failed(Failure::say(Exit::Refused, format_args!("the sandbox refused it ({status}): {why}"))))
    }
}

fn newest(limit: u32) -> EventQuery {
    EventQuery { limit: Some(limit), ..EventQuery::default() }
}

/// What was there before.
struct Before {
    event: i64,
    run: Option<String>,
}

impl Before {
    async fn of(client: &Client, workspace: &str) -> Result<Self, Failure> {
        let event = client.events(workspace, &newest(1)).await?.first().map_or(0, |event| event.seq);
        let run = client.runs(&latest(workspace, 1)).await?.first().map(|run| run.id.clone());
        Ok(Self { event, run })
    }

    /// Waits until the host has nothing left to do, and says what it did since.
    async fn report(
        &self,
        client: &Client,
        args: &Args,
        entry: &CatalogueEntry,
        done: String,
    ) -> Result<Report, Failure> {
        let deadline = Instant::now() + Duration::from_secs(args.wait);
        let by_event = matches!(entry.way, CatalogueWay::HighlevelWebhook | CatalogueWay::PartnerWebhook);
        loop {
            // Oldest first: the event itself comes before the echoes of what it caused.
            let mut events: Vec<Event> = client
                .events(&args.workspace, &newest(LATEST))
                .await?
                .into_iter()
                .filter(|event| event.seq > self.event)
                .collect();
            events.sort_by_key(|event| event.seq);
            let runs: Vec<Run> = client
                .runs(&latest(&args.workspace, LATEST))
                .await?
                .into_iter()
                .take_while(|run| self.run.as_ref().is_none_or(|before| run.id > *before))
                .collect();
            let arrived = if by_event { !events.is_empty() } else { !runs.is_empty() };
            let settled = events.iter().all(|event| event.state != EventState::Accepted);
            let counts = client.health().await?.counts;
            let idle = counts.waiting == 0 && counts.unread_events == 0;
            if (arrived && settled && idle) || Instant::now() > deadline {
                let records: BTreeSet<(String, String, String)> = runs.iter().filter_map(record_of).collect();
                return Ok(Report {
                    trigger: entry.id.clone(),
                    done,
                    events,
                    records: records.into_iter().filter_map(record).collect(),
                    runs: runs.iter().rev().map(line).collect(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn latest(workspace: &str, limit: u32) -> RunQuery {
    RunQuery { workspace: Some(workspace.to_owned()), limit: Some(limit), ..RunQuery::default() }
}

fn record_of(run: &Run) -> Option<(String, String, String)> {
    let entity = run.entity.clone()?;
    let highlevel = run.highlevel_id.clone().map(|id| ("highlevel".to_owned(), id));
    let (side, id) = highlevel.or_else(|| run.partner_id.clone().map(|id| ("partner".to_owned(), id)))?;
    Some((entity, side, id))
}

fn record((entity, side, record): (String, String, String)) -> Option<RecordRef> {
    serde_json::from_value(json!({ "entity": entity, "side": side, "record": record })).ok()
}

fn line(run: &Run) -> RunLine {
    RunLine {
        id: run.id.clone(),
        connection: run.connection.clone(),
        kind: word(&run.kind),
        outcome: word(&run.outcome),
        summary: run.summary.clone(),
    }
}

fn show(context: &Context, report: &Report) -> Result<(), Failure> {
    let mut lines = vec![("trigger", report.trigger.clone()), ("done", report.done.clone())];
    lines.extend(
        report
            .events
            .iter()
            .map(|event| ("event", format!("{} {} {}", event.seq, event.kind, word(&event.state)))),
    );
    lines.extend(
        report.records.iter().map(|record| ("record", format!("{} {}", record.entity, record.record))),
    );
    lines.extend(report.runs.iter().map(|run| {
        ("run", format!("{} {} {} {}: {}", run.id, run.connection, run.kind, run.outcome, run.summary))
    }));
    Ok(context.out.one(report, &lines)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_was_not_heard_says_what_to_mend() {
        assert!(unheard("highlevel", &json!({ "standing": "no_target" })).contains("to nobody"));
        let refused = json!({ "standing": "queued", "lastStatus": 401 });
        assert!(unheard("prefinery", &refused).contains("--webhook-secret"));
        assert!(unheard("prefinery", &json!({ "standing": "queued", "lastStatus": 503 })).contains("503"));
        assert!(unheard("prefinery", &Value::Null).contains("sent no webhook"));
    }
}

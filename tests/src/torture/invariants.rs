//! What must hold after a history has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use contactor_sandbox::outbox::Outbox;
use serde_json::{Value, json};

use super::Report;
use super::world::{Deleted, Person, World};

/// Writes per edit at most: an edit is one write on the other side, a new contact also a tag and a task, and each lost answer
/// has its write made again.
const WRITES_PER_EDIT: u64 = 8;

/// Holds the doubles and the store against everything that is promised.
pub(super) async fn check(world: &World) -> Result<Report> {
    let mut report = Report {
        edits: world.edits,
        faults: world.sandbox.faults().struck(),
        kills: world.kills,
        writes: world.writes() - world.writes_before,
        ..Report::default()
    };
    accepted(world, &mut report).await?;
    doubled(world, &mut report).await?;
    differing(world, &mut report);
    undone(world, &mut report);
    stuck(world, &mut report).await?;
    let bound = WRITES_PER_EDIT * (report.edits + 4) + report.faults;
    if report.writes > bound {
        report
            .unresolved
            .push(format!("{} writes for {} edits, more than {bound}", report.writes, report.edits));
    }
    Ok(report)
}

/// Every webhook that was answered 200 is an event in the store, which has ended in exactly one way.
async fn accepted(world: &World, report: &mut Report) -> Result<()> {
    let events = world.host()?.get("/workspaces/acme/events?limit=500").await?;
    let events = events.as_array().cloned().unwrap_or_default();
    let known: BTreeSet<&str> = events.iter().filter_map(|event| event["key"].as_str()).collect();
    for outbox in world.sandbox.outboxes() {
        for (name, key) in answered(outbox) {
            if !known.contains(key.as_str()) {
                report.lost.push(format!("{name} {key} was answered 200 and is not in the store"));
            }
        }
    }
    for event in &events {
        let ended =
            ["applied", "superseded", "parked", "ignored"].contains(&event["state"].as_str().unwrap_or(""));
        if !ended {
            report
                .unresolved
                .push(format!("event {} ({}) is {}", event["seq"], event["kind"], event["state"]));
        }
    }
    Ok(())
}

/// Webhooks that the host has acknowledged, by the key that it knows them by.
fn answered(outbox: &Outbox) -> Vec<(String, String)> {
    let acknowledged = outbox.webhooks().into_iter().filter(|webhook| webhook.last_status == Some(200));
    let keys = acknowledged.filter_map(|webhook| {
        let key = webhook.json()["webhookId"].as_str().map(str::to_owned)?;
        Some((webhook.event.clone(), key))
    });
    keys.collect()
}

/// No record was created twice, and none that was deleted came back.
async fn doubled(world: &World, report: &mut Report) -> Result<()> {
    let contacts = world.sandbox.highlevel().contacts(&world.location);
    let testers = world.sandbox.prefinery().testers(world.project);
    for (side, records) in [("HighLevel", &contacts), ("Prefinery", &testers)] {
        for (email, count) in by_email(records) {
            if count > 1 {
                report.duplicated.push(format!("{count} records of {email} in {side}"));
            }
        }
    }
    for contact in &contacts {
        let id = contact["id"].as_str().unwrap_or_default();
        let tasks = world.sandbox.highlevel().tasks(&world.location, id);
        let welcome = tasks.iter().filter(|task| task["title"] == "Welcome").count();
        if welcome > 1 {
            let story = story(world, id).await?;
            report
                .duplicated
                .push(format!("{welcome} welcome tasks of {}: {tasks:?}{story}", contact["email"]));
        }
    }
    came_back(&world.people, &contacts, &testers, report);
    Ok(())
}

/// What people deleted stays deleted, and nothing else is.
fn came_back(people: &[Person], contacts: &[Value], testers: &[Value], report: &mut Report) {
    let is_linked = |deleted: &Option<Deleted>| deleted.as_ref().is_some_and(|deleted| deleted.linked);
    let among = |records: &[Value], person: &Person| {
        records.iter().any(|record| record["email"] == json!(person.email))
    };
    for person in people {
        let sides = [
            ("HighLevel", among(contacts, person), &person.deleted, &person.deleted_tester),
            ("Prefinery", among(testers, person), &person.deleted_tester, &person.deleted),
        ];
        for (side, is_there, deleted, other) in sides {
            match deleted {
                Some(_) if is_linked(deleted) && is_there => {
                    report.duplicated.push(format!("{} was deleted in {side} and came back", person.email));
                }
                None if is_linked(other) && !is_there && !person.confirmed => {
                    report.lost.push(format!(
                        "{} was deleted in {side} by the host, which nobody confirmed",
                        person.email
                    ));
                }
                _ => {}
            }
        }
    }
}

/// A record whose delete was undone is there, and shows what it showed.
fn undone(world: &World, report: &mut Report) {
    let both_deleted = |person: &Person| person.deleted.is_some() && person.deleted_tester.is_some();
    for person in world.people.iter().filter(|person| person.undone && !both_deleted(person)) {
        let Some(left) = &person.left else { continue };
        match world.left(person) {
            Some(found) if found == *left => report.undone += 1,
            Some(found) => report
                .lost
                .push(format!("{} is {found:?} after the undo of a delete, and was {left:?}", person.email)),
            None => report.lost.push(format!("{} is not back after the undo of its delete", person.email)),
        }
    }
}

/// The runs of a contact, each with its calls: what a person would look at.
async fn story(world: &World, contact: &str) -> Result<String> {
    let runs = world.host()?.get(&format!("/runs?workspace=acme&record={contact}&limit=100")).await?;
    let mut story = String::new();
    for run in runs.as_array().into_iter().flatten().rev() {
        let detail = world.host()?.get(&format!("/runs/{}", text(&run["id"]))).await?;
        let calls = detail["calls"].as_array().cloned().unwrap_or_default();
        let calls = calls
            .iter()
            .filter(|call| call["target"] != "guest")
            .map(|call| format!("{} {} {}", text(&call["operation"]), call["status"], text(&call["error"])));
        let calls: Vec<_> = calls.collect();
        let _ = write!(
            story,
            "\n        {} {} {}: {} [{}]",
            text(&run["started_at"]),
            text(&run["kind"]),
            text(&run["outcome"]),
            text(&run["summary"]),
            calls.join("; ")
        );
    }
    Ok(story)
}

fn by_email(records: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for email in records.iter().filter_map(|record| record["email"].as_str()) {
        *counts.entry(email.to_lowercase()).or_insert(0) += 1;
    }
    counts
}

/// Both sides show the same of everybody who is on both.
fn differing(world: &World, report: &mut Report) {
    let contacts = world.sandbox.highlevel().contacts(&world.location);
    let whole = |person: &&Person| person.deleted.is_none() && person.deleted_tester.is_none();
    for person in world.people.iter().filter(whole) {
        let contact = contacts.iter().find(|contact| contact["email"] == json!(person.email));
        let tester = world.sandbox.prefinery().tester(world.project, &person.email);
        let (Some(contact), Some(tester)) = (contact, tester) else {
            report.unresolved.push(format!("{} is on one side only", person.email));
            continue;
        };
        for (own, theirs) in [("firstName", "first_name"), ("lastName", "last_name")] {
            let (ours, partners) = (text(&contact[own]), text(&tester["profile"][theirs]));
            if ours != partners {
                report.unresolved.push(format!(
                    "{} of {}: {ours:?} in HighLevel, {partners:?} in Prefinery",
                    own, person.email
                ));
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Nothing waits, runs or rests, and nobody has to look at anything.
async fn stuck(world: &World, report: &mut Report) -> Result<()> {
    let health = world.host()?.get("/health").await?;
    for name in ["waiting", "unread_events", "deliveries", "messages"] {
        if health["counts"][name] != json!(0) {
            report.unresolved.push(format!("{} of {name} are left", health["counts"][name]));
        }
    }
    let parked = world.host()?.get("/workspaces/acme/parked").await?;
    for entry in parked.as_array().into_iter().flatten() {
        report.unresolved.push(format!("parked: {} {}", entry["record"], entry["reason"]));
    }
    let connection = world.host()?.get("/workspaces/acme/connections/prefinery").await?;
    if connection["state"] != "enabled" {
        report
            .unresolved
            .push(format!("the connection is {}: {}", connection["state"], connection["state_reason"]));
    }
    Ok(())
}

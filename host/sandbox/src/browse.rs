//! Read-only pages that show a double's records and the recent requests, for people trying things out.

use std::fmt::Write;

use serde_json::Value;

use crate::World;
use crate::http::{Call, Reply};
use crate::recorder::Seen;

/// Rows of each table.
const ROWS: usize = 200;

/// Letters of a cell; the rest of a longer text is left out.
const LETTERS: usize = 1000;

/// Records of one kind, oldest first.
struct Section {
    heading: &'static str,
    columns: &'static [&'static str],
    records: Vec<Value>,
}

pub(crate) fn page(world: &World, call: &Call, vendor: &str) -> Reply {
    let Some((title, sections)) = sections(world, call, vendor) else {
        return Reply::html(404, "There is no such double.".into());
    };
    let mut html = String::from(
        "<!doctype html><meta charset=utf-8><title>Sandbox</title><style>body{font:14px system-ui;margin:2em}\
         table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .5em;text-align:left}\
         </style>",
    );
    let _ = write!(html, "<h1>{}</h1>", escape(&title));
    for Section { heading, columns, records } in sections {
        let _ =
            write!(html, "<h2>{heading}</h2><p>{} records; the newest {ROWS} are shown.</p>", records.len());
        let newest = records.iter().rev().take(ROWS);
        table(
            &mut html,
            columns,
            newest.map(|record| columns.iter().map(|column| cell(&record[*column])).collect()),
        );
    }
    html.push_str("<h2>Recent requests</h2>");
    let prefix = format!("{vendor}.");
    let recent = world.recorder.recent();
    let recent = recent.iter().rev().filter(|seen| seen.operation.starts_with(&prefix)).take(ROWS);
    table(&mut html, &["at", "operation", "request", "body", "status", "own status"], recent.map(request));
    Reply::html(200, html)
}

fn request(seen: &Seen) -> Vec<String> {
    let status = |status: Option<u16>| status.map_or_else(|| "–".to_owned(), |status| status.to_string());
    vec![
        seen.at.clone(),
        seen.operation.clone(),
        format!("{} {}", seen.method, seen.path),
        seen.body.clone().unwrap_or_default(),
        status(seen.status),
        status(seen.own_status),
    ]
}

/// Title and records of a double; `None` for one that is not there.
fn sections(world: &World, call: &Call, vendor: &str) -> Option<(String, Vec<Section>)> {
    let section = |heading, columns, records| Section { heading, columns, records };
    Some(match vendor {
        "connectif" => ("Connectif".to_owned(), connectif(world)),
        "formbuilder" => {
            let first = world.formbuilder.first_form();
            let form = call.query("form").and_then(|id| id.parse().ok()).unwrap_or(first);
            let columns = &["id", "entry_id", "date", "payed", "approved", "deleted", "content"];
            let submissions = world.formbuilder.submissions(form);
            (format!("123FormBuilder, form {form}"), vec![section("Submissions", columns, submissions)])
        }
        "highlevel" => {
            let first = world.highlevel.first_location();
            let location = call.query("location").unwrap_or(&first);
            (format!("HighLevel, location {location}"), highlevel(world, location))
        }
        "pheedloop" => {
            let event = call.query("event").map_or_else(|| world.pheedloop.first_event(), str::to_owned);
            (format!("PheedLoop, event {event}"), pheedloop(world, &event))
        }
        "prefinery" => {
            let first = world.prefinery.first_project();
            let project = call.query("project").and_then(|id| id.parse().ok()).unwrap_or(first);
            let columns = &["id", "email", "status", "groups", "profile", "updated_at"];
            let testers = world.prefinery.testers(project);
            (format!("Prefinery, project {project}"), vec![section("Testers", columns, testers)])
        }
        "referrizer" => ("Referrizer".to_owned(), referrizer(world)),
        _ => return None,
    })
}

fn connectif(world: &World) -> Vec<Section> {
    let received = world.connectif.events();
    vec![
        Section {
            heading: "Contacts",
            columns: &[
                "_email",
                "_name",
                "_surname",
                "_mobilePhone",
                "_newsletterSubscriptionStatus",
                "_updatedAt",
            ],
            records: world.connectif.contacts(),
        },
        Section {
            heading: "Received events",
            columns: &["at", "event", "email", "body"],
            records: received.iter().filter_map(|event| serde_json::to_value(event).ok()).collect(),
        },
    ]
}

fn highlevel(world: &World, location: &str) -> Vec<Section> {
    let contacts = world.highlevel.contacts(location);
    let of_each = |children: &dyn Fn(&str) -> Vec<Value>| -> Vec<Value> {
        contacts.iter().filter_map(|contact| contact["id"].as_str()).flat_map(children).collect()
    };
    let tasks = of_each(&|contact| world.highlevel.tasks(location, contact));
    let notes = of_each(&|contact| world.highlevel.notes(location, contact));
    vec![
        Section {
            heading: "Contacts",
            columns: &["id", "name", "email", "phone", "tags", "dnd", "dateUpdated"],
            records: contacts,
        },
        Section {
            heading: "Tasks",
            columns: &["id", "contactId", "title", "body", "dueDate", "completed", "assignedTo"],
            records: tasks,
        },
        Section { heading: "Notes", columns: &["id", "contactId", "body", "dateAdded"], records: notes },
        Section {
            heading: "Appointments",
            columns: &["id", "contactId", "title", "startTime", "endTime", "appointmentStatus"],
            records: world.highlevel.appointments(location),
        },
    ]
}

fn pheedloop(world: &World, event: &str) -> Vec<Section> {
    vec![
        Section {
            heading: "Attendees",
            columns: &[
                "code",
                "email",
                "first_name",
                "last_name",
                "organization",
                "tags",
                "metadata",
                "is_checked_in",
            ],
            records: world.pheedloop.attendees(event),
        },
        Section {
            heading: "Registrations",
            columns: &["code", "attendee_code", "email", "ticket_name", "canceled"],
            records: world.pheedloop.registrations(event),
        },
    ]
}

fn referrizer(world: &World) -> Vec<Section> {
    vec![
        Section {
            heading: "Contacts",
            columns: &[
                "id",
                "email",
                "firstName",
                "lastName",
                "phone",
                "status",
                "loyaltyPoints",
                "customFields",
            ],
            records: world.referrizer.contacts(),
        },
        Section {
            heading: "Visits",
            columns: &["id", "contactId", "points", "date"],
            records: world.referrizer.visits(),
        },
    ]
}

fn table(html: &mut String, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let line = |html: &mut String, tag: &str, cells: &mut dyn Iterator<Item = String>| {
        html.push_str("<tr>");
        for cell in cells {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(&short(&cell)));
        }
        html.push_str("</tr>");
    };
    html.push_str("<table>");
    line(html, "th", &mut columns.iter().map(ToString::to_string));
    for row in rows {
        line(html, "td", &mut row.into_iter());
    }
    html.push_str("</table>");
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    let mut letters = text.chars();
    let shown: String = letters.by_ref().take(LETTERS).collect();
    if letters.next().is_some() { shown + "…" } else { shown }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! Read-only pages that show a double's records and the recent requests, for people trying things out.

use std::fmt::Write;

use serde_json::Value;

use crate::World;
use crate::http::{Call, Reply};

/// Rows of each table.
const ROWS: usize = 200;

pub(crate) fn page(world: &World, call: &Call, vendor: &str) -> Reply {
    let (title, records) = match vendor {
        "formbuilder" => {
            let first = world.formbuilder.first_form();
            let form = call.query("form").and_then(|id| id.parse().ok()).unwrap_or(first);
            (format!("123FormBuilder, form {form}"), world.formbuilder.submissions(form))
        }
        "highlevel" => {
            let first = world.highlevel.first_location();
            let location = call.query("location").unwrap_or(&first);
            (format!("HighLevel, location {location}"), world.highlevel.contacts(location))
        }
        "pheedloop" => {
            let event = call.query("event").map_or_else(|| world.pheedloop.first_event(), str::to_owned);
            (format!("PheedLoop, event {event}"), world.pheedloop.attendees(&event))
        }
        "prefinery" => {
            let first = world.prefinery.first_project();
            let project = call.query("project").and_then(|id| id.parse().ok()).unwrap_or(first);
            (format!("Prefinery, project {project}"), world.prefinery.testers(project))
        }
        "connectif" => ("Connectif".to_owned(), world.connectif.contacts()),
        "referrizer" => ("Referrizer".to_owned(), world.referrizer.contacts()),
        _ => return Reply::html(404, "There is no such double.".into()),
    };
    let columns: &[&str] = match vendor {
        "formbuilder" => &["id", "entry_id", "date", "payed", "approved", "deleted", "content"],
        "highlevel" => &["id", "name", "email", "phone", "tags", "dnd", "dateUpdated"],
        "connectif" => {
            &["_email", "_name", "_surname", "_mobilePhone", "_newsletterSubscriptionStatus", "_updatedAt"]
        }
        "pheedloop" => {
            &["code", "email", "first_name", "last_name", "organization", "tags", "metadata", "is_checked_in"]
        }
        "referrizer" => {
            &["id", "email", "firstName", "lastName", "phone", "status", "loyaltyPoints", "customFields"]
        }
        _ => &["id", "email", "status", "groups", "profile", "updated_at"],
    };
    let mut html = String::from(
        "<!doctype html><meta charset=utf-8><title>Sandbox</title><style>body{font:14px system-ui;margin:2em}\
         table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .5em;text-align:left}\
         </style>",
    );
    let _ = write!(
        html,
        "<h1>{}</h1><p>{} records; the newest {ROWS} are shown.</p>",
        escape(&title),
        records.len()
    );
    table(
        &mut html,
        columns,
        records
            .iter()
            .rev()
            .take(ROWS)
            .map(|record| columns.iter().map(|column| cell(&record[*column])).collect()),
    );
    html.push_str("<h2>Recent requests</h2>");
    let prefix = format!("{vendor}.");
    let recent = world.recorder.recent();
    let recent = recent.iter().rev().filter(|seen| seen.operation.starts_with(&prefix)).take(ROWS);
    table(
        &mut html,
        &["at", "operation", "request", "status", "own status"],
        recent.map(|seen| {
            let status =
                |status: Option<u16>| status.map_or_else(|| "–".to_owned(), |status| status.to_string());
            vec![
                seen.at.clone(),
                seen.operation.clone(),
                format!("{} {}", seen.method, seen.path),
                status(seen.status),
                status(seen.own_status),
            ]
        }),
    );
    Reply::html(200, html)
}

fn table(html: &mut String, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let line = |html: &mut String, tag: &str, cells: &mut dyn Iterator<Item = String>| {
        html.push_str("<tr>");
        for cell in cells {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(&cell));
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

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

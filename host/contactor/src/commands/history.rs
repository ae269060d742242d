//! `contactor timeline` and `events`: what happened.

use clap::{Args, Subcommand};

use contactor_server::dto::{
    EventDetail, EventQuery, EventState, FieldStory, Side, StoryQuery, TimelineQuery,
};

use super::Context;
use crate::exit::Failure;
use crate::output::{self, or_dash, value, when, word};

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor timeline acme ocQHyuzHvysMo5N5VsXc
  contactor timeline acme ocQHyuzHvysMo5N5VsXc --limit 20 --before 2026-11-26T12:00:00Z
  contactor timeline acme ocQHyuzHvysMo5N5VsXc --field firstName
  contactor timeline acme 4711 --field profile.first_name --connection prefinery --json")]
pub(crate) struct TimelineArgs {
    /// The workspace's id.
    workspace: String,
    /// HighLevel's id of the contact, or a partner's of its record.
    contact: String,
    /// Tell why this field has its value. HighLevel's name of the field, or a partner's.
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// With `--field`, only what this connector has to do with it.
    #[arg(long, value_name = "CONNECTOR", requires = "field")]
    connection: Option<String>,
    /// Only what happened before this instant, such as 2026-11-26T12:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "field")]
    before: Option<jiff::Timestamp>,
    /// At most this many entries, the newest.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

pub(crate) async fn timeline(context: &Context, args: &TimelineArgs) -> Result<(), Failure> {
    if let Some(field) = &args.field {
        let query = StoryQuery { connector: args.connection.clone(), limit: Some(args.limit) };
        let story = context.client()?.why(&args.workspace, &args.contact, field, &query).await?;
        return Ok(why(context, &story)?);
    }
    let query = TimelineQuery { before: args.before, limit: Some(args.limit) };
    let timeline = context.client()?.timeline(&args.workspace, &args.contact, &query).await?;
    if context.out.json {
        return Ok(output::json(&timeline)?);
    }
    for link in &timeline.links {
        let of = format!("{} {} {}", link.connection, link.entity, link.partner_id);
        context.out.text(&format!(
            "linked with {of} since {} ({})",
            when(link.created_at),
            word(&link.state)
        ))?;
    }
    context.out.list(&timeline.entries, ["AT", "WHAT", "CONNECTION", "RUN", "SUMMARY"], |entry| {
        let mut summary = vec![entry.summary.clone()];
        summary.extend(entry.cause.as_ref().map(|cause| format!("({})", word(cause))));
        summary.extend((!entry.changes.is_empty()).then(|| format!("[{}]", entry.changes.join("; "))));
        [
            when(entry.at),
            word(&entry.kind),
            or_dash(entry.connection.as_ref()),
            or_dash(entry.run.as_ref()),
            summary.join(" "),
        ]
    })?;
    if let Some(first) = timeline.entries.first().filter(|_| timeline.more) {
        context.out.note(&format!("there is more: --before {}", first.at))?;
    }
    Ok(context.out.note(&format!("what happened before {} is forgotten", when(timeline.kept_since)))?)
}

/// The answer, what the field is joined with, and its history.
fn why(context: &Context, story: &FieldStory) -> std::io::Result<()> {
    if context.out.json {
        return output::json(story);
    }
    let out = context.out;
    out.text(&story.answer)?;
    for join in &story.joined {
        let known =
            |known: &Option<serde_json::Value>| known.as_ref().map_or("(not known)".to_owned(), value);
        out.text("")?;
        out.text(&format!("{}, row of the {}:", join.connection, word(&join.row.origin)))?;
        out.text(&format!("  HighLevel {}: {}", text(&join.row.row["highlevel"]), known(&join.highlevel)))?;
        out.text(&format!(
            "  {} {}: {}",
            join.partner,
            text(&join.row.row["partner"]),
            known(&join.partner_value)
        ))?;
        out.text(&format!("  {}", rules(&join.row.row)))?;
        if let Some(link) = &join.link {
            let state = word(&link.state);
            out.text(&format!("  linked {} = {} ({state})", link.highlevel_id, link.partner_id))?;
        }
        if let Some(conflict) = join.conflict {
            out.text(&format!("  conflict {conflict} waits"))?;
        }
    }
    out.text("")?;
    out.list(&story.history, ["AT", "WHAT", "FIELD", "BEFORE → AFTER", "RUN", "WHY"], |moment| {
        let side = if moment.side == Side::Highlevel { "highlevel" } else { "partner" };
        let change = match (&moment.before, &moment.after) {
            (None, None) => "-".to_owned(),
            (before, after) => {
                let show = |known: &Option<serde_json::Value>| known.as_ref().map_or("?".to_owned(), value);
                format!("{} → {}", show(before), show(after))
            }
        };
        [
            when(moment.at),
            word(&moment.kind),
            format!("{side}.{}", moment.field),
            change,
            or_dash(moment.run.as_ref()),
            format!("{}: {}", moment.connection, moment.summary),
        ]
    })?;
    if story.more {
        out.note("there is more: --limit shows up to 500")?;
    }
    out.note(&format!("what happened before {} is forgotten", when(story.kept_since)))
}

fn text(json: &serde_json::Value) -> &str {
    json.as_str().unwrap_or_default()
}

/// Direction, policy and expressions of a row.
fn rules(row: &serde_json::Value) -> String {
    let mut parts =
        vec![format!("direction {}", text(&row["direction"])), format!("policy {}", text(&row["policy"]))];
    for name in ["to_partner", "to_highlevel"] {
        parts.extend(
            row.get(name).and_then(|value| value.as_str()).map(|source| format!("{name} `{source}`")),
        );
    }
    if row.get("values").is_some() {
        parts.push("with a table of values".to_owned());
    }
    parts.join(", ")
}

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// List accepted webhooks of a workspace, newest first.
    List(EventList),
    /// Show one accepted webhook with its headers and its body.
    #[command(after_help = "\
Example:
  contactor events show acme 4711")]
    Show {
        /// The workspace's id.
        workspace: String,
        /// The event's number, as `events list` shows it.
        event: i64,
    },
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor events list acme --record ocQHyuzHvysMo5N5VsXc
  contactor events list acme --type ContactUpdate --state parked --since 2026-11-26T00:00:00Z
  contactor events list acme --before 4711        the page after the one that ends with 4711")]
pub(crate) struct EventList {
    /// The workspace's id.
    workspace: String,
    /// Only those that mention this id, or whose run was of the record with it on either side.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Only of this type, as the vendor calls it.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only those that stand like this.
    #[arg(long, value_parser = state, value_name = "accepted|applied|superseded|parked|ignored")]
    state: Option<EventState>,
    /// Only those received at this instant or later, such as 2026-11-26T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Only events older than this one.
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

fn state(text: &str) -> Result<EventState, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "one of accepted, applied, superseded, parked, ignored".to_owned())
}

pub(crate) async fn events(context: &Context, command: EventsCommand) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        EventsCommand::List(args) => {
            let EventList { workspace, record, kind, state, since, before, limit } = args;
            let query = EventQuery { record, kind, state, since, before, limit: Some(limit) };
            let events = client.events(&workspace, &query).await?;
            Ok(context.out.list(&events, ["SEQ", "AT", "FROM", "KIND", "STATE", "CONNECTION"], |e| {
                [
                    e.seq.to_string(),
                    when(e.received_at),
                    word(&e.source),
                    e.kind.clone(),
                    word(&e.state),
                    or_dash(e.connection.as_ref()),
                ]
            })?)
        }
        EventsCommand::Show { workspace, event } => {
            Ok(show_event(context, &client.event(&workspace, event).await?)?)
        }
    }
}

fn show_event(context: &Context, detail: &EventDetail) -> std::io::Result<()> {
    let event = &detail.event;
    let mut lines = vec![
        ("event", event.seq.to_string()),
        ("from", word(&event.source)),
        ("connection", or_dash(event.connection.as_ref())),
        ("type", event.kind.clone()),
        ("state", word(&event.state)),
        ("received", when(event.received_at)),
        ("key", event.key.clone()),
    ];
    let headers = detail.headers.as_object().into_iter().flatten();
    lines.extend(headers.map(|(name, text)| ("header", format!("{name}: {}", value(text)))));
    let forgotten = "(forgotten: its time is over)".to_owned();
    lines.push(("body", if detail.body.is_empty() { forgotten } else { detail.body.clone() }));
    context.out.one(detail, &lines)
}

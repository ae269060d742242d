//! `contactor mapping`: which fields belong together, without a file.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use contactor_server::dto::{
    DraftReport, DraftTotals, MappingDraft, MappingRow, MappingRowQuery, MappingTrial, Policy, PreviewItem,
    RowOrigin, SetMappingPolicy, SetMappingRow, TrialReport,
};
use serde_json::{Map, Value, json};

use super::Context;
use super::connection::object;
use crate::exit::Failure;
use crate::output::{self, value, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the rows that count, and those that are switched off.
    #[command(after_help = "Example:\n  contactor mapping show acme prefinery")]
    Show(Which),
    /// Write a row, in place of the one that joins the same two fields.
    Set(Box<Set>),
    /// Choose who wins when both sides changed a field; the rest of its row stays as it is.
    #[command(after_help = "\
Examples:
  contactor mapping policy acme prefinery lastName profile.last_name ask
  contactor mapping policy acme prefinery lastName profile.last_name highlevel")]
    Policy(ChoosePolicy),
    /// Take a row of your own away; the connector's counts again.
    #[command(after_help = "Example:\n  contactor mapping unset acme prefinery lastName profile.last_name")]
    Unset(Unset),
    /// Show what would become of a record's values, or with --events what a draft would change. Nothing is written.
    #[command(visible_alias = "try")]
    Test(Test),
}

#[derive(Args)]
pub(crate) struct Which {
    /// The workspace's id.
    workspace: String,
    /// The connector's id.
    connector: String,
}

#[derive(Args)]
struct Fields {
    /// The field in HighLevel, for example `firstName` or `customFields.plan`.
    highlevel: String,
    /// The field at the partner; `contactor connector docs FILE` lists them.
    partner: String,
    /// The kind of record.
    #[arg(long, default_value = "contact")]
    entity: String,
}

/// Write a row, in place of the one that joins the same two fields. Both fields have to exist: the partner's in the connector's
/// manifest, a custom field in the location.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor mapping set acme prefinery firstName profile.first_name --to-partner 'value|name_case'
  contactor mapping set acme prefinery customFields.plan profile.custom_var2 --value gold=1 --value silver=2
  contactor mapping set acme prefinery lastName profile.last_name --off")]
pub(crate) struct Set {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    fields: Fields,
    /// Ways in which the value travels.
    #[arg(long, value_enum, default_value = "both")]
    direction: DirectionArg,
    /// Expression over HighLevel's record for the partner's field; `value` is the field's own value.
    #[arg(long, value_name = "EXPRESSION")]
    to_partner: Option<String>,
    /// Expression over the partner's record for HighLevel's field.
    #[arg(long, value_name = "EXPRESSION")]
    to_highlevel: Option<String>,
    /// A value of HighLevel's and what the partner calls it, in both directions. `*` stands for every other value.
    #[arg(long = "value", value_name = "HIGHLEVEL=PARTNER", value_parser = pair)]
    values: Vec<(String, String)>,
    /// Who wins when both sides changed.
    #[arg(long, value_enum, default_value = "latest-update")]
    policy: PolicyArg,
    /// Leave the row out, and the connector's with it.
    #[arg(long)]
    off: bool,
}

#[derive(Args)]
pub(crate) struct ChoosePolicy {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    fields: Fields,
    /// Who wins when both sides changed: the record that was updated last, that side, nobody until a person decides, or, for
    /// consent, the stricter value.
    #[arg(value_enum)]
    policy: PolicyArg,
}

#[derive(Args)]
pub(crate) struct Unset {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    fields: Fields,
}

/// Show what would become of a record's values, row by row and in each direction: the value, what the expression makes of it, what
/// would be written, what its type loses, what the other side holds, and required fields that get nothing.
///
/// With --events the records of the last events are planned as a whole, with the draft and with the mapping in force: what would be
/// created and changed on both sides, conflicts, what is left alone and why, and what it would cost. Records are read as they are now.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor mapping test acme prefinery --contact ocQHyuzHvysMo5N5VsXc
  contactor mapping test acme prefinery --given sample.toml --mapping draft.toml
  contactor mapping try acme prefinery --mapping draft.toml --events 50
  contactor mapping test acme referrizer --entity task --contact ocQHyuzHvysMo5N5VsXc --record wYb2kAPiFH5eVu0XcXhq

A file of sample values has a table for each side: [highlevel] and [partner].")]
pub(crate) struct Test {
    #[command(flatten)]
    which: Which,
    /// The kind of record.
    #[arg(long, default_value = "contact")]
    entity: String,
    /// A contact of HighLevel's; its counterpart is read, too. With --entity task, note or appointment: whose record it is.
    #[arg(long, value_name = "ID")]
    contact: Option<String>,
    /// A record of the partner's; its counterpart is read, too. With --entity task, note or appointment: HighLevel's, of that contact.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// A stored event, which shows the record as it was then; `contactor events list` numbers them.
    #[arg(long, value_name = "NUMBER")]
    event: Option<i64>,
    /// Sample values from a TOML or JSON file; they go before what is read.
    #[arg(long, value_name = "FILE")]
    given: Option<PathBuf>,
    /// A draft in place of your stored rows, as `contactor connection enable --mapping` takes it.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Plan the records of the last events, at most this many, with the draft and with the mapping in force.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200),
          conflicts_with_all = ["contact", "record", "event", "given", "entity"])]
    events: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum DirectionArg {
    Both,
    ToPartner,
    ToHighlevel,
}

#[derive(Clone, Copy, ValueEnum)]
enum PolicyArg {
    LatestUpdate,
    Highlevel,
    Partner,
    Ask,
    Stricter,
}

impl From<PolicyArg> for Policy {
    fn from(policy: PolicyArg) -> Self {
        match policy {
            PolicyArg::LatestUpdate => Self::LatestUpdate,
            PolicyArg::Highlevel => Self::Highlevel,
            PolicyArg::Partner => Self::Partner,
            PolicyArg::Ask => Self::Ask,
            PolicyArg::Stricter => Self::Stricter,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (highlevel, partner) = text.split_once('=').ok_or("a value is given as HIGHLEVEL=PARTNER")?;
    Ok((highlevel.to_owned(), partner.to_owned()))
}

/// The word of a choice, as the API writes it.
fn chosen(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl Set {
    fn row(&self) -> Value {
        let mut row = json!({
            "highlevel": self.fields.highlevel,
            "partner": self.fields.partner,
            "direction": chosen(&self.direction),
            "policy": chosen(&self.policy),
        });
        if let Some(expression) = &self.to_partner {
            row["to_partner"] = json!(expression);
        }
        if let Some(expression) = &self.to_highlevel {
            row["to_highlevel"] = json!(expression);
        }
        if !self.values.is_empty() {
            row["values"] = tables(&self.values);
        }
        if self.off {
            row["off"] = json!(true);
        }
        row
    }
}

/// A table for each direction; where several values have one name on the other side, the first of them comes back.
fn tables(values: &[(String, String)]) -> Value {
    let (mut to_partner, mut to_highlevel) = (Map::new(), Map::new());
    for (highlevel, partner) in values {
        to_partner.entry(highlevel.clone()).or_insert(json!(partner));
        if highlevel != "*" {
            to_highlevel.entry(partner.clone()).or_insert(json!(highlevel));
        }
    }
    json!({ "to_partner": to_partner, "to_highlevel": to_highlevel })
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Show(which) => show(context, &client.mapping(&which.workspace, &which.connector).await?),
        Command::Set(set) => {
            let request = SetMappingRow { entity: set.fields.entity.clone(), row: set.row() };
            show(context, &client.set_mapping(&set.which.workspace, &set.which.connector, &request).await?)
        }
        Command::Policy(choice) => {
            let request = SetMappingPolicy {
                entity: choice.fields.entity,
                highlevel: choice.fields.highlevel,
                partner: choice.fields.partner,
                policy: choice.policy.into(),
            };
            let Which { workspace, connector } = &choice.which;
            show(context, &client.set_mapping_policy(workspace, connector, &request).await?)
        }
        Command::Unset(unset) => {
            let row = MappingRowQuery {
                entity: unset.fields.entity,
                highlevel: unset.fields.highlevel,
                partner: unset.fields.partner,
            };
            show(context, &client.unset_mapping(&unset.which.workspace, &unset.which.connector, &row).await?)
        }
        Command::Test(Test { events: Some(records), which, mapping, .. }) => {
            let draft = MappingDraft {
                mapping: mapping
                    .as_deref()
                    .map(|file| object(file, "--mapping"))
                    .transpose()?
                    .map(Value::Object),
                records: Some(records),
            };
            let report = client.preview_mapping(&which.workspace, &which.connector, &draft).await?;
            show_draft(context, &report)
        }
        Command::Test(test) => {
            let trial = trial(&test)?;
            let report = client.test_mapping(&test.which.workspace, &test.which.connector, &trial).await?;
            show_trial(context, &report)
        }
    }
}

fn trial(test: &Test) -> Result<MappingTrial, Failure> {
    let mut given = match &test.given {
        Some(file) => object(file, "--given")?,
        None => Map::new(),
    };
    let mut side = |name: &str| match given.remove(name) {
        Some(Value::Object(values)) => values,
        _ => Map::new(),
    };
    Ok(MappingTrial {
        entity: Some(test.entity.clone()),
        contact: test.contact.clone(),
        record: test.record.clone(),
        event: test.event,
        highlevel: side("highlevel"),
        partner: side("partner"),
        mapping: test
            .mapping
            .as_deref()
            .map(|file| object(file, "--mapping"))
            .transpose()?
            .map(Value::Object),
    })
}

fn show(context: &Context, rows: &[MappingRow]) -> Result<(), Failure> {
    let headings =
        ["RECORD", "HIGHLEVEL", "PARTNER", "DIRECTION", "TO PARTNER", "TO HIGHLEVEL", "CONFLICT", "WHOSE"];
    let text = |row: &MappingRow, name: &str| row.row[name].as_str().unwrap_or_default().to_owned();
    Ok(context.out.list(rows, headings, |row| {
        let off = if row.row["off"] == true { ", off" } else { "" };
        let table = |name: &str| {
            let table = &row.row["values"][name];
            if table.as_object().is_some_and(|table| !table.is_empty()) {
                format!(" {table}")
            } else {
                String::new()
            }
        };
        [
            row.entity.clone(),
            text(row, "highlevel"),
            text(row, "partner"),
            text(row, "direction"),
            format!("{}{}", text(row, "to_partner"), table("to_partner")),
            format!("{}{}", text(row, "to_highlevel"), table("to_highlevel")),
            text(row, "policy"),
            format!("{}{off}", if row.origin == RowOrigin::Admin { "yours" } else { "the connector's" }),
        ]
    })?)
}

fn show_trial(context: &Context, report: &TrialReport) -> Result<(), Failure> {
    if context.out.json {
        return Ok(output::json(report)?);
    }
    let headings = ["TO", "FIELD", "FROM", "VALUE", "WRITTEN", "NOW", "NOTES"];
    context.out.list(&report.rows, headings, |row| {
        let notes = match (&row.problem, row.coerced) {
            (Some(problem), _) => problem.reason.clone(),
            (None, true) => format!("the type changed {}", value(&row.computed)),
            (None, false) => String::new(),
        };
        [
            word(&row.to),
            row.target.clone(),
            row.source.clone(),
            value(&row.before),
            value(&row.after),
            row.current.as_ref().map(value).unwrap_or_default(),
            notes,
        ]
    })?;
    for field in &report.missing {
        context.out.text(&format!("missing  {field}"))?;
    }
    if report.highlevel.is_none() && report.partner.is_none() {
        context
            .out
            .note("the rows compile; --contact, --record, --event or --given shows what becomes of values")?;
    }
    Ok(())
}

fn show_draft(context: &Context, report: &DraftReport) -> Result<(), Failure> {
    if context.out.json {
        return Ok(output::json(report)?);
    }
    for record in report.records.iter().filter(|record| record.differs) {
        let item = &record.draft;
        let id = item.highlevel_id.as_deref().or(item.partner_id.as_deref()).unwrap_or("(no id)");
        let who = item.label.as_ref().map_or_else(|| id.to_owned(), |label| format!("{label} ({id})"));
        context.out.text(&who)?;
        show_item(context, "in force", &record.live)?;
        show_item(context, "draft", item)?;
    }
    let headings = ["FIELD", "OF", "IN FORCE", "DRAFT"];
    if !report.fields.is_empty() {
        context.out.text("")?;
        context.out.list(&report.fields, headings, |field| {
            [field.field.clone(), word(&field.side), field.live.to_string(), field.draft.to_string()]
        })?;
    }
    context.out.text(&format!(
        "\n{} records, {} of them from events; the draft treats {} of them otherwise\nin force: {}\ndraft:    {}",
        report.records.len(),
        report.from_events,
        report.different,
        totals(&report.live),
        totals(&report.draft)
    ))?;
    Ok(context
        .out
        .note("nothing was written; `contactor connection enable --mapping FILE` puts a draft in force")?)
}

fn show_item(context: &Context, of: &str, item: &PreviewItem) -> std::io::Result<()> {
    let why = item.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    context.out.text(&format!("  {of:<8}  {}{why}", word(&item.verdict)))?;
    for change in &item.changes {
        let (before, after) = (value(&change.before), value(&change.after));
        context.out.text(&format!("      {} {}: {before} → {after}", word(&change.side), change.field))?;
    }
    for conflict in &item.conflicts {
        context.out.text(&format!("      {}", super::sync::clash(conflict)))?;
    }
    Ok(())
}

fn totals(totals: &DraftTotals) -> String {
    format!(
        "{} to create, {} to change ({} fields), {} in step, {} skipped, {} for a person, {} conflicts; {} requests to HighLevel, {} to \
         the partner",
        totals.creates,
        totals.updates,
        totals.changes,
        totals.unchanged,
        totals.skipped,
        totals.parked,
        totals.conflicts,
        totals.highlevel_calls,
        totals.partner_calls
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_values_serves_both_directions() {
        let values: Vec<_> = ["gold=1", "premium=1", "*=0"].iter().map(|text| pair(text).unwrap()).collect();
        let tables = tables(&values);
        assert_eq!(tables["to_partner"], json!({ "gold": "1", "premium": "1", "*": "0" }));
        assert_eq!(tables["to_highlevel"], json!({ "1": "gold" }));
    }
}

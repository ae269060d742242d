//! Every text of the schema is looked through for a person, or cannot hold one.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::model::{Person, RecordId, WorkspaceId};
use crate::sqlite::schema;

const ADDRESS: &str = "ann@example.com";
const ID: &str = "ocQHyuzHvysMo5N5VsXc";

/// Columns that no person stands in, with the reason. A new column that is not looked through belongs here or into the erasure.
const CANNOT_HOLD_A_PERSON: &[(&str, &[&str])] = &[
    (
        "an admin's own words and choices, which decide what the host does: nobody else changes them",
        &[
            "workspaces.id",
            "data_keys.workspace",
            "workspaces.name",
            "workspaces.country",
            "workspaces.timezone",
            "installations.name",
            "connections.id",
            "connections.grants",
            "connections.base_url",
            "connections.auth_scheme",
            "connections.settings",
            "connections.mapping",
            "connections.schedule",
            "destinations.name",
            "destinations.target",
            "alert_rules.rules",
            "delete_policies.policies",
            "deletions.policy",
            "deletions.decided_by",
            "reviews.approved",
            "workspaces.policy",
            "rollouts.candidate",
            "rollouts.former",
            "connectors.publisher",
        ],
    ),
    (
        "written by a connector's author into its manifest, or made from that",
        &[
            "connectors.id",
            "connectors.version",
            "connectors.manifest",
            "connections.connector",
            "events.kind",
            "deliveries.kind",
            "rests.subject",
            "partner_windows.scope",
            "cursors.stream",
            "heard.source",
            "seen.stream",
            "parked.entity",
            "dirty.entity",
            "links.entity",
            "runs.entity",
            "conflicts.entity",
            "deliveries.entity",
            "deletions.entity",
            "delete_policies.entity",
        ],
    ),
    (
        "a word of the host's own, one of a few",
        &[
            "meta.key",
            "connections.state",
            "connections.stop_cause",
            "oauth_grants.state",
            // The vendor's words of a refused token, or the host's own.
            "oauth_grants.reason",
            "destinations.kind",
            "parked.class",
            "rests.class",
            "links.state",
            "runs.kind",
            "runs.outcome",
            "runs.class",
            "runs.cause",
            "run_totals.outcome",
            "conflicts.state",
            "deletions.state",
            "rollouts.mode",
            "rollouts.state",
            "rollouts.counts",
            "rollouts.reason",
            // Which call differs, never with what.
            "rollout_differences.what",
            "matches.bucket",
            "journal.operation",
        ],
    ),
    (
        "made by the host or by HighLevel for something else than a person: a number, a token, a location",
        &[
            "workspaces.location",
            "events.location",
            "unsealed_webhooks.token",
            "leases.owner",
            "runs.id",
            "marks.run",
            "parked.run",
            "rollout_differences.run",
            "conflicts.run",
            "deliveries.run",
            "outgoing.id",
            "partner_windows.taken",
            "oauth_grants.id",
            "oauth_grants.client",
            "oauth_grants.company",
            "oauth_grants.scopes",
            "oauth_grants.lease_owner",
            "installations.location",
            "installations.company",
        ],
    ),
    (
        "a digest",
        &[
            "connectors.digest",
            "connections.digest",
            "connections.webhook_hash",
            "events.digest",
            "links.highlevel_fingerprint",
            "links.partner_fingerprint",
            "conflicts.waiting",
            "seen.fingerprint",
            "journal.request",
            "reviews.basis",
            "tokens.hash",
            "sessions.hash",
            "audit.previous",
            "audit.hash",
            "consent_flows.state",
        ],
    ),
    (
        "sealed, or the name of the key that sealed it; a row that is the person's goes by its ids",
        &[
            "credentials.name",
            "credentials.key_id",
            "credentials.bytes",
            "data_keys.id",
            "data_keys.kek",
            "data_keys.wrapped",
            "deletions.key",
            "deletions.sealed",
        ],
    ),
    (
        "about those who use the admin API and what they did with it, by names and numbers of the host's and its admins' own: a request's \
         body, and the ids of records, are not noted",
        &[
            "users.id",
            "users.name",
            "users.email",
            "members.role",
            "tokens.id",
            "sessions.id",
            "identities.issuer",
            "identities.subject",
            "tokens.name",
            "tokens.role",
            "tokens.workspaces",
            "audit.actor",
            "consent_flows.begun_by",
            "rollouts.begun_by",
            "audit.token",
            "audit.workspace",
            "audit.action",
            "audit.target",
            "audit.detail",
        ],
    ),
    ("made of `contact` or `partner` of the same row, and goes with them", &["deliveries.lane"]),
];

struct Column {
    name: String,
    kind: String,
    nullable: bool,
}

/// The tables with their columns.
fn tables(db: &Connection) -> BTreeMap<String, Vec<Column>> {
    let sql = "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0 FROM sqlite_schema t, pragma_table_info(t.name) c \
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = db.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let column =
            Column { name: row.get(1).unwrap(), kind: row.get(2).unwrap(), nullable: row.get(3).unwrap() };
        tables.entry(row.get(0).unwrap()).or_default().push(column);
    }
    tables
}

/// A value that says nothing of anybody. With `bare`, whatever may be missing is.
fn blank(table: &str, column: &Column, bare: bool) -> Value {
    let of_workspace = matches!(column.name.as_str(), "workspace" | "connection" | "event");
    match (table, column.name.as_str()) {
        ("workspaces", "id") => Value::Text("acme".to_owned()),
        (_, "entity") => Value::Text("contact".to_owned()),
        _ if bare && column.nullable && !of_workspace => Value::Null,
        _ => match column.kind.as_str() {
            "TEXT" => Value::Text("{}".to_owned()),
            "BLOB" => Value::Blob(b"{}".to_vec()),
            "INTEGER" => Value::Integer(1),
            other => panic!("{table}.{} is {other}: say here what stands in it", column.name),
        },
    }
}

/// Whether the person is still in a column, after a row of each table was stored and the person was forgotten.
fn is_left(
    db: &Connection,
    tables: &BTreeMap<String, Vec<Column>>,
    table: &str,
    name: &str,
    bare: bool,
) -> bool {
    let transaction = db.unchecked_transaction().unwrap();
    let told = format!("{{\"note\":\"see {ADDRESS} or {ID}\"}}");
    for (other, columns) in tables {
        let values = columns.iter().map(|column| match column.kind.as_str() {
            "TEXT" if other == table && column.name == name => Value::Text(told.clone()),
            "BLOB" if other == table && column.name == name => Value::Blob(told.clone().into_bytes()),
            _ => blank(other, column, bare),
        });
        let places = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT OR REPLACE INTO {other} VALUES ({places})");
        db.execute(&sql, params_from_iter(values)).unwrap();
    }
    let workspace = if format!("{table}.{name}") == "workspaces.id" { told.as_str() } else { "acme" };
    let person = Person { ids: vec![RecordId::new(ID)], words: vec![ADDRESS.to_owned()], everybody: true };
    super::person(db, &WorkspaceId::new(workspace), &person, false, Timestamp::UNIX_EPOCH).unwrap();
    let sql =
        format!("SELECT count(*) FROM {table} WHERE instr({name}, '{ADDRESS}') OR instr({name}, '{ID}')");
    let left: i64 = db.query_row(&sql, [], |row| row.get(0)).unwrap();
    transaction.rollback().unwrap();
    left > 0
}

#[test]
fn every_text_of_the_schema_is_looked_through_or_cannot_hold_a_person() {
    let db = Connection::open_in_memory().unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    schema::upgrade(&db, Path::new("memory")).unwrap();
    let tables = tables(&db);
    let exempt: Vec<&str> = CANNOT_HOLD_A_PERSON.iter().flat_map(|(_, columns)| *columns).copied().collect();
    let mut left = Vec::new();
    for (table, columns) in &tables {
        for column in columns.iter().filter(|column| column.kind != "INTEGER") {
            for bare in [false, true] {
                if is_left(&db, &tables, table, &column.name, bare) {
                    left.push(format!("{table}.{}", column.name));
                }
            }
        }
    }
    left.sort_unstable();
    left.dedup();
    let forgotten: Vec<_> = left.iter().filter(|column| !exempt.contains(&column.as_str())).collect();
    assert!(forgotten.is_empty(), "a person who was forgotten still stands in {forgotten:?}");
    let stale: Vec<_> = exempt.iter().filter(|column| !left.iter().any(|left| left == *column)).collect();
    assert!(stale.is_empty(), "looked through, or not in the schema any more: {stale:?}");
}

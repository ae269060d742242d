//! Forgetting one person: wherever an id, an address or a number of the person stands.
//!
//! What is the person's goes. What is somebody else's, or nobody's, and only mentions the person stays without the words that do, and
//! what was to be done about it goes on. Every column of the schema is either looked through here or listed by the tests
//! (`erase/columns.rs`) with the reason why no person can stand in it.

#[cfg(test)]
mod columns;
mod person;
mod words;

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params};

use self::person::Found;
use self::words::Words;
use super::codec::At;
use super::events::Stage;
use super::{Result, configuration, deliveries};
use crate::automation::{AUTOMATION_ENTITY, MESSAGE_ENTITY};
use crate::model::{Erasure, EventState, Person, WEBHOOK_ENTITY, WorkspaceId};

/// Forgets a person in a workspace, or only counts what would be forgotten.
pub(super) fn person(
    db: &Connection,
    workspace: &WorkspaceId,
    person: &Person,
    only_look: bool,
    now: Timestamp,
) -> Result<Erasure> {
    let workspace = configuration::workspace_pk(db, workspace)?;
    let found = Found::of(db, workspace, person, only_look)?;
    prepare(db, &found)?;
    let erased = Eraser { db, workspace, only_look, now }.erase(&found);
    db.execute_batch(
        "DROP TABLE temp.person_ids; DROP TABLE temp.person_deliveries; DROP TABLE temp.person_events;",
    )?;
    for function in ["mentions", "blanked", "renamed"] {
        db.remove_function(function, -1)?;
    }
    erased
}

/// Lists the ids, and teaches SQLite to look for the words:
/// `mentions(connection, text, …)`, `blanked(connection, text)`, and `renamed(connection, key)` for what has to stay unique.
fn prepare(db: &Connection, found: &Found) -> Result<()> {
    db.execute_batch(
        "CREATE TEMP TABLE person_ids (id TEXT NOT NULL, partner_of INTEGER) STRICT;
         CREATE INDEX temp.person_ids_by_id ON person_ids (id);
         CREATE TEMP TABLE person_deliveries (id INTEGER PRIMARY KEY) STRICT;
         CREATE TEMP TABLE person_events (seq INTEGER PRIMARY KEY, stays INTEGER NOT NULL) STRICT;",
    )?;
    for (id, connection) in found.ids() {
        db.execute("INSERT INTO temp.person_ids VALUES (?1, ?2)", params![id, connection])?;
    }
    let words = Arc::new(found.in_texts());
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let known = Arc::clone(&words);
    db.create_scalar_function("mentions", -1, flags, move |of| {
        let connection: Option<i64> = of.get(0)?;
        Ok((1..of.len()).any(|at| text(of, at).is_some_and(|text| known.are_in(&text, connection))))
    })?;
    let known = Arc::clone(&words);
    db.create_scalar_function("blanked", -1, flags, move |of| blanked(of, &known))?;
    db.create_scalar_function("renamed", -1, flags, move |of| {
        let connection: Option<i64> = of.get(0)?;
        let key = text(of, 1).unwrap_or_default();
        Ok(if words.are_in(&key, connection) { deliveries::forgotten_key(&key) } else { key.into_owned() })
    })?;
    Ok(())
}

fn text<'a>(of: &'a Context<'_>, at: usize) -> Option<std::borrow::Cow<'a, str>> {
    match of.get_raw(at) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
        _ => None,
    }
}

fn blanked(of: &Context<'_>, words: &Words) -> rusqlite::Result<Value> {
    let connection: Option<i64> = of.get(0)?;
    let value = of.get_raw(1);
    let Some(text) = text(of, 1).filter(|text| words.are_in(text, connection)) else {
        return value.try_into().map_err(rusqlite::Error::from);
    };
    let left = words.out_of(&text, connection);
    Ok(if matches!(value, ValueRef::Blob(_)) { Value::Blob(left.into_bytes()) } else { Value::Text(left) })
}

/// Rows of the workspace's connections; parameter 1 is the workspace.
const CONNECTION: &str = "connection IN (SELECT pk FROM connections WHERE workspace = ?1)";
const WORKSPACE: &str = "workspace = ?1";

/// One of these columns names a record of the person.
fn theirs(connection: &str, columns: &[&str]) -> String {
    let is = |column: &&str| {
        format!(
            "EXISTS (SELECT 1 FROM temp.person_ids WHERE id = {column} AND (partner_of IS NULL OR partner_of = {connection}))"
        )
    };
    let ids = columns.iter().map(is).collect::<Vec<_>>().join(" OR ");
    // A partner's id may be an address.
    format!("({ids} OR {})", mentions(connection, columns))
}

/// One of these columns mentions the person.
fn mentions(connection: &str, columns: &[&str]) -> String {
    format!("mentions({connection}, {})", columns.join(", "))
}

struct Eraser<'a> {
    db: &'a Connection,
    workspace: i64,
    only_look: bool,
    now: Timestamp,
}

impl Eraser<'_> {
    /// The order matters: what tells whose something is goes after it.
    fn erase(&self, found: &Found) -> Result<Erasure> {
        let mut erased = Erasure {
            contacts: found.contacts.iter().cloned().collect(),
            ids: found
                .ids()
                .map(|(id, _)| id.clone())
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect(),
            words: found.words.iter().cloned().collect(),
            ..Erasure::default()
        };
        self.find_deliveries()?;
        self.find_events()?;
        self.parked(&mut erased)?;
        self.dirty(&mut erased)?;
        self.deliveries(&mut erased)?;
        self.events(&mut erased)?;
        self.history(&mut erased)?;
        self.links(&mut erased)?;
        self.traces(&mut erased)?;
        self.states(&mut erased)?;
        Ok(erased)
    }

    fn count(&self, table: &str, condition: &str) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
        let count: i64 = self.db.query_row(&sql, [self.workspace], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Counts the rows of a condition and, unless it only looks, does something about them.
    fn act(&self, table: &str, condition: &str, act: &str) -> Result<u64> {
        let count = self.count(table, condition)?;
        if !self.only_look && count > 0 {
            self.db.execute(&format!("{act} WHERE {condition}"), [self.workspace])?;
        }
        Ok(count)
    }

    fn delete(&self, table: &str, condition: &str) -> Result<u64> {
        self.act(table, condition, &format!("DELETE FROM {table}"))
    }

    /// Takes the words out of columns of rows that stay.
    fn blank(&self, table: &str, scope: &str, connection: &str, columns: &[&str], also: &str) -> Result<u64> {
        let set = columns.iter().map(|column| format!("{column} = blanked({connection}, {column})"));
        let set = set.collect::<Vec<_>>().join(", ");
        let condition = format!("{scope} AND {}", mentions(connection, columns));
        self.act(table, &condition, &format!("UPDATE {table} SET {set}{also}"))
    }

    /// What a handler is to do is the person's if it is about one of the records, or about nobody known and mentions the person. A timer
    /// without a contact is the connector's own, unless it is called after the person.
    fn find_deliveries(&self) -> Result<()> {
        let sql = format!(
            "INSERT INTO temp.person_deliveries SELECT id FROM deliveries WHERE {CONNECTION} AND ({} OR {} \
                 OR (contact IS NULL AND partner IS NULL AND timer IS NULL AND ({} OR EXISTS (\
                     SELECT 1 FROM events e WHERE e.seq = deliveries.event AND {}))))",
            theirs("connection", &["contact", "partner"]),
            mentions("connection", &["timer"]),
            mentions("connection", &["fields", "payload", "key"]),
            mentions("deliveries.connection", &["e.body"]),
        );
        self.db.execute(&sql, [self.workspace])?;
        Ok(())
    }

    /// A webhook stays, without the words, while somebody has still to read it: its connector, or the handler of another's delivery.
    fn find_events(&self) -> Result<()> {
        let sql = format!(
            "INSERT INTO temp.person_events SELECT seq, state IN (?2, ?3) OR EXISTS (\
                 SELECT 1 FROM deliveries d WHERE d.event = seq AND d.state IN (?4, ?5) \
                     AND d.id NOT IN (SELECT id FROM temp.person_deliveries)) \
             FROM events WHERE {WORKSPACE} AND {}",
            mentions("connection", &["body", "headers", "key"])
        );
        let (accepted, parked) = (EventState::Accepted, EventState::Parked);
        self.db.execute(&sql, params![self.workspace, Stage::Unread, Stage::Parked, accepted, parked])?;
        Ok(())
    }

    /// What is parked of the person goes with what it stands for; what is another's stays, and its reason does not name the person.
    fn parked(&self, erased: &mut Erasure) -> Result<()> {
        let hers = format!(
            "(CASE entity WHEN '{AUTOMATION_ENTITY}' THEN CAST(record AS INTEGER) IN (SELECT id FROM temp.person_deliveries) \
                 WHEN '{MESSAGE_ENTITY}' THEN record IN (SELECT id FROM outgoing WHERE {}) \
                 WHEN '{WEBHOOK_ENTITY}' THEN 0 ELSE {} END)",
            mentions("connection", &["message"]),
            theirs("connection", &["record"])
        );
        erased.parked = self.delete("parked", &format!("{CONNECTION} AND {hers}"))?;
        let others = format!("{CONNECTION} AND NOT {hers}");
        erased.blanked += self.blank("parked", &others, "connection", &["reason", "cause"], "")?;
        Ok(())
    }

    fn dirty(&self, erased: &mut Erasure) -> Result<()> {
        let dirty = format!("{CONNECTION} AND {}", theirs("connection", &["record"]));
        if !self.only_look {
            // Marks of records that wait point to them.
            let marks = format!("DELETE FROM marks WHERE dirty IN (SELECT id FROM dirty WHERE {dirty})");
            self.db.execute(&marks, [self.workspace])?;
            // The others are read anew.
            let snapshot = mentions("connection", &["snapshot"]);
            let sql = format!("UPDATE marks SET snapshot = NULL WHERE {CONNECTION} AND {snapshot}");
            self.db.execute(&sql, [self.workspace])?;
        }
        erased.waiting = self.delete("dirty", &dirty)?;
        Ok(())
    }

    fn deliveries(&self, erased: &mut Erasure) -> Result<()> {
        let hers = "id IN (SELECT id FROM temp.person_deliveries) AND ?1 = ?1";
        erased.deliveries = self.count("deliveries", hers)?;
        if !self.only_look {
            let lanes = deliveries::lanes_led_by(self.db, hers, self.workspace)?;
            self.db.execute_batch(
                "DELETE FROM journal WHERE delivery IN (SELECT id FROM temp.person_deliveries)",
            )?;
            let sql = "UPDATE deliveries SET fields = '{}', payload = NULL, contact = NULL, partner = NULL, timer = NULL, \
                           lane = NULL, claim = 0, key = renamed(connection, key), \
                           state = CASE WHEN state IN (?1, ?2) THEN ?3 ELSE state END, ended_at = coalesce(ended_at, ?4) \
                       WHERE id IN (SELECT id FROM temp.person_deliveries)";
            let (accepted, parked, ignored) = (EventState::Accepted, EventState::Parked, EventState::Ignored);
            self.db.execute(sql, params![accepted, parked, ignored, At(self.now)])?;
            deliveries::go_on(self.db, &lanes)?;
        }
        // Another's goes on. A handler that is at work would write the words back: it begins again.
        let others = format!("{CONNECTION} AND id NOT IN (SELECT id FROM temp.person_deliveries)");
        let also = ", claim = 0, key = renamed(connection, key)";
        let named = format!("{others} AND {}", mentions("connection", &["fields", "payload", "key"]));
        let set = "fields = blanked(connection, fields), payload = blanked(connection, payload)";
        erased.blanked += self.act("deliveries", &named, &format!("UPDATE deliveries SET {set}{also}"))?;
        let connection = "(SELECT d.connection FROM deliveries d WHERE d.id = delivery)";
        let journal = format!("delivery IN (SELECT id FROM deliveries WHERE {others})");
        let created = format!("{journal} AND record IS NOT NULL AND {}", theirs(connection, &["record"]));
        erased.blanked += self.act("journal", &created, "UPDATE journal SET record = NULL")?;
        let noted = ["arguments", "result", "standing"];
        erased.blanked += self.blank("journal", &journal, connection, &noted, "")?;
        Ok(())
    }

    /// The row stays: that the event came is known, and a repetition of it is no news.
    fn events(&self, erased: &mut Erasure) -> Result<()> {
        erased.events = self.count("temp.person_events", "?1 = ?1")?;
        if !self.only_look {
            self.db.execute_batch(
                "UPDATE events SET body = blanked(connection, body), headers = blanked(connection, headers), \
                     key = blanked(connection, key) WHERE seq IN (SELECT seq FROM temp.person_events WHERE stays = 1);
                 UPDATE events SET body = x'', headers = 'null', key = blanked(connection, key) \
                     WHERE seq IN (SELECT seq FROM temp.person_events WHERE stays = 0);
                 UPDATE unread SET claim = 0 WHERE event IN (SELECT seq FROM temp.person_events);",
            )?;
        }
        Ok(())
    }

    fn history(&self, erased: &mut Erasure) -> Result<()> {
        let runs = format!(
            "{WORKSPACE} AND ({} OR {})",
            theirs("connection", &["highlevel_id", "partner_id"]),
            mentions("connection", &["summary", "changes", "remarks", "calls", "log"])
        );
        erased.runs = self.delete("runs", &runs)?;
        let conflicts = format!(
            "{WORKSPACE} AND ({} OR {})",
            theirs("connection", &["record"]),
            mentions("connection", &["conflict", "resolutions", "ended"])
        );
        erased.conflicts = self.delete("conflicts", &conflicts)?;
        // They are sealed, so nobody can look for a person in them here: all of the workspace go, whoever they speak of.
        erased.recordings = self.delete("recordings", CONNECTION)?;
        let messages = format!("{CONNECTION} AND {}", mentions("connection", &["message"]));
        erased.messages = self.delete("outgoing", &messages)?;
        Ok(())
    }

    fn links(&self, erased: &mut Erasure) -> Result<()> {
        let pair = theirs("connection", &["highlevel_id", "partner_id"]);
        erased.deletions = self.delete("deletions", &format!("{CONNECTION} AND {pair}"))?;
        let others = format!("{CONNECTION} AND NOT {pair}");
        erased.blanked += self.blank("deletions", &others, "connection", &["outcome"], "")?;

        // The partner's id of a child is unique within its contact only.
        let hers = format!(
            "({} OR (entity = 'contact' AND {}) OR {})",
            theirs("connection", &["highlevel_id", "parent"]),
            theirs("connection", &["partner_id"]),
            mentions("connection", &["partner_id"])
        );
        erased.links = self.delete("links", &format!("{CONNECTION} AND {hers}"))?;
        // Both sides say the same otherwise than the base: they agree, and nothing is written.
        let others = format!("{CONNECTION} AND NOT {hers}");
        erased.blanked += self.blank("links", &others, "connection", &["base"], "")?;
        Ok(())
    }

    fn traces(&self, erased: &mut Erasure) -> Result<()> {
        let seen = format!("{WORKSPACE} AND {}", theirs("NULL", &["record", "parent"]));
        erased.traces = self.delete("seen", &seen)?;
        let record = theirs("connection", &["record"]);
        erased.traces += self.delete("writes", &format!("{WORKSPACE} AND {record}"))?;
        erased.traces += self.delete("changes", &format!("{CONNECTION} AND {record}"))?;
        let alerts = format!("{WORKSPACE} AND {}", mentions("NULL", &["key", "alert"]));
        erased.traces += self.delete("alerts", &alerts)?;
        let hers = theirs("connection", &["record", "partner"]);
        erased.traces += self.delete("matches", &format!("{CONNECTION} AND {hers}"))?;
        let others = format!("{CONNECTION} AND NOT {hers}");
        erased.blanked += self.blank("matches", &others, "connection", &["told"], "")?;
        // A place in a partner's list may be named after who stood there: the list is begun again.
        let cursors = format!("{CONNECTION} AND {}", mentions("connection", &["cursor"]));
        erased.traces += self.act("cursors", &cursors, "UPDATE cursors SET cursor = NULL")?;
        for (table, scope, connection, column) in [
            ("cursors", CONNECTION, "connection", "problem"),
            ("rests", CONNECTION, "connection", "reason"),
            ("connections", WORKSPACE, "pk", "state_reason"),
            ("destinations", WORKSPACE, "NULL", "stopped"),
        ] {
            erased.blanked += self.blank(table, scope, connection, &[column], "")?;
        }
        Ok(())
    }

    /// A connector's state may speak of many people in one value: only this person is taken out.
    fn states(&self, erased: &mut Erasure) -> Result<()> {
        let key = mentions("connection", &["key"]);
        erased.states = self.delete("state", &format!("{CONNECTION} AND {key}"))?;
        let others = format!("{CONNECTION} AND NOT {key}");
        erased.states += self.blank("state", &others, "connection", &["value"], "")?;
        Ok(())
    }
}

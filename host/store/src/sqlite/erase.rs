//! Forgetting one person: wherever an id, an address or a number of the person stands.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::codec::{At, Json};
use super::{Result, configuration, deliveries};
use crate::model::{Erasure, EventState, Person, RecordId, Told, WorkspaceId};

/// Ids that are shorter may be the number of anything: they are looked for in columns of ids only, not in texts.
const LONG_ID: usize = 8;

/// Forgets a person in a workspace, or only counts what would be forgotten.
pub(super) fn person(
    db: &Connection,
    workspace: &WorkspaceId,
    person: &Person,
    only_look: bool,
    now: Timestamp,
) -> Result<Erasure> {
    let workspace = configuration::workspace_pk(db, workspace)?;
    let found = Found::of(db, workspace, person)?;
    found.note(db)?;
    let erased = found.erase(db, workspace, only_look, now);
    db.execute_batch("DROP TABLE temp.person_ids; DROP TABLE temp.person_words;")?;
    erased
}

/// Everything that the person is known by.
struct Found {
    ids: BTreeSet<RecordId>,
    words: BTreeSet<String>,
}

impl Found {
    /// Follows links from what is given to what it leads to.
    fn of(db: &Connection, workspace: i64, person: &Person) -> Result<Self> {
        let mut found = Self { ids: person.ids.iter().cloned().collect(), words: BTreeSet::new() };
        for word in &person.words {
            found.word(word);
        }
        loop {
            let before = (found.ids.len(), found.words.len());
            let sql = "SELECT highlevel_id, partner_id, base FROM links WHERE entity = 'contact' AND connection IN \
                       (SELECT pk FROM connections WHERE workspace = ?1)";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([workspace])?;
            while let Some(row) = rows.next()? {
                let ids: [RecordId; 2] = [row.get(0)?, row.get(1)?];
                let base = row.get::<_, Json<serde_json::Value>>(2)?.0;
                let mut words = Vec::new();
                addresses(&base, &mut words);
                let is_theirs = ids.iter().any(|id| found.ids.contains(id))
                    || words.iter().any(|word| found.words.contains(&word.to_lowercase()));
                if is_theirs {
                    found.ids.extend(ids);
                    for word in words {
                        found.word(&word);
                    }
                }
            }
            found.of_matches(db, workspace)?;
            if (found.ids.len(), found.words.len()) == before {
                break;
            }
        }
        // Tasks, notes and appointments belong to their contact.
        let sql =
            "SELECT highlevel_id FROM links WHERE parent <> '' AND parent = ?1 AND highlevel_id <> parent";
        for id in found.ids.clone() {
            let mut statement = db.prepare_cached(sql)?;
            let children = statement.query_map([&id], |row| row.get::<_, RecordId>(0))?;
            found.ids.extend(children.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok(found)
    }

    /// Somebody whom a match report lists may have no link yet.
    fn of_matches(&mut self, db: &Connection, workspace: i64) -> Result<()> {
        let sql = "SELECT record, partner, told FROM matches WHERE connection IN \
                   (SELECT pk FROM connections WHERE workspace = ?1)";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([workspace])?;
        while let Some(row) = rows.next()? {
            let ids = [row.get::<_, Option<RecordId>>(0)?, row.get(1)?].into_iter().flatten();
            let label = row.get::<_, Json<Told>>(2)?.0.label.map(|label| label.trim().to_lowercase());
            let ids: Vec<RecordId> = ids.collect();
            let is_theirs = ids.iter().any(|id| self.ids.contains(id))
                || label.is_some_and(|label| self.words.contains(label.strip_prefix('+').unwrap_or(&label)));
            if is_theirs {
                self.ids.extend(ids);
            }
        }
        Ok(())
    }

    /// An address, or a number as it is written with and without its plus.
    fn word(&mut self, word: &str) {
        let word = word.trim().to_lowercase();
        if let Some(digits) = word.strip_prefix('+') {
            self.words.insert(digits.to_owned());
        }
        if !word.is_empty() {
            self.words.insert(word);
        }
    }

    fn note(&self, db: &Connection) -> Result<()> {
        db.execute_batch(
            "CREATE TEMP TABLE person_ids (id TEXT PRIMARY KEY) STRICT;
             CREATE TEMP TABLE person_words (word TEXT PRIMARY KEY) STRICT;",
        )?;
        for id in &self.ids {
            db.execute("INSERT INTO temp.person_ids VALUES (?1)", [id])?;
        }
        for word in self.spelled() {
            db.execute("INSERT OR IGNORE INTO temp.person_words VALUES (?1)", [word])?;
        }
        Ok(())
    }

    /// Everything that is looked for in texts, in lower case, the longest first, so that nothing is left of one that has another in it.
    fn spelled(&self) -> Vec<String> {
        let ids = self.ids.iter().map(|id| id.as_str().to_lowercase()).filter(|id| id.len() >= LONG_ID);
        let words = self.words.iter().flat_map(|word| spellings(word));
        let mut spelled: Vec<String> = words.chain(ids).collect::<BTreeSet<_>>().into_iter().collect();
        spelled.sort_by_key(|word| std::cmp::Reverse(word.len()));
        spelled
    }

    fn erase(&self, db: &Connection, workspace: i64, only_look: bool, now: Timestamp) -> Result<Erasure> {
        let mentions = |column: &str| {
            format!(
                "EXISTS (SELECT 1 FROM temp.person_words WHERE instr(lower(CAST({column} AS TEXT)), word) > 0)"
            )
        };
        let is_id = |column: &str| format!("{column} IN (SELECT id FROM temp.person_ids)");
        let connection = "connection IN (SELECT pk FROM connections WHERE workspace = ?1)";
        // Counts the rows of a condition and, unless it only looks, does something about them.
        let step = |table: &str, condition: &str, act: Act<'_>| -> Result<u64> {
            let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
            let count: i64 = db.query_row(&sql, [workspace], |row| row.get(0))?;
            if !only_look && count > 0 {
                match act {
                    Act::Delete => {
                        db.execute(&format!("DELETE FROM {table} WHERE {condition}"), [workspace])?
                    }
                    Act::Set(columns) => {
                        db.execute(&format!("UPDATE {table} SET {columns} WHERE {condition}"), [workspace])?
                    }
                    Act::Nothing => 0,
                };
            }
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let mut erased = Erasure {
            ids: self.ids.iter().cloned().collect(),
            words: self.words.iter().cloned().collect(),
            ..Erasure::default()
        };

        let dirty = format!("{connection} AND {}", is_id("record"));
        if !only_look {
            // Marks of records that wait point to them.
            db.execute(
                &format!("DELETE FROM marks WHERE dirty IN (SELECT id FROM dirty WHERE {dirty})"),
                [workspace],
            )?;
            let marks = format!("{connection} AND snapshot IS NOT NULL AND {}", mentions("snapshot"));
            db.execute(&format!("UPDATE marks SET snapshot = NULL WHERE {marks}"), [workspace])?;
        }
        erased.waiting = step("dirty", &dirty, Act::Delete)?;

        let named = format!("({} OR {})", is_id("contact"), is_id("partner"));
        let told = format!("({named} OR {} OR {})", mentions("fields"), mentions("coalesce(payload, '')"));
        // Those that ended and were emptied already tell nothing.
        let deliveries = format!(
            "{connection} AND {told} AND (fields <> '{{}}' OR payload IS NOT NULL OR contact IS NOT NULL)"
        );
        if !only_look {
            db.execute(
                &format!(
                    "DELETE FROM journal WHERE delivery IN (SELECT id FROM deliveries WHERE {deliveries})"
                ),
                [workspace],
            )?;
        }
        erased.deliveries = step("deliveries", &deliveries, Act::Nothing)?;
        if !only_look {
            // What a handler of somebody else's event wrote about this person.
            let journal = format!(
                "delivery IN (SELECT id FROM deliveries WHERE {connection}) AND {}",
                mentions("arguments")
            );
            db.execute(&format!("UPDATE journal SET arguments = '' WHERE {journal}"), [workspace])?;
        }
        if !only_look {
            let lanes = deliveries::lanes_led_by(db, &deliveries, workspace)?;
            let sql = format!(
                "UPDATE deliveries SET fields = '{{}}', payload = NULL, contact = NULL, partner = NULL, lane = NULL, claim = 0, \
                     state = CASE WHEN state IN (0, ?2) THEN ?3 ELSE state END, ended_at = coalesce(ended_at, ?4) \
                 WHERE {deliveries}"
            );
            db.execute(&sql, params![workspace, EventState::Parked, EventState::Ignored, At(now)])?;
            // An event of somebody else's that only spoke of this person may have been the first of its lane.
            deliveries::go_on(db, &lanes)?;
        }

        let runs = format!(
            "workspace = ?1 AND ({} OR {} OR {} OR {} OR {} OR {} OR {})",
            is_id("highlevel_id"),
            is_id("partner_id"),
            mentions("summary"),
            mentions("changes"),
            mentions("remarks"),
            mentions("calls"),
            mentions("log")
        );
        erased.runs = step("runs", &runs, Act::Delete)?;
        let conflicts = format!(
            "workspace = ?1 AND ({} OR {} OR {})",
            is_id("record"),
            mentions("conflict"),
            mentions("resolutions")
        );
        erased.conflicts = step("conflicts", &conflicts, Act::Delete)?;
        let parked = format!("{connection} AND ({} OR {})", is_id("record"), mentions("reason"));
        erased.parked = step("parked", &parked, Act::Delete)?;
        let links = format!(
            "{connection} AND ({} OR {} OR (entity = 'contact' AND {}))",
            is_id("highlevel_id"),
            is_id("parent"),
            is_id("partner_id")
        );
        let deletions = format!("{connection} AND ({} OR {})", is_id("highlevel_id"), is_id("partner_id"));
        erased.deletions = step("deletions", &deletions, Act::Delete)?;
        erased.links = step("links", &links, Act::Delete)?;
        // The row stays: that the event came is known, and a repetition of it is no news.
        let events = format!("workspace = ?1 AND body <> x'' AND {}", mentions("body"));
        if !only_look {
            let unread = format!("event IN (SELECT seq FROM events WHERE {events})");
            db.execute(&format!("DELETE FROM unread WHERE {unread}"), [workspace])?;
        }
        erased.events = step("events", &events, Act::Set("body = x'', headers = 'null'"))?;
        let messages = format!("{connection} AND {}", mentions("message"));
        erased.messages = step("outgoing", &messages, Act::Delete)?;
        let seen = format!("workspace = ?1 AND ({} OR {})", is_id("record"), is_id("parent"));
        erased.traces = step("seen", &seen, Act::Delete)?;
        erased.traces += step("writes", &format!("workspace = ?1 AND {}", is_id("record")), Act::Delete)?;
        erased.traces += step("changes", &format!("{connection} AND {}", is_id("record")), Act::Delete)?;
        erased.traces += step("alerts", &format!("workspace = ?1 AND {}", mentions("alert")), Act::Delete)?;
        // They are sealed, so nobody can look for a person in them here: all of the workspace go, whoever they speak of.
        erased.recordings = step("recordings", connection, Act::Delete)?;
        let matches =
            format!("{connection} AND ({} OR {} OR {})", is_id("record"), is_id("partner"), mentions("told"));
        erased.traces += step("matches", &matches, Act::Delete)?;
        erased.states = self.blank_states(db, workspace, only_look)?;
        Ok(erased)
    }

    /// A connector's state may speak of many people in one value: only this person is taken out.
    fn blank_states(&self, db: &Connection, workspace: i64, only_look: bool) -> Result<u64> {
        let sql = "SELECT s.connection, s.key, CAST(s.value AS TEXT) FROM state s JOIN connections c ON c.pk = s.connection \
                   WHERE c.workspace = ?1 AND (EXISTS (SELECT 1 FROM temp.person_words \
                       WHERE instr(lower(CAST(s.value AS TEXT)), word) > 0 OR instr(lower(s.key), word) > 0))";
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([workspace], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        let words = self.spelled();
        for (connection, key, value) in rows.iter().filter(|_| !only_look) {
            if words.iter().any(|word| key.to_lowercase().contains(word)) {
                db.execute("DELETE FROM state WHERE connection = ?1 AND key = ?2", params![connection, key])?;
                continue;
            }
            let value = words.iter().fold(value.clone(), |value, word| blanked(&value, word));
            db.execute(
                "UPDATE state SET value = CAST(?3 AS BLOB) WHERE connection = ?1 AND key = ?2",
                params![connection, key, value],
            )?;
        }
        Ok(rows.len() as u64)
    }
}

/// What is done about rows.
enum Act<'a> {
    Nothing,
    Delete,
    Set(&'a str),
}

/// How an address or a number is written: numbers with and without blanks, and addresses also as a parameter of a request.
fn spellings(word: &str) -> BTreeSet<String> {
    if word.starts_with('+') {
        return contactor_sync::phone_spellings(word);
    }
    BTreeSet::from([word.to_owned(), word.replace('+', "%2b").replace('@', "%40")])
}

/// A text without a word, whatever its case.
fn blanked(text: &str, word: &str) -> String {
    let lower = text.to_lowercase();
    // Lower case may be longer or shorter in some scripts; then the whole text goes.
    if lower.len() != text.len() {
        return if lower.contains(word) { "erased".to_owned() } else { text.to_owned() };
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(word) {
        out.push_str(&text[from..from + at]);
        out.push_str("erased");
        from += at + word.len();
    }
    out.push_str(&text[from..]);
    out
}

/// Email addresses and phone numbers among the values of a link's base.
fn addresses(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => {
            let phone = text
                .strip_prefix('+')
                .is_some_and(|rest| rest.len() >= 7 && rest.chars().all(|c| c.is_ascii_digit()));
            let email = text.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
            });
            if phone || email {
                found.push(text.clone());
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        serde_json::Value::Object(members) => members.values().for_each(|member| addresses(member, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_found_wherever_they_stand_and_other_texts_are_left_alone() {
        let mut found = Vec::new();
        let base = json!({"email=email": {"highlevel": "ann@example.com", "partner": ["+19075550101", "at @ home"]}, "n": 5});
        addresses(&base, &mut found);
        assert_eq!(found, ["ann@example.com", "+19075550101"]);
    }

    #[test]
    fn a_person_is_taken_out_of_a_text_and_the_others_stay() {
        assert_eq!(
            blanked(r#"["Ann@Example.com","bob@example.com"]"#, "ann@example.com"),
            r#"["erased","bob@example.com"]"#
        );
        assert_eq!(blanked("nothing", "ann@example.com"), "nothing");
    }
}

//! Who is meant: one contact with its records at the partners, or several of whom a person must choose.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::words::Words;
use crate::error::StoreError;
use crate::model::{Person, RecordId, Told};
use crate::sqlite::Result;
use crate::sqlite::codec::Json;

/// Ids that are shorter may be the number of anything: they are looked for in columns of ids only, not in texts.
const LONG_ID: usize = 8;

/// HighLevel's fields that tell who a contact is. What stands in others (a referrer's address, an agent's) is somebody else's.
const NATURAL_KEYS: [&str; 2] = ["email", "phone"];

/// Everything that the person is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Contacts in HighLevel.
    pub(super) contacts: BTreeSet<RecordId>,
    /// Partners' records, with their connections.
    pub(super) partners: BTreeSet<(i64, RecordId)>,
    /// Tasks, notes and appointments in HighLevel, and ids that were given and belong to no known contact.
    pub(super) others: BTreeSet<RecordId>,
    /// Addresses, and numbers as E.164.
    pub(super) words: BTreeSet<String>,
}

/// What a link, or a line of a match report, tells of one contact.
struct Known {
    connection: i64,
    contact: Option<RecordId>,
    partner: Option<RecordId>,
    words: BTreeSet<String>,
}

impl Found {
    /// Follows what is given to the contact that it leads to. Several are taken only if everybody is asked for, or if somebody just
    /// looks.
    pub(super) fn of(db: &Connection, workspace: i64, person: &Person, only_look: bool) -> Result<Self> {
        let mut asked =
            Self { words: person.words.iter().map(|word| normal(word)).collect(), ..Self::default() };
        let mut unknown: BTreeSet<RecordId> = person.ids.iter().cloned().collect();
        each(db, workspace, |known| {
            let ids: Vec<&RecordId> = known.contact.iter().chain(&known.partner).collect();
            if person.ids.iter().any(|id| ids.contains(&id)) || known.shares(&asked.words) {
                unknown.retain(|id| !ids.contains(&id));
                asked.contacts.extend(known.contact);
                asked.partners.extend(known.partner.map(|partner| (known.connection, partner)));
            }
        })?;
        asked.others = unknown;

        let by_one_id = person.words.is_empty() && asked.contacts.len() == 1 && !person.everybody;
        let mut found = asked.clone();
        found.widen(db, workspace, |found, known| {
            if by_one_id {
                found.has_ids_of(known)
            } else {
                found.has_ids_of(known) || known.shares(&found.words)
            }
        })?;
        if by_one_id {
            // What another contact is known by as well stays.
            let words = &mut found.words;
            let contacts = &found.contacts;
            each(db, workspace, |known| {
                if known.contact.as_ref().is_some_and(|contact| !contacts.contains(contact)) {
                    words.retain(|word| !known.words.contains(word));
                }
            })?;
        } else if found.contacts.len() > 1 && !person.everybody && !only_look {
            return Err(StoreError::Several { contacts: found.contacts.into_iter().collect() });
        }
        found.children(db, workspace)?;
        Ok(found)
    }

    /// Takes in what belongs to what is there, until nothing more does.
    fn widen(
        &mut self,
        db: &Connection,
        workspace: i64,
        belongs: impl Fn(&Self, &Known) -> bool,
    ) -> Result<()> {
        loop {
            let before = self.clone();
            each(db, workspace, |known| {
                if belongs(self, &known) {
                    self.contacts.extend(known.contact);
                    self.partners.extend(known.partner.map(|partner| (known.connection, partner)));
                    self.words.extend(known.words);
                }
            })?;
            if *self == before {
                return Ok(());
            }
        }
    }

    /// A partner's record that is linked to another contact is that contact's.
    fn has_ids_of(&self, known: &Known) -> bool {
        match (&known.contact, &known.partner) {
            (Some(contact), _) => self.contacts.contains(contact),
            (None, Some(partner)) => self.partners.contains(&(known.connection, partner.clone())),
            (None, None) => false,
        }
    }

    /// Tasks, notes and appointments belong to their contact.
    fn children(&mut self, db: &Connection, workspace: i64) -> Result<()> {
        let sql = "SELECT highlevel_id FROM links WHERE parent <> '' AND parent = ?1 AND highlevel_id <> parent \
                   AND connection IN (SELECT pk FROM connections WHERE workspace = ?2)";
        let mut statement = db.prepare_cached(sql)?;
        for contact in self.contacts.iter().chain(&self.others.clone()) {
            let children = statement.query_map(params![contact, workspace], |row| row.get(0))?;
            self.others.extend(children.collect::<rusqlite::Result<Vec<RecordId>>>()?);
        }
        Ok(())
    }

    /// All ids, with the connection where they are ids, or none for those of HighLevel.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&RecordId, Option<i64>)> {
        let at_partners = self.partners.iter().map(|(connection, id)| (id, Some(*connection)));
        self.contacts.iter().chain(&self.others).map(|id| (id, None)).chain(at_partners)
    }

    /// Everything that is looked for in texts.
    pub(super) fn in_texts(&self) -> Words {
        let mut words = Words::default();
        self.words.iter().for_each(|word| words.add(word));
        for (id, connection) in self.ids().filter(|(id, _)| id.as_str().len() >= LONG_ID) {
            words.add_id(id.as_str(), connection);
        }
        words
    }
}

impl Known {
    fn shares(&self, words: &BTreeSet<String>) -> bool {
        !self.words.is_disjoint(words)
    }
}

/// Everything that is known of contacts, from links and, of those without one, from match reports.
fn each(db: &Connection, workspace: i64, mut tell: impl FnMut(Known)) -> Result<()> {
    let sql = "SELECT connection, highlevel_id, partner_id, base FROM links WHERE entity = 'contact' AND connection IN \
               (SELECT pk FROM connections WHERE workspace = ?1)";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([workspace])?;
    while let Some(row) = rows.next()? {
        let partner: RecordId = row.get(2)?;
        let mut words = natural_keys(&row.get::<_, Json<serde_json::Value>>(3)?.0);
        words.extend(address(partner.as_str()));
        tell(Known { connection: row.get(0)?, contact: Some(row.get(1)?), partner: Some(partner), words });
    }
    let sql = "SELECT connection, side, record, partner, told FROM matches WHERE connection IN \
               (SELECT pk FROM connections WHERE workspace = ?1)";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([workspace])?;
    while let Some(row) = rows.next()? {
        let record: RecordId = row.get(2)?;
        let label = row.get::<_, Json<Told>>(4)?.0.label;
        let (contact, partner) = match row.get(1)? {
            crate::model::Side::Highlevel => (Some(record), row.get(3)?),
            crate::model::Side::Partner => (None, Some(record)),
        };
        let words = label.as_deref().and_then(address).into_iter().collect();
        tell(Known { connection: row.get(0)?, contact, partner, words });
    }
    Ok(())
}

/// What a contact is known by, in the base of its link: rows are called `email=partner's field`.
fn natural_keys(base: &serde_json::Value) -> BTreeSet<String> {
    let rows = base.as_object().into_iter().flatten();
    let keys = rows.filter(|(row, _)| {
        row.split_once('=').is_some_and(|(highlevel, _)| NATURAL_KEYS.contains(&highlevel))
    });
    let values = keys.filter_map(|(_, agreed)| agreed.as_object()).flat_map(serde_json::Map::values);
    values.filter_map(serde_json::Value::as_str).filter_map(address).collect()
}

fn normal(word: &str) -> String {
    word.trim().to_lowercase()
}

/// A text that is an email address or a phone number.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let phone = text
        .strip_prefix('+')
        .is_some_and(|rest| rest.len() >= 7 && rest.chars().all(|c| c.is_ascii_digit()));
    let email = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
    });
    (phone || email).then(|| normal(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_contact_is_known_by_its_natural_keys_and_by_nobody_elses_address() {
        let base = json!({
            "email=email": {"highlevel": "Ann@example.com", "partner": "ann@example.com"},
            "phone=mobile": {"highlevel": "+19075550101", "partner": "at @ home"},
            "contact.referrer=referrer_email": {"highlevel": "agent@example.com", "partner": "agent@example.com"},
            "firstName=email": {"highlevel": "who@example.com", "partner": null},
        });
        let known: Vec<_> = natural_keys(&base).into_iter().collect();
        assert_eq!(known, ["+19075550101", "ann@example.com"]);
    }
}

//! The records of an answer, one by one: one that cannot be read is told to the host, which parks it, and the others go on.
//!
//! A partner's page has hundreds of records, and any of them may lack an id or hold a list where a text belongs. An error for the whole
//! page would stop the stream there, poll after poll. So read each record by itself:
//!
//! ```
//! use contactor_sdk::prelude::*;
//! use contactor_sdk::{items, json};
//! use serde_json::Value as Json;
//!
//! fn person(json: &Json) -> Result<PartnerRecord> {
//!     Ok(PartnerRecord::new(json::required_id(json, "/id")?).with("email", json["email"].as_str()))
//! }
//!
//! fn changes(people: &[Json]) -> Result<Vec<Change>> {
//!     items::changes("contact", people, |one| json::id(&one["id"]), |one| {
//!         let record = person(one)?;
//!         Ok([Change::new(ChangeKind::Updated, "contact", record.id.clone()).snapshot(record)])
//!     })
//! }
//!
//! let people = [serde_json::json!({"id": 7}), serde_json::json!({"id": []}), serde_json::json!({"id": 9})];
//! let changes = changes(&people)?;
//! assert_eq!((changes.len(), changes[2].id.as_str()), (3, "9"));
//! assert!(changes[1].problem().unwrap().starts_with("`/id`: expected an id, found []"));
//! # Ok::<(), Error>(())
//! ```
//!
//! Where a poll compares with what it saw before, [`Seen::changes`](crate::seen::Seen::changes) does the same.

use serde_json::Value as Json;

use crate::seen::fingerprint;
use crate::{Change, ChangeKind, Error, Named, Result, json};

/// The value of a change by which the host knows that its record could not be read. See `wit/triggers.wit`.
const UNREADABLE: &str = "contactor:unreadable";

/// Records of one page that may be unreadable. With more of them it is the partner's whole answer that has another shape: the page fails,
/// so that nothing of it is passed over, and an admin sees one failure in the place of thousands.
const MOST: usize = 100;

/// What an admin has to know of a record that no later reading can be told to be of.
const NAMELESS: &str =
    "; it has no id: a retry takes it off the list, and it comes back if the partner still shows it so";

/// The changes of each record, and for one that cannot be read a change that says so.
///
/// `id` is the record's id where it has one, as `read` would give it: the host parks a record under it, and a later good reading of
/// the same id takes it off the list.
///
/// # Errors
/// What `read` answers, unless it is about the record: [`Error::Invalid`] and [`Error::Other`] are. Every other error is about the
/// call, and the host reads the page again. So it does when more than 100 records of one page cannot be read: that is no bad record but
/// another answer than the one that the connector knows.
pub fn changes<C: IntoIterator<Item = Change>>(
    entity: &str,
    items: &[Json],
    id: impl Fn(&Json) -> Option<String>,
    read: impl FnMut(&Json) -> Result<C>,
) -> Result<Vec<Change>> {
    each(items, read, |item, error| Change::unreadable(entity, id(item), item, error))
}

/// The changes of each record, or the one that `unreadable` makes of its error.
pub(crate) fn each<C: IntoIterator<Item = Change>>(
    items: &[Json],
    mut read: impl FnMut(&Json) -> Result<C>,
    mut unreadable: impl FnMut(&Json, Error) -> Result<Change>,
) -> Result<Vec<Change>> {
    let (mut all, mut bad) = (Vec::new(), 0);
    for item in items {
        match read(item) {
            Ok(changes) => all.extend(changes),
            Err(error) => {
                let change = unreadable(item, error)?;
                bad += 1;
                if bad > MOST {
                    let problem = change.problem().unwrap_or_default();
                    let many = format!(
                        "more than {MOST} records of one page cannot be read, the last because {problem}"
                    );
                    return Err(Error::other(many));
                }
                all.push(change);
            }
        }
    }
    Ok(all)
}

impl Change {
    /// A record that could not be read, and why: the host parks it with these words and an excerpt of `item`, the record as the partner
    /// sent it. One without an id is known by its contents, so that it is the same record at the next poll.
    ///
    /// # Errors
    /// `error` itself when it is not about the record, as [`changes`] says.
    pub fn unreadable(entity: &str, id: Option<String>, item: &Json, error: Error) -> Result<Self> {
        let problem = match error {
            Error::Other(problem) => problem,
            error @ Error::Invalid(_) => error.message(),
            error => return Err(error),
        };
        let mut problem = format!("{problem}; the record begins {}", json::excerpt(item));
        let id = id.unwrap_or_else(|| {
            problem.push_str(NAMELESS);
            format!("unreadable-{:016x}", fingerprint(item))
        });
        Ok(Self::new(ChangeKind::Other, entity, id).with(UNREADABLE, problem))
    }

    /// Why the record could not be read, if that is what the change says.
    pub fn problem(&self) -> Option<&str> {
        self.text(UNREADABLE).filter(|_| self.kind == ChangeKind::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(item: &Json) -> Result<Option<Change>> {
        let id = json::required_id(item, "/id")?;
        Ok((id != "8").then(|| Change::new(ChangeKind::Updated, "contact", id)))
    }

    fn all(items: &[Json]) -> Vec<Change> {
        changes("contact", items, |item| json::id(&item["uuid"]), read).unwrap()
    }

    #[test]
    fn a_record_that_cannot_be_read_leaves_the_others_alone_and_keeps_its_id() {
        let found = all(&[
            json!({"id": 7}),
            json!({"uuid": "x", "id": {"a": 1}}),
            json!({"id": 8}),
            json!({"id": 9}),
        ]);
        let ids: Vec<_> = found.iter().map(|change| change.id.as_str()).collect();
        assert_eq!(ids, ["7", "x", "9"]);
        assert_eq!((found[0].problem(), found[1].kind), (None, ChangeKind::Other));
        let problem = found[1].problem().unwrap();
        assert_eq!(
            problem,
            r#"`/id`: expected an id, found {"a":1}; the record begins {"id":{"a":1},"uuid":"x"}"#
        );
    }

    #[test]
    fn a_record_without_an_id_is_the_same_at_the_next_poll() {
        let nameless = |email: &str| all(&[json!({"email": email})]).remove(0).id;
        assert_eq!(nameless("a@example.com"), nameless("a@example.com"));
        assert_ne!(nameless("a@example.com"), nameless("b@example.com"));
    }

    #[test]
    fn a_page_of_nothing_but_bad_records_is_one_failure() {
        let page = |bad| changes("contact", &vec![json!({"id": []}); bad], |_| None, read);
        assert_eq!(page(MOST).unwrap().len(), MOST);
        let problem = page(MOST + 1).unwrap_err().message();
        assert!(problem.contains("more than 100 records") && problem.contains("`/id`"), "{problem}");
    }

    #[test]
    fn what_is_not_about_the_record_is_the_pages() {
        let fails = |error: Error| {
            changes("contact", &[json!({})], |_| None, |_| Err::<[Change; 0], _>(error.clone()))
        };
        assert_eq!(fails(Error::Limited(None)), Err(Error::Limited(None)));
        assert_eq!(fails(Error::invalid("email", "is odd")).unwrap().len(), 1);
    }
}

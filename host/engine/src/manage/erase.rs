//! Forgetting one person, as the law may ask for.

use contactor_store::{Erasure, Person, RecordId, StoreError, WorkspaceId};

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// Forgets a person by an id at HighLevel or a partner, an email address or a phone number in E.164; with `preview` it only
    /// tells what would be forgotten. HighLevel and the partners keep what they have: a person who is still there is met anew.
    /// `everybody` takes all contacts that share what is given.
    ///
    /// # Errors
    /// No such workspace, nothing is known of the person, or it may be one of several contacts.
    pub async fn erase(
        &self,
        workspace: &WorkspaceId,
        who: &str,
        everybody: bool,
        preview: bool,
    ) -> Result<Erasure, EngineError> {
        self.workspace(workspace).await?;
        let person = Person { everybody, ..person(who)? };
        let found = match self.store().erase(workspace, person, preview).await {
            Err(StoreError::Several { contacts }) => {
                let ids: Vec<&str> = contacts.iter().map(RecordId::as_str).collect();
                return Err(EngineError::Conflict(format!(
                    "`{}` stands for {} contacts of {workspace}, or leads from one to the next: {}. Nobody was forgotten: look at \
                     the preview, then give HighLevel's id of one of them, or ask for all of them (`--all`)",
                    who.trim(),
                    ids.len(),
                    ids.join(", ")
                )));
            }
            found => found?,
        };
        if found.is_empty() {
            return Err(EngineError::NotFound {
                what: "person known as",
                id: who.trim().to_owned(),
                hint: format!(
                    " in {workspace}; an id, an email address or a number like +15550100 finds one{}",
                    if found.recordings > 0 && !preview {
                        "; recordings of runs, which are sealed and cannot be searched, were removed all the same"
                    } else {
                        ""
                    }
                ),
            });
        }
        if !preview {
            // Whoever it was is not named here.
            tracing::info!(%workspace, links = found.links, runs = found.runs, events = found.events, "a person was forgotten");
        }
        Ok(found)
    }
}

fn person(who: &str) -> Result<Person, EngineError> {
    let who = who.trim();
    let number = who.strip_prefix('+').is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit()));
    if is_address(who) || (number && who.len() >= 8) {
        return Ok(Person { words: vec![who.to_owned()], ..Person::default() });
    }
    if who.is_empty() || number || who.contains('@') || who.contains(char::is_whitespace) {
        return Err(EngineError::Invalid(format!(
            "`{who}` is no id, email address or number like +15550100"
        )));
    }
    Ok(Person { ids: vec![RecordId::new(who)], ..Person::default() })
}

/// A whole address: of a part of one, everybody's would be found.
fn is_address(who: &str) -> bool {
    let Some((user, host)) = who.split_once('@') else { return false };
    let is_host = host.split('.').count() > 1 && host.split('.').all(|part| !part.is_empty());
    !user.is_empty() && is_host && !host.contains('@') && !who.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_number_and_an_id_are_told_apart() {
        assert_eq!(person(" ann@example.com ").unwrap().words, ["ann@example.com"]);
        assert_eq!(person("+19075550101").unwrap().words, ["+19075550101"]);
        assert_eq!(person("ocQHyuzHvysMo5N5VsXc").unwrap().ids.len(), 1);
        for bad in
            ["", "+1", "Ann Smith", "@", "@example.com", "ann@", "ann@example", "ann@example.", "a@b@c.d"]
        {
            assert!(person(bad).is_err(), "{bad}");
        }
    }
}

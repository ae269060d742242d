//! Fills a location with sample people, without webhooks and at once searchable.

use serde_json::json;

use super::HighLevel;
use super::config::SearchLag;
use super::contacts;
use super::normal;
use super::tx::{Actor, Tx};
use crate::SandboxError;
use crate::people;
use crate::recorder::lock;

/// The sample contacts were added a second apart, the newest of them now.
const APART_MILLIS: i64 = 1_000;

impl HighLevel {
    /// Adds `count` sample people to a location and returns their ids. No webhooks; search sees them at once. A
    /// malformed email is left out; a duplicate is skipped, so fewer may come back when people are there already.
    ///
    /// # Errors
    /// When the location is unknown.
    pub fn load(&self, location: &str, count: usize) -> Result<Vec<String>, SandboxError> {
        let location = self.location(location)?;
        let habits = self.habits();
        let now = self.clock.millis();
        let mut state = lock(&location.state);
        let mut ids = Vec::with_capacity(count);
        for (person, left) in people::people(self.seed).take(count).zip((0..count).rev()) {
            let added = now - i64::try_from(left).unwrap_or_default() * APART_MILLIS;
            let mut tx = Tx {
                state: &mut state,
                now: added,
                actor: Actor::Person,
                habits,
                lag: SearchLag::Millis(0),
                events: Vec::new(),
            };
            let mut fields = json!({
                "firstName": person.first_name, "lastName": person.last_name, "companyName": person.company,
                "phone": person.phone, "city": person.city, "tags": person.tags,
            });
            // The API refuses a malformed address; a person's import would have left it out.
            if person.email.as_deref().is_some_and(normal::is_email) {
                fields["email"] = json!(person.email);
            }
            if let Ok(contact) = contacts::insert(&mut tx, &super::tx::object(fields)) {
                ids.push(contact.id.clone());
            }
        }
        state.index.release();
        Ok(ids)
    }
}

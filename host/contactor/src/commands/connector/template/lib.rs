//! The {{title}} connector: HighLevel contacts and {{title}} people in step.

use contactor_sdk::json;
use contactor_sdk::prelude::*;
use contactor_sdk::seen::Seen;
use serde_json::Value as Json;

/// The manifest, as the build embeds it.
pub const MANIFEST: &str = include_str!("../connector.toml");

/// The connector.
pub struct {{type}};

impl Connector for {{type}} {
    fn check() -> Result<Account> {
        let me: Json = partner::get("/me").send()?.json()?;
        Ok(Account::new(json::required_id(&me, "/id")?, me["name"].as_str().unwrap_or("{{title}}")))
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_people(entity)?;
        person(&partner::get(path(id)).send()?.json()?)
    }

    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        only_people(entity)?;
        let ("email", Some(email)) = (key.name.as_str(), key.as_text()) else {
            return Err(Error::Unsupported(format!("people are found by email, not by {}", key.name)));
        };
        people(partner::get("/people").query("email", email))?.iter().map(person).collect()
    }

    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_people(entity)?;
        person(&partner::post("/people").json(&fields.to_json()?)?.send()?.json()?)
    }

    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_people(entity)?;
        person(&partner::patch(path(id)).json(&fields.to_json()?)?.send()?.json()?)
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        if stream != "people" {
            return Err(Error::Unsupported(format!("there is no stream `{stream}`, only `people`")));
        }
        let mut seen = Seen::open(stream, cursor)?;
        let page: u64 = seen.position().and_then(|page| page.parse().ok()).unwrap_or(1);
        let people = people(partner::get("/people").query("page", page))?;
        let id = |person: &Json| json::id(&person["id"]);
        let changes = seen.changes("contact", &people, id, |seen, one| {
            let record = person(one)?;
            let is_news = seen.is_news(&record.id, one)?;
            let change = Change::new(ChangeKind::Updated, "contact", record.id.clone());
            Ok(is_news.then(|| change.snapshot(record)))
        })?;
        if people.is_empty() { seen.last(changes, None) } else { seen.more(changes, (page + 1).to_string()) }
    }
}

contactor_sdk::export!({{type}});

fn only_people(entity: &str) -> Result<()> {
    if entity == "contact" {
        return Ok(());
    }
    Err(Error::Unsupported(format!("{{title}} has no `{entity}`, only people, which are contacts")))
}

/// Ids are opaque: one may hold anything, so it is encoded.
fn path(id: &str) -> String {
    format!("/people/{}", partner::segment(id))
}

fn people(request: partner::Request) -> Result<Vec<Json>> {
    request.send()?.json()
}

/// A person as the host sees one. What the answer lacks stays unknown; what it holds as null is known to be empty.
fn person(person: &Json) -> Result<PartnerRecord> {
    let id = json::required_id(person, "/id")?;
    let mut record = PartnerRecord::new(id).updated_at(person["updated_at"].as_str());
    for field in ["email", "first_name", "last_name", "tags"] {
        if let Some(value) = person.get(field) {
            record = record.with(field, value.clone());
        }
    }
    Ok(record)
}

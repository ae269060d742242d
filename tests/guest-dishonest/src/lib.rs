//! A connector that behaves, unless the setting `vice` says otherwise. Each vice is what one check of the acceptance suite is there to
//! find; `tests/tests/dishonest.rs` embeds a manifest that names it.

use std::hint::black_box;

use contactor_sdk::prelude::*;
use contactor_sdk::seen::Seen;
use contactor_sdk::{items, json};
use serde_json::{Value as Json, json as object};

/// The connector.
struct Dishonest;

fn has(vice: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Settings {
        vice: String,
    }
    settings::get::<Settings>().is_ok_and(|settings| settings.vice == vice)
}

impl Connector for Dishonest {
    fn check() -> Result<Account> {
        let me: Json = partner::get("/me").send()?.json()?;
        if has("trap") {
            assert!(me.is_object(), "made up: the partner always answers an object");
        }
        Ok(Account::new("1", "Nobody"))
    }

    fn admit(_entity: &str, _direction: Direction, fields: &Fields) -> Result<Decision> {
        if has("asks-to-admit") {
            partner::get("/blocked").query("email", fields.email().unwrap_or_default()).send()?;
        }
        Ok(Decision::Accept)
    }

    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        only_people(entity)?;
        if has("offers-nothing") {
            return Err(Error::Unsupported("reading comes later".into()));
        }
        let answer = partner::get(path(id)).send()?;
        if has("believes-anything") {
            let body = serde_json::from_slice(&answer.body).unwrap_or_default();
            return person(&body).or_else(|_| Ok(PartnerRecord::new(id)));
        }
        person(&answer.json()?)
    }

    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        only_people(entity)?;
        let email = key.as_text().ok_or_else(|| Error::invalid(&key.name, "expected a text"))?;
        let search = if has("posts-to-find") {
            partner::post("/people/search").json(&object!({ "email": email }))?
        } else {
            partner::get("/people").query("email", email)
        };
        people(&search)?.iter().map(person).collect()
    }

    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_people(entity)?;
        person(&partner::post("/people").json(&fields.to_json()?)?.send()?.json()?)
    }

    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        only_people(entity)?;
        person(&partner::patch(path(id)).json(&fields.to_json()?)?.send()?.json()?)
    }

    fn receive(webhook: &Webhook) -> Result<Received> {
        if has("tells-headers") {
            log::info!("{:?}", webhook.headers);
        }
        let Ok(body) = serde_json::from_slice::<Json>(&webhook.body) else {
            return Ok(Received::rejected("the body is no JSON document"));
        };
        let Some(id) = json::id(&body["id"]) else {
            return Ok(Received::rejected("the body names no person"));
        };
        Ok(Received::Changes(vec![Change::new(ChangeKind::Updated, "contact", id).event("person_updated")]))
    }

    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        if stream != "people" {
            return Err(Error::Unsupported(format!("there is no stream `{stream}`")));
        }
        let mut page = people(&partner::get("/people").query("page", 1))?;
        if has("never-ends") {
            // Believes that a page which is not empty is followed by another one.
            while !page.is_empty() {
                page = people(&partner::get("/people").query("page", 2))?;
            }
        }
        if has("hoards") && (501..=2_000).contains(&page.len()) {
            black_box(vec![1_u8; 40 << 20]);
        }
        if has("forgets") {
            return forgetful(&page);
        }
        // Once for the page: each look at the settings is a call of the host.
        let shouts = has("shouts");
        let mut seen = Seen::open(stream, cursor)?;
        if has("gives-up") {
            page.iter().try_for_each(|one| person(one).map(drop))?;
        }
        if has("looks-away") {
            page.retain(|one| person(one).is_ok());
        }
        let id = |one: &Json| json::id(&one["id"]);
        let changes = seen.changes("contact", &page, id, |seen, one| {
            let mut record = person(one)?;
            if !seen.is_news(&record.id, one)? {
                return Ok(None);
            }
            if shouts {
                record = record.with("first_name", one["first_name"].as_str().map(str::to_uppercase));
            }
            Ok(Some(Change::new(ChangeKind::Updated, "contact", record.id.clone()).snapshot(record)))
        })?;
        seen.last(changes, None)
    }

    fn handle(event: &Event) -> Result<Outcome> {
        let Some(contact) = event.contact_id.as_deref().filter(|_| event.kind == "TaskComplete") else {
            return Ok(Outcome::ignored("only completed tasks matter"));
        };
        let mut text = "A task was completed".to_owned();
        if has("counts") {
            let count = state::update_json("count", |count: Option<u32>| Ok(count.unwrap_or(0) + 1))?;
            text = format!("{count} tasks were completed");
        }
        notes::create(contact, &text, &[])?;
        Ok(Outcome::done("wrote a note"))
    }

    fn run(action: &str, input: Json) -> Result<Json> {
        if action != "people.count" {
            return Err(Error::Unsupported(format!("there is no action `{action}`")));
        }
        let tag = input["tag"].as_str().unwrap_or_default();
        Ok(object!({ "count": people(&partner::get("/people").query("tag", tag))?.len() }))
    }
}

contactor_sdk::export!(Dishonest);

fn only_people(entity: &str) -> Result<()> {
    if entity == "contact" || has("takes-anything") {
        return Ok(());
    }
    Err(Error::Unsupported(format!("there is no `{entity}`")))
}

fn path(id: &str) -> String {
    if has("raw-ids") { format!("/people/{id}") } else { format!("/people/{}", partner::segment(id)) }
}

fn people(request: &partner::Request) -> Result<Vec<Json>> {
    request.send()?.json()
}

fn person(person: &Json) -> Result<PartnerRecord> {
    let id = json::required_id(person, "/id")?;
    let record = PartnerRecord::new(id).with("email", person["email"].as_str());
    Ok(record.with("first_name", person["first_name"].as_str()))
}

/// Remembers what it has shown before the host has it.
fn forgetful(page: &[Json]) -> Result<PollPage> {
    let known: Vec<String> = state::get_json("known")?.unwrap_or_default();
    let id = |one: &Json| json::id(&one["id"]);
    let ids: Vec<String> = page.iter().filter_map(id).collect();
    state::update_json("known", |_: Option<Vec<String>>| Ok(ids.clone()))?;
    let changes = items::changes("contact", page, id, |one| {
        let record = person(one)?;
        let change = Change::new(ChangeKind::Updated, "contact", record.id.clone());
        Ok((!known.contains(&record.id)).then(|| change.snapshot(record)))
    })?;
    Ok(PollPage::last(changes, None))
}

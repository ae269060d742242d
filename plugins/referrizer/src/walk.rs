//! The polled streams. Referrizer has no "changed since" and no order that is known, so each poll walks through the whole list and
//! compares it with what it saw before.

use std::collections::BTreeMap;

use contactor_sdk::seen::Seen;
use contactor_sdk::{Change, ChangeKind, Error, PollPage, Result, json, marks, partner};
use serde_json::Value as Json;

use crate::api::{self, MOST, meaning};
use crate::contact;
use crate::settings::Settings;

/// Walks that only learn what is there. Two, because a change during the first may move a contact to a page that was read already.
const LEARNING: u64 = 2;

/// The marks of emails that the connector itself brings to Referrizer.
const OWN: &str = "own";

pub(crate) fn poll(settings: &Settings, stream: &str, cursor: Option<&str>) -> Result<PollPage> {
    let path = match stream {
        "contacts" => "/contacts",
        "redeems" => "/loyalty-rewards/redeems",
        other => return Err(Error::no_such("stream", other)),
    };
    let mut seen = Seen::open(stream, cursor)?;
    let place = seen.position().and_then(|place| place.split_once('/'));
    let number = |text: &str| text.parse::<u64>().ok();
    let (walk, page) = place.and_then(|(walk, page)| Some((number(walk)?, number(page)?))).unwrap_or((0, 1));
    let answer = api::list(settings.path(path), page, MOST, None)?;
    let changes = match stream {
        "contacts" => contacts(settings, &answer.items, walk, &mut seen)?,
        _ => redeems(settings, &answer.items, walk, &mut seen)?,
    };
    match answer.next {
        Some(next) => seen.more(changes, format!("{walk}/{next}")),
        None if walk + 1 < LEARNING => seen.more(changes, format!("{}/1", walk + 1)),
        None => seen.last(changes, Some(format!("{}/1", walk + 1))),
    }
}

/// Contacts that are new or different.
fn contacts(settings: &Settings, items: &[Json], walk: u64, seen: &mut Seen) -> Result<Vec<Change>> {
    seen.changes(
        "contact",
        items,
        |item| json::id(&item["id"]),
        |seen, item| {
            let record = contact::record(settings, item)?;
            let id = record.id.clone();
            if !seen.is_news(&id, item)? {
                return Ok(None);
            }
            let status = item[&settings.status_key].as_str().unwrap_or_default();
            let is_new = seen.is_news(&format!("new {id}"), &Json::Null)?;
            let has_new_status = seen.is_news(&format!("status {id}"), &Json::from(status))?;
            let mut change = Change::new(ChangeKind::Updated, "contact", &id).snapshot(record);
            if is_new {
                change.kind = ChangeKind::Created;
                // What the connector itself created is no lead of Referrizer's.
                if walk >= LEARNING && !marks::has(OWN, &own(item["email"].as_str().unwrap_or_default()))? {
                    change = change.event("lead_created").with("key", format!("lead:{id}"));
                }
            } else if has_new_status && walk >= LEARNING {
                // A status can come back: the walk tells the second time from the first.
                change = change.event("status_changed").with("key", format!("status:{id}:{status}:{walk}"));
            }
            Ok(Some(change))
        },
    )
}

/// Redemptions that are new. They have no id of their own: reward, contact and date make one.
fn redeems(settings: &Settings, items: &[Json], walk: u64, seen: &mut Seen) -> Result<Vec<Change>> {
    let text = |item: &Json, name: &str| json::id(&item[name]).unwrap_or_default();
    let mut titles = BTreeMap::new();
    seen.changes(
        "contact",
        items,
        |_| None,
        |seen, item| {
            let (reward, contact) = (text(item, "loyaltyRewardId"), json::required_id(item, "/contactId")?);
            let key = format!("{reward}:{contact}:{}", text(item, "date"));
            if !seen.is_news(&key, &Json::Null)? || walk < LEARNING {
                return Ok(None);
            }
            if !titles.contains_key(&reward) {
                titles.insert(reward.clone(), title(settings, &reward)?);
            }
            let mut change = Change::new(ChangeKind::Other, "contact", contact).event("reward_redeemed");
            change = change
                .with("key", key)
                .with("reward_title", titles[&reward].as_str())
                .with("reward_id", reward);
            let told = ["points", "date", "employeeId", "note"].map(|name| (name, &item[name]));
            Ok(Some(change.with_all(told)))
        },
    )
}

/// A reward's title; its id when it is gone.
fn title(settings: &Settings, id: &str) -> Result<String> {
    let path = settings.path(&format!("/loyalty-rewards/{}", partner::segment(id)));
    let response = partner::get(path).send()?;
    if response.status == 404 {
        return Ok(id.to_owned());
    }
    let reward: Json = response.ok_or_else(meaning)?.json()?;
    Ok(reward["title"].as_str().unwrap_or(id).to_owned())
}

fn own(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Remembers, before it is created, that a contact comes from HighLevel: it will be new to the next walk.
pub(crate) fn remember_own(email: &str) -> Result<()> {
    marks::put(OWN, &own(email))
}

//! Consent only ever gets stricter.
//!
//! HighLevel keeps a contact's consent in `dnd` (all channels at once), in `dndSettings` (channel by channel) and in
//! `inboundDndSettings` (what the contact itself asked for). Whatever is about to be written there is held against what stands there:
//! a channel that is blocked stays blocked, one that is blocked for good stays so. This holds for every write, whatever a mapping or a
//! rule says; who wants to give consent back does so in HighLevel itself.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::{Fields, Value};

/// All channels at once; true is "do not disturb".
pub(crate) const DND: &str = "dnd";
/// Channel by channel.
const SETTINGS: &str = "dndSettings";
/// What the contact asked for.
const INBOUND: &str = "inboundDndSettings";

/// Something that would have given consent back and was held back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptConsent {
    /// HighLevel's field.
    pub field: &'static str,
    /// The channel, where the field has channels.
    pub channel: Option<String>,
}

impl fmt::Display for KeptConsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, channel } = self;
        match channel {
            Some(channel) => write!(f, "consent kept stricter: `{field}` of {channel} stays blocked"),
            None => write!(f, "consent kept stricter: `{field}` stays on"),
        }
    }
}

/// How strictly a channel is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Block {
    /// Messages may be sent.
    None,
    /// Blocked. So is a status that is not known.
    Blocked,
    /// Blocked for good.
    Permanent,
}

impl Block {
    fn of(setting: &Json) -> Self {
        match setting["status"].as_str().map(str::to_ascii_lowercase).as_deref() {
            None | Some("inactive") => Self::None,
            Some("permanent") => Self::Permanent,
            Some(_) => Self::Blocked,
        }
    }
}

/// Whether a field of HighLevel's says what a person agreed to.
pub(crate) fn is_consent(highlevel: &str) -> bool {
    [DND, SETTINGS, INBOUND].iter().any(|field| crate::mapping::is_within(highlevel, field))
}

/// Whether what is to be written touches consent, so that it has to be known what stands there.
pub fn touches_consent(wanted: &Fields) -> bool {
    wanted.iter().any(|(name, value)| match name.as_str() {
        DND => *value != Value::Boolean(true),
        SETTINGS | INBOUND => true,
        _ => false,
    })
}

/// Takes out of what is to be written whatever would loosen the consent that `present` shows. What is held back is answered, in order.
pub fn keep_consent(present: &Fields, wanted: &mut Fields) -> Vec<KeptConsent> {
    keep_consent_of_any(std::slice::from_ref(present), wanted)
}

/// The same for a write of which it is not known which of these contacts it will change: what is stricter of all of them counts.
pub fn keep_consent_of_any(present: &[Fields], wanted: &mut Fields) -> Vec<KeptConsent> {
    let mut kept = Vec::new();
    let is_on = present.iter().any(|contact| contact.get(DND) == Some(&Value::Boolean(true)));
    let is_off = wanted.get(DND).is_some_and(|value| *value != Value::Boolean(true));
    if is_off && is_on {
        wanted.remove(DND);
        kept.push(KeptConsent { field: DND, channel: None });
    } else if is_off && present.iter().any(blocks_a_channel) {
        // It is off already. Whether the vendor opens the channels when that is written again is not documented, so it is not written.
        wanted.remove(DND);
    }
    // Under `dnd` every channel is blocked, whether it has a setting or not.
    for (field, unless) in
        [(SETTINGS, if is_on { Block::Blocked } else { Block::None }), (INBOUND, Block::None)]
    {
        let standing: Vec<_> = present.iter().map(|contact| settings(contact, field)).collect();
        let asked = match wanted.get(field) {
            // Null would clear all of it.
            Some(Value::Null) => Map::new(),
            Some(Value::Json(Json::Object(asked))) => asked.clone(),
            _ => continue,
        };
        let clears = wanted.get(field) == Some(&Value::Null);
        let merged = stricter(field, &standing, unless, asked, clears, &mut kept);
        match merged {
            Some(merged) => wanted.insert(field.to_owned(), Value::Json(Json::Object(merged))),
            None if present.is_empty() => None,
            None if clears && !present.iter().any(|contact| blocks(contact, field)) => None,
            None => wanted.remove(field),
        };
    }
    kept
}

/// A contact's settings by channel.
fn settings(contact: &Fields, field: &str) -> Map<String, Json> {
    match contact.get(field) {
        Some(Value::Json(Json::Object(settings))) => settings.clone(),
        _ => Map::new(),
    }
}

fn blocks(contact: &Fields, field: &str) -> bool {
    settings(contact, field).values().any(|setting| Block::of(setting) != Block::None)
}

fn blocks_a_channel(contact: &Fields) -> bool {
    [SETTINGS, INBOUND].iter().any(|field| blocks(contact, field))
}

/// The settings to write, channel by channel; none when that would change nothing of any contact. Blocked channels that are not
/// mentioned are written as they are: whether the vendor replaces the settings as a whole is not documented.
fn stricter(
    field: &'static str,
    contacts: &[Map<String, Json>],
    unless: Block,
    mut asked: Map<String, Json>,
    clears: bool,
    kept: &mut Vec<KeptConsent>,
) -> Option<Map<String, Json>> {
    let strictest = strictest(contacts);
    let mut changes = false;
    for channel in asked.keys().cloned().collect::<Vec<_>>() {
        let present = named(&strictest, &channel).map_or(unless, |setting| Block::of(setting).max(unless));
        if Block::of(&asked[&channel]) >= present {
            changes |= contacts.iter().any(|own| named(own, &channel) != Some(&asked[&channel]));
            continue;
        }
        // Another contact may be less strict than what was asked: it gets what the strictest has.
        let blocks_less =
            |own| named(own, &channel).map_or(Block::None, Block::of) < Block::of(&asked[&channel]);
        changes |= contacts.iter().any(blocks_less);
        asked.remove(&channel);
        kept.push(KeptConsent { field, channel: Some(channel) });
    }
    for (channel, setting) in &strictest {
        if named(&asked, channel).is_some() || Block::of(setting) == Block::None {
            continue;
        }
        if clears {
            kept.push(KeptConsent { field, channel: Some(channel.clone()) });
        }
        if is_known(setting) {
            asked.insert(channel.clone(), setting.clone());
        }
    }
    (changes && !asked.is_empty()).then_some(asked)
}

/// Of each channel the setting that blocks it most.
fn strictest(contacts: &[Map<String, Json>]) -> Map<String, Json> {
    let mut strictest = Map::<String, Json>::new();
    for (channel, setting) in contacts.iter().flatten() {
        let name =
            strictest.keys().find(|name| name.eq_ignore_ascii_case(channel)).unwrap_or(channel).clone();
        let weaker = strictest.get(&name).is_none_or(|known| Block::of(known) < Block::of(setting));
        if weaker {
            strictest.insert(name, setting.clone());
        }
    }
    strictest
}

/// The setting of a channel, however its name is spelled.
fn named<'a>(settings: &'a Map<String, Json>, channel: &str) -> Option<&'a Json> {
    settings.iter().find(|(name, _)| name.eq_ignore_ascii_case(channel)).map(|(_, setting)| setting)
}

/// Whether the vendor would take a status back.
fn is_known(setting: &Json) -> bool {
    let status = setting["status"].as_str().map(str::to_ascii_lowercase);
    matches!(status.as_deref(), Some("active" | "inactive" | "permanent"))
}

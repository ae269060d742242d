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
    let mut kept = Vec::new();
    let is_on = present.get(DND) == Some(&Value::Boolean(true));
    if is_on && wanted.get(DND).is_some_and(|value| *value != Value::Boolean(true)) {
        wanted.remove(DND);
        kept.push(KeptConsent { field: DND, channel: None });
    }
    // Under `dnd` every channel is blocked, whether it has a setting or not.
    for (field, unless) in
        [(SETTINGS, if is_on { Block::Blocked } else { Block::None }), (INBOUND, Block::None)]
    {
        let empty = Map::new();
        let standing = match present.get(field) {
            Some(Value::Json(Json::Object(settings))) => settings,
            _ => &empty,
        };
        let asked = match wanted.get(field) {
            // Null would clear all of it.
            Some(Value::Null) => Map::new(),
            Some(Value::Json(Json::Object(asked))) => asked.clone(),
            _ => continue,
        };
        let clears = wanted.get(field) == Some(&Value::Null);
        let merged = stricter(field, standing, unless, asked, clears, &mut kept);
        match merged {
            Some(merged) => wanted.insert(field.to_owned(), Value::Json(Json::Object(merged))),
            None if clears && standing.values().all(|setting| Block::of(setting) == Block::None) => None,
            None => wanted.remove(field),
        };
    }
    kept
}

/// The settings to write, channel by channel; none when that would change nothing. Blocked channels that are not mentioned are written
/// as they are: whether the vendor replaces the settings as a whole is not documented.
fn stricter(
    field: &'static str,
    standing: &Map<String, Json>,
    unless: Block,
    mut asked: Map<String, Json>,
    clears: bool,
    kept: &mut Vec<KeptConsent>,
) -> Option<Map<String, Json>> {
    let named = |channel: &str| standing.iter().find(|(name, _)| name.eq_ignore_ascii_case(channel));
    let mut changes = false;
    for channel in asked.keys().cloned().collect::<Vec<_>>() {
        let own = named(&channel).map(|(_, setting)| setting);
        let present = own.map_or(unless, |setting| Block::of(setting).max(unless));
        if Block::of(&asked[&channel]) >= present {
            changes |= own != Some(&asked[&channel]);
            continue;
        }
        asked.remove(&channel);
        kept.push(KeptConsent { field, channel: Some(channel) });
    }
    for (channel, setting) in standing {
        let is_asked = asked.keys().any(|name| name.eq_ignore_ascii_case(channel));
        if is_asked || Block::of(setting) == Block::None {
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

/// Whether the vendor would take a status back.
fn is_known(setting: &Json) -> bool {
    let status = setting["status"].as_str().map(str::to_ascii_lowercase);
    matches!(status.as_deref(), Some("active" | "inactive" | "permanent"))
}

//! Do-not-disturb settings: the contact's consent, channel by channel.

use serde_json::{Map, Value};

use super::wire::Wire;
use crate::version::ApiVersion;

/// Whether a channel is blocked. Note the sense: `Active` means that do-not-disturb is on, so nothing may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DndStatus {
    /// Blocked.
    Active,
    /// Allowed.
    Inactive,
    /// Blocked for good; nobody can lift it.
    Permanent,
    /// A status that is not documented, as it came. Treat it as blocked.
    Other(String),
}

impl DndStatus {
    /// Whether messages are blocked. An unknown status counts as blocked: consent only ever gets stricter.
    pub fn is_blocked(&self) -> bool {
        *self != Self::Inactive
    }

    /// The vendor's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Permanent => "permanent",
            Self::Other(text) => text,
        }
    }

    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "active" => Self::Active,
            "inactive" => Self::Inactive,
            "permanent" => Self::Permanent,
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// The setting of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct DndSetting {
    /// Blocked or allowed.
    pub status: DndStatus,
    /// Whatever else the vendor keeps with it: `message`, `code`.
    pub details: Map<String, Value>,
}

impl DndSetting {
    /// A setting without details.
    pub fn new(status: DndStatus) -> Self {
        Self { status, details: Map::new() }
    }

    fn read(value: &Value) -> Option<Self> {
        let mut details = value.as_object()?.clone();
        let status = DndStatus::parse(details.remove("status")?.as_str()?);
        details.retain(|_, value| !value.is_null());
        Some(Self { status, details })
    }

    fn write(&self) -> Value {
        let mut object = self.details.clone();
        object.insert("status".to_owned(), Value::String(self.status.as_str().to_owned()));
        Value::Object(object)
    }
}

/// Settings for outgoing messages. Version 2021-07-28 names the channels `Call, Email, SMS, WhatsApp, GMB, FB`, version
/// 3 `call, email, sms, whatsApp, gmb, fb`; both are read, and both are one channel here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DndSettings {
    /// Phone calls.
    pub call: Option<DndSetting>,
    /// Emails.
    pub email: Option<DndSetting>,
    /// Text messages.
    pub sms: Option<DndSetting>,
    /// WhatsApp.
    pub whatsapp: Option<DndSetting>,
    /// Google business messages.
    pub gmb: Option<DndSetting>,
    /// Facebook.
    pub fb: Option<DndSetting>,
    /// Channels that are not known here, and settings that could not be read, as they came.
    pub other: Map<String, Value>,
}

impl DndSettings {
    /// Reads the object; none when it is not one.
    pub fn from_value(value: &Value) -> Option<Self> {
        let mut settings = Self::default();
        for (name, value) in value.as_object()? {
            match (settings.channel_mut(name), DndSetting::read(value)) {
                (Some(channel), Some(setting)) => *channel = Some(setting),
                _ if value.is_null() => {}
                _ => {
                    settings.other.insert(name.clone(), value.clone());
                }
            }
        }
        Some(settings)
    }

    /// The object, with the channel names of this version. Unknown channels are written as they came.
    pub fn to_value(&self, version: ApiVersion) -> Value {
        let mut object = self.other.clone();
        for (name, setting) in self.channels() {
            object.insert(version.dnd_channel(name).to_owned(), setting.write());
        }
        Value::Object(object)
    }

    /// The channels that have a setting, under their v2 names.
    pub fn channels(&self) -> impl Iterator<Item = (&'static str, &DndSetting)> {
        [
            ("Call", &self.call),
            ("Email", &self.email),
            ("SMS", &self.sms),
            ("WhatsApp", &self.whatsapp),
            ("GMB", &self.gmb),
            ("FB", &self.fb),
        ]
        .into_iter()
        .filter_map(|(name, setting)| setting.as_ref().map(|setting| (name, setting)))
    }

    fn channel_mut(&mut self, name: &str) -> Option<&mut Option<DndSetting>> {
        match name.to_ascii_lowercase().as_str() {
            "call" => Some(&mut self.call),
            "email" => Some(&mut self.email),
            "sms" => Some(&mut self.sms),
            "whatsapp" => Some(&mut self.whatsapp),
            "gmb" => Some(&mut self.gmb),
            "fb" => Some(&mut self.fb),
            _ => None,
        }
    }

    /// Whether all of it can be written: known channels with documented statuses.
    pub(crate) fn check_statuses(&self) -> Result<(), String> {
        if let Some(name) = self.other.keys().next() {
            return Err(format!(
                "`{name}` is not a channel with a status; there are Call, Email, SMS, WhatsApp, GMB and FB"
            ));
        }
        let unknown = self.channels().find(|(_, setting)| matches!(setting.status, DndStatus::Other(_)));
        unknown.map_or(Ok(()), |(name, _)| {
            Err(format!("the status of {name} must be active, inactive or permanent"))
        })
    }
}

impl Wire for DndSettings {
    fn read(value: &Value) -> Option<Self> {
        Self::from_value(value)
    }

    fn write(&self) -> Value {
        self.to_value(ApiVersion::V20210728)
    }
}

/// Whether the contact opted out of what it receives, all channels at once. It is not part of any webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundDndSettings {
    /// The setting.
    pub all: DndSetting,
}

impl InboundDndSettings {
    /// Reads `{"all": {"status": …}}`.
    pub fn from_value(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let all = object.get("all").or_else(|| object.get("All"))?;
        DndSetting::read(all).map(|all| Self { all })
    }

    /// The object as the vendor writes it.
    pub fn to_value(&self) -> Value {
        Value::Object(Map::from_iter([("all".to_owned(), self.all.write())]))
    }

    pub(crate) fn check_status(&self) -> Result<(), String> {
        match self.all.status {
            DndStatus::Active | DndStatus::Inactive => Ok(()),
            _ => Err("the status must be active or inactive".to_owned()),
        }
    }
}

impl Wire for InboundDndSettings {
    fn read(value: &Value) -> Option<Self> {
        Self::from_value(value)
    }

    fn write(&self) -> Value {
        self.to_value()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_of_the_channels_are_the_same_settings() {
        let v2 = json!({"Call": {"status": "active"}, "Email": {"status": "inactive"}, "SMS": {"status": "permanent"},
                        "WhatsApp": {"status": "active"}, "GMB": {"status": "active"}, "FB": {"status": "active"}});
        let v3 = json!({"call": {"status": "active"}, "email": {"status": "inactive"}, "sms": {"status": "permanent"},
                        "whatsApp": {"status": "active"}, "gmb": {"status": "active"}, "fb": {"status": "active"}});
        let read = DndSettings::from_value(&v2).unwrap();
        assert_eq!(Some(&read), DndSettings::from_value(&v3).as_ref());
        assert_eq!(read.to_value(ApiVersion::V20210728), v2);
        assert_eq!(read.to_value(ApiVersion::V3), v3);
    }

    #[test]
    fn an_unknown_status_counts_as_blocked_and_a_strange_channel_is_kept() {
        let value =
            json!({"SMS": {"status": "snoozed"}, "Pigeon": {"status": "active"}, "Email": "yes", "FB": null});
        let read = DndSettings::from_value(&value).unwrap();
        assert!(read.sms.as_ref().unwrap().status.is_blocked());
        assert_eq!(read.fb, None);
        assert_eq!(read.other.keys().collect::<Vec<_>>(), ["Email", "Pigeon"]);
        assert!(read.check_statuses().is_err());
    }
}

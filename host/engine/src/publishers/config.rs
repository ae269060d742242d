//! Whom an operator trusts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use contactor_manifest::ConnectorId;
use contactor_runtime::Digest;
use contactor_signature::PublicKey;
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// Bytes of a publisher's name.
const LONGEST_NAME: usize = 64;

/// Which components this host loads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConnectorsConfig {
    /// What becomes of a component that no publisher vouches for.
    pub unsigned: Unsigned,
    /// Components that are not loaded whoever vouches for them: SHA-256 of the file, or of what is signed in it. A signature does not
    /// grow old, so this is how a version with a flaw is taken out of use.
    pub refuse: BTreeSet<Digest>,
    /// Who may vouch, by a name of the operator's.
    pub publishers: BTreeMap<String, PublisherConfig>,
}

/// What becomes of a component that no publisher vouches for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsigned {
    /// It is neither installed nor loaded.
    #[default]
    Refuse,
    /// It is taken by its digest alone. One with a signature that does not fit is refused all the same.
    Allow,
}

/// Somebody who may vouch for connectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherConfig {
    /// What its signatures are verified with.
    pub key: PublicKey,
    /// For which connectors its signature counts; for all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<IdPattern>>,
}

/// A connector's id, or the beginning of ids followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdPattern {
    beginning: String,
    more: bool,
}

impl IdPattern {
    pub(super) fn covers(&self, id: &str) -> bool {
        if self.more { id.starts_with(&self.beginning) } else { id == self.beginning }
    }
}

impl TryFrom<String> for IdPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (beginning, more) = text.strip_suffix('*').map_or((text.as_str(), false), |start| (start, true));
        let fits = (more && beginning.is_empty()) || ConnectorId::try_from(beginning.to_owned()).is_ok();
        if fits {
            return Ok(Self { beginning: beginning.to_owned(), more });
        }
        Err(format!("`{text}` is neither a connector's id nor the beginning of ids and `*`, as `acme-*`"))
    }
}

impl From<IdPattern> for String {
    fn from(pattern: IdPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.beginning, if self.more { "*" } else { "" })
    }
}

impl ConnectorsConfig {
    /// Takes what nobody vouches for: for doubles, and for whoever builds all connectors alone.
    pub fn allowing_unsigned() -> Self {
        Self { unsigned: Unsigned::Allow, ..Self::default() }
    }

    /// Says what is wrong with a value, by the key of the configuration file.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for the first publisher that cannot be one.
    pub fn check(&self) -> Result<(), EngineError> {
        let invalid = |name: &str, what: &str| {
            Err(EngineError::Invalid(format!("connectors.publishers.{name}: {what}")))
        };
        let mut keys: BTreeMap<String, &str> = BTreeMap::new();
        for (name, publisher) in &self.publishers {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(fits) {
                return invalid(name, "a name is 1 to 64 letters, digits, `-`, `_` and `.`");
            }
            if publisher.ids.as_ref().is_some_and(Vec::is_empty) {
                return invalid(
                    name,
                    "`ids` is empty, so it could sign nothing; leave the line out to let it sign everything",
                );
            }
            if let Some(other) = keys.insert(publisher.key.to_string(), name) {
                return invalid(name, &format!("the key is that of `{other}` as well"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use contactor_signature::SecretKey;
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_taken_unsigned_unless_it_is_said() {
        let parse = |json: serde_json::Value| serde_json::from_value::<ConnectorsConfig>(json);
        assert_eq!(parse(json!({})).unwrap(), ConnectorsConfig::default());
        assert_eq!(ConnectorsConfig::default().unsigned, Unsigned::Refuse);
        assert_eq!(parse(json!({"unsigned": "allow"})).unwrap(), ConnectorsConfig::allowing_unsigned());
        for wrong in [
            json!({"unsigned": true}),
            json!({"publishers": {"a": {}}}),
            json!({"signed": "allow"}),
            json!({"refuse": ["ba7816bf"]}),
        ] {
            assert!(parse(wrong).is_err());
        }
    }

    #[test]
    fn a_pattern_is_an_id_or_the_beginning_of_some() {
        let pattern = |text: &str| IdPattern::try_from(text.to_owned());
        for (text, covers, others) in [
            ("acme", vec!["acme"], vec!["acme-crm", "acm", ""]),
            ("acme-*", vec!["acme-crm", "acme-"], vec!["acme", "acmecrm", "x-acme-crm"]),
            ("*", vec!["acme", "x"], vec![]),
        ] {
            let pattern = pattern(text).unwrap();
            assert_eq!(pattern.to_string(), text);
            assert!(
                covers.iter().all(|id| pattern.covers(id)) && !others.iter().any(|id| pattern.covers(id))
            );
        }
        for wrong in ["", "Acme", "*-acme", "acme-**", "a*b", "1acme", "acme *"] {
            assert!(pattern(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_publisher_that_cannot_be_one_is_refused_by_its_name() {
        let [one, two] = [(); 2].map(|()| SecretKey::generate().unwrap().public().to_string());
        let refusal = |publishers: serde_json::Value| {
            let config: ConnectorsConfig =
                serde_json::from_value(json!({ "publishers": publishers })).unwrap();
            config.check().err().map(|error| error.to_string())
        };
        assert_eq!(refusal(json!({"acme": {"key": one}, "b.c_d": {"key": two, "ids": ["b-*"]}})), None);
        for (publishers, words) in [
            (json!({"acme": {"key": one}, "other": {"key": one}}), "that of `acme`"),
            (json!({"acme": {"key": one, "ids": []}}), "`ids` is empty"),
            (json!({"Acme Inc": {"key": one}}), "a name is"),
        ] {
            let refusal = refusal(publishers).unwrap();
            assert!(refusal.starts_with("connectors.publishers.") && refusal.contains(words), "{refusal}");
        }
    }
}

//! Fields that have one name in the manifest and another one, chosen by an account, at the partner: a setting of the kind `map`, from
//! our names to the partner's ids.
//!
//! ```
//! use contactor_sdk::field_map::FieldMap;
//! use contactor_sdk::Fields;
//!
//! // Usually a member of the connector's own settings.
//! let map: FieldMap = serde_json::from_str(r#"{ "score": "cf_71", "tier": "" }"#)?;
//! let ours = Fields::new().with("score", 5).with("email", "ada@example.com");
//! let theirs = map.to_partner(&ours);
//! assert_eq!(theirs, Fields::new().with("cf_71", 5).with("email", "ada@example.com"));
//! assert_eq!(map.to_ours(&theirs), ours);
//! assert_eq!(map.partner_name("tier"), None, "an admin left it empty: it is not used");
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Fields, NamedValue};

/// The partner's names by ours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct FieldMap(BTreeMap<String, String>);

impl FieldMap {
    /// The partner's name of one of our fields, if an admin gave one.
    pub fn partner_name(&self, ours: &str) -> Option<&str> {
        self.0.get(ours).map(|name| name.trim()).filter(|name| !name.is_empty())
    }

    /// Our name of one of the partner's fields.
    pub fn our_name(&self, theirs: &str) -> Option<&str> {
        self.pairs().find(|(_, own)| *own == theirs).map(|(ours, _)| ours)
    }

    /// Our names with the partner's.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.keys().filter_map(|ours| Some((ours.as_str(), self.partner_name(ours)?)))
    }

    /// The fields under the partner's names; a field that is not in the map keeps its own.
    #[must_use]
    pub fn to_partner(&self, fields: &[NamedValue]) -> Fields {
        renamed(fields, |name| self.partner_name(name))
    }

    /// The fields under our names; a field that is not in the map keeps its own.
    #[must_use]
    pub fn to_ours(&self, fields: &[NamedValue]) -> Fields {
        renamed(fields, |name| self.our_name(name))
    }
}

impl<O: Into<String>, T: Into<String>> FromIterator<(O, T)> for FieldMap {
    fn from_iter<I: IntoIterator<Item = (O, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(ours, theirs)| (ours.into(), theirs.into())).collect())
    }
}

fn renamed<'n>(fields: &'n [NamedValue], name: impl Fn(&'n str) -> Option<&'n str>) -> Fields {
    fields.iter().map(|field| (name(&field.name).unwrap_or(&field.name), field.value.clone())).collect()
}

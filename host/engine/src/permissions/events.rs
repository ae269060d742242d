//! Which events a connector is told of.

use std::collections::BTreeSet;

use contactor_manifest::{Manifest, SettingKind, TriggerSource};
use contactor_store::Policy;
use serde_json::Value as Json;

use super::{EVENT, asked, is_granted};

/// What keeps events from a connector, whatever wants them for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Events {
    /// Kinds that it asks for and was not granted.
    withheld: BTreeSet<String>,
    policy: Policy,
}

impl Events {
    pub(crate) fn of(manifest: &Manifest, granted: &[String], policy: &Policy) -> Self {
        let asked = asked(manifest).into_iter().filter_map(|asked| {
            let kind = asked.name.strip_prefix(EVENT)?;
            (!is_granted(granted, &asked.name)).then(|| kind.to_owned())
        });
        Self { withheld: asked.collect(), policy: policy.clone() }
    }

    /// Whether it is told of this kind. One that it does not ask for itself is wanted by an admin's rule, or is a timer of its own.
    pub(crate) fn reach(&self, kind: &str) -> bool {
        !self.withheld.contains(kind) && !self.policy.denies(&format!("{EVENT}{kind}"))
    }
}

/// The kinds of event of HighLevel that a connector is delivered: those that its manifest declares, and whatever a rule in its
/// settings is on.
pub(crate) fn wanted(manifest: &Manifest, settings: &Json) -> BTreeSet<String> {
    let declared = manifest.triggers.iter().filter(|trigger| trigger.source == TriggerSource::Highlevel);
    let declared = declared.map(|trigger| trigger.name.clone());
    declared.chain(of_rules(manifest, settings)).collect()
}

/// What the rules in its settings are on.
pub(super) fn of_rules(manifest: &Manifest, settings: &Json) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    // Settings that do not fit stop the connection elsewhere; here they want nothing.
    let settings = manifest.validate_settings(settings).unwrap_or_default();
    for setting in manifest.settings.iter().filter(|setting| setting.kind == SettingKind::Rules) {
        for rule in settings[&setting.name].as_array().into_iter().flatten() {
            let on = rule["on"].as_array().into_iter().flatten();
            kinds.extend(on.filter_map(Json::as_str).map(str::to_owned));
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::made::{BEARER, manifest};

    const PARTS: &str = r#"
[[setting]]
name = "rules"
title = "Rules"
type = "rules"
effects = ["add-tags"]
default = [{ name = "own", on = ["NoteCreate"], do = [{ add-tags = ["x"] }] }]

[[trigger]]
name = "AppointmentUpdate"
title = "An appointment changed"
source = "highlevel"

[[trigger]]
name = "timer:reminder"
title = "A reminder is due"
source = "timer"
"#;

    #[test]
    fn a_connector_wants_what_it_declares_and_what_its_rules_are_on() {
        let manifest = manifest(&[BEARER, PARTS].concat());
        let of = |settings: Json| wanted(&manifest, &settings).into_iter().collect::<Vec<_>>();
        assert_eq!(of(json!({ "rules": [] })), ["AppointmentUpdate"]);
        assert_eq!(of(Json::Null), ["AppointmentUpdate", "NoteCreate"]);
        let rule =
            json!({"name": "r", "on": ["TaskComplete", "ContactTagUpdate"], "do": [{"add-tags": ["x"]}]});
        let expected = ["AppointmentUpdate", "ContactTagUpdate", "TaskComplete"];
        assert_eq!(of(json!({ "rules": [rule] })), expected);
    }

    #[test]
    fn a_rule_that_the_manifest_brings_along_is_asked_for_like_a_trigger() {
        let manifest = manifest(&[BEARER, PARTS].concat());
        let events: Vec<_> = asked(&manifest)
            .into_iter()
            .filter(|asked| asked.name.starts_with(EVENT))
            .map(|asked| asked.name)
            .collect();
        assert_eq!(events, ["event:AppointmentUpdate", "event:timer:reminder", "event:NoteCreate"]);
    }

    #[test]
    fn what_is_withheld_or_denied_reaches_nobody_whoever_wants_it() {
        let manifest = manifest(&[BEARER, PARTS].concat());
        let granted = ["event:AppointmentUpdate".to_owned()];
        let events = Events::of(&manifest, &granted, &Policy::default());
        assert!(events.reach("AppointmentUpdate") && events.reach("TaskComplete"));
        assert!(!events.reach("NoteCreate") && !events.reach("timer:reminder"));

        let policy = Policy { deny: vec!["event:*".to_owned()], ..Policy::default() };
        let events = Events::of(&manifest, &policy.leaves(granted.to_vec()), &policy);
        assert!(!events.reach("AppointmentUpdate") && !events.reach("TaskComplete"));
    }
}

//! The manifest is complete: whoever installs the connector can tell what it does, and every example in it works as one.

use contactor_manifest::{Manifest, SettingKind, Support, TriggerSource};
use contactor_rules::Rule;
use serde::Deserialize as _;

use super::count;
use crate::report::Outcome;

pub(crate) fn run(manifest: &Manifest) -> Outcome {
    let mut problems = Vec::new();
    entities(manifest, &mut problems);
    operations(manifest, &mut problems);
    settings(manifest, &mut problems);
    if manifest.auth.is_empty() {
        problems.push(
            "there is no [[auth]]: the host does not know how to sign requests to the partner".to_owned(),
        );
    }
    let looked_at = [
        count(manifest.fields.len(), "field"),
        count(manifest.triggers.len(), "trigger"),
        count(manifest.actions.len(), "action"),
        count(manifest.settings.len(), "setting"),
    ];
    Outcome::of(problems, looked_at.join(", "))
}

fn entities(manifest: &Manifest, problems: &mut Vec<String>) {
    if manifest.entities.iter().all(|entity| entity.support == Support::Unsupported)
        && manifest.triggers.is_empty()
        && manifest.actions.is_empty()
    {
        problems.push(
            "it declares no record, no trigger and no action: there is nothing that it does".to_owned(),
        );
    }
    for entity in manifest.entities.iter().filter(|entity| entity.support == Support::Native) {
        let name = &entity.name;
        if manifest.fields_of(name).next().is_none() {
            problems.push(format!("[[entity]] `{name}` has no [[field]]"));
        }
        if manifest.mappings_of(name).next().is_none() {
            problems.push(format!("[[entity]] `{name}` has no [[mapping]]: nothing of it would travel"));
        }
        if name == "contact" && entity.natural_keys.is_empty() {
            problems.push(
                "[[entity]] `contact` has no natural key: people who are on both sides already would be there twice".to_owned(),
            );
        }
    }
}

fn operations(manifest: &Manifest, problems: &mut Vec<String>) {
    for trigger in &manifest.triggers {
        let needs_sample = matches!(trigger.source, TriggerSource::Webhook | TriggerSource::Poll);
        if needs_sample && trigger.sample.is_none() {
            problems.push(format!("[[trigger]] `{}` has no sample: nobody can try it out", trigger.name));
        }
    }
    for action in &manifest.actions {
        match jsonschema::validator_for(&action.input) {
            Err(error) => {
                problems.push(format!("[[action]] `{}`: its input is no JSON Schema: {error}", action.name));
            }
            Ok(schema) => {
                if let Some(error) = schema.iter_errors(&action.example).next() {
                    problems.push(format!(
                        "[[action]] `{}`: its example does not fit its input: {error}",
                        action.name
                    ));
                }
            }
        }
    }
}

fn settings(manifest: &Manifest, problems: &mut Vec<String>) {
    for setting in &manifest.settings {
        if setting.help.as_deref().is_none_or(|help| help.trim().is_empty()) {
            problems.push(format!("[[setting]] `{}` has no help", setting.name));
        }
        if setting.kind != SettingKind::Rules {
            continue;
        }
        for rule in setting.default.iter().filter_map(|rules| rules.as_array()).flatten() {
            let Ok(rule) = Rule::deserialize(rule) else { continue };
            let unknown = |kind: &&String| manifest.triggers.iter().all(|trigger| trigger.name != **kind);
            for kind in rule.on.iter().filter(unknown) {
                problems.push(format!(
                    "[[setting]] `{}`: the rule `{}` is on `{kind}`, which no [[trigger]] declares",
                    setting.name, rule.name
                ));
            }
        }
    }
}

//! The imports are what the scopes declare: an admin who reads the scopes knows what the component can reach.

use std::collections::BTreeSet;

use contactor_manifest::{Manifest, SettingKind};
use contactor_runtime::{Grants, Inspection};

use super::count;
use crate::report::Outcome;

/// Interfaces that the scopes `contacts.*` open.
const HIGHLEVEL: [&str; 8] =
    ["appointments", "bulk", "campaigns", "contacts", "notes", "tags", "tasks", "workflows"];

/// The interface that an effect of a rule needs.
fn needed(effect: &str) -> Option<&'static str> {
    Some(match effect {
        "add-tags" | "remove-tags" => "tags",
        "create-task" | "complete-tasks" => "tasks",
        "add-note" => "notes",
        "start-workflow" | "stop-workflow" => "workflows",
        "notify" => "notifications",
        "remind" | "cancel-reminder" => "timers",
        _ => return None,
    })
}

pub(crate) fn run(inspection: &Inspection) -> Outcome {
    let manifest = &inspection.manifest;
    let imports: BTreeSet<&str> = inspection.capabilities().collect();
    let mut problems = Vec::new();
    // Whatever is not of this host is told by the same words as when it is installed.
    if let Err(error) = inspection.check(&Grants::all()) {
        problems.push(error.to_string());
    }
    let has = |scope: &str| manifest.scopes.iter().any(|declared| declared.name == scope);
    let any_contacts = manifest.scopes.iter().any(|scope| scope.name.starts_with("contacts."));
    for import in &imports {
        if HIGHLEVEL.contains(import) && !any_contacts {
            problems.push(format!(
                "it imports `{import}`, but declares neither `contacts.readonly` nor `contacts.write`: add a [[scope]] with the reason"
            ));
        }
    }
    match (imports.contains("notifications"), has("notifications")) {
        (true, false) => problems.push(
            "it imports `notifications`, but does not declare the scope of that name: add a [[scope]]"
                .to_owned(),
        ),
        (false, true) => problems.push(
            "it asks for the scope `notifications`, but calls nothing of it: leave the scope out".to_owned(),
        ),
        _ => {}
    }
    for effect in offered(manifest) {
        if let Some(interface) = needed(&effect).filter(|interface| !imports.contains(interface)) {
            problems.push(format!(
                "a setting offers rules the effect `{effect}`, but the component does not import `{interface}`: link the part, or do \
                 not offer the effect"
            ));
        }
    }
    Outcome::of(
        problems,
        format!("{}: {}", count(imports.len(), "import"), imports.into_iter().collect::<Vec<_>>().join(", ")),
    )
}

/// The effects that settings offer to rules.
fn offered(manifest: &Manifest) -> BTreeSet<String> {
    let rules = manifest.settings.iter().filter(|setting| setting.kind == SettingKind::Rules);
    rules.flat_map(|setting| setting.effects.iter().cloned()).collect()
}

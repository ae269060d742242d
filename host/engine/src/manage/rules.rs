//! An admin's rules, looked at before a connection is stored: an expression that cannot be compiled is told at once, and not at
//! the first event that it was meant for.

use contactor_manifest::{Manifest, SettingKind};
use contactor_rules::Rule;
use serde_json::Value;

use crate::error::EngineError;

/// Compiles the conditions and texts of every rule in these settings. What is no rule at all is the manifest's to refuse.
///
/// # Errors
/// The rules and expressions that cannot be compiled, each with the reason.
pub(super) fn compile(manifest: &Manifest, settings: &Value) -> Result<(), EngineError> {
    let of_rules = manifest.settings.iter().filter(|setting| setting.kind == SettingKind::Rules);
    let rules = of_rules.filter_map(|setting| settings[&setting.name].as_array()).flatten();
    let mut problems = Vec::new();
    for rule in rules.filter_map(|rule| serde_json::from_value::<Rule>(rule.clone()).ok()) {
        for expression in rule.expressions() {
            if let Err(reason) = contactor_sync::check_expression(expression) {
                problems.push(format!("rule `{}`: `{expression}`: {reason}", rule.name));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(EngineError::Invalid(problems.join("; "))) }
}

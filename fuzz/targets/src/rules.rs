//! An admin's rules: whatever is written, its faults are told and its expressions are found.
//!
//! Input: a rule as JSON, or a text with expressions, or a duration.

use contactor_rules::{Duration, Effect, Part, Rule, parts};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(duration) = text.parse::<Duration>() {
        assert!(duration.seconds() <= 10 * 366 * 86_400, "ten years at most");
    }
    if let Ok(found) = parts(text) {
        let inside = |part: &Part<'_>| match part {
            Part::Literal(text) | Part::Expression(text) => text.len(),
        };
        let braces = found.iter().filter(|part| matches!(part, Part::Expression(_))).count() * 4;
        assert!(found.iter().map(inside).sum::<usize>() + braces <= text.len(), "nothing is made up");
        assert!(!found.iter().any(|part| matches!(part, Part::Expression(inside) if inside.is_empty())));
        if !text.contains("{{") {
            assert!(found.iter().all(|part| *part == Part::Literal(text)));
        }
    }
    let Ok(rule) = serde_json::from_str::<Rule>(text) else { return };
    for problem in rule.problems(&Effect::NAMES) {
        assert!(problem.starts_with(&format!("rule `{}`: ", rule.name)));
    }
    for effect in &rule.effects {
        assert!(Effect::NAMES.contains(&effect.name()));
        assert_eq!(effect.try_map(|text| Ok::<_, ()>(text.to_owned())).as_ref(), Ok(effect));
    }
    if rule.problems(&Effect::NAMES).is_empty() {
        assert!(rule.effects.iter().flat_map(Effect::texts).all(|text| parts(text).is_ok()));
    }
    let stored = serde_json::to_string(&rule).unwrap();
    assert_eq!(serde_json::from_str::<Rule>(&stored).ok().as_ref(), Some(&rule));
}

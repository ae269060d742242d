//! Automations by rules: an admin writes them as a setting of the kind `rules`, [`run`] carries them out.
//!
//! ```
//! use contactor_sdk::automation::{self, CONTACTS, Effects, Rule, TAGS, TASKS};
//! use contactor_sdk::prelude::*;
//! # use contactor_sdk::testing::{MockHost, contact, event};
//!
//! /// What rules may do and read here. The manifest's setting lists the same effects.
//! const EFFECTS: Effects = Effects::new(&[CONTACTS, TAGS, TASKS]);
//!
//! #[derive(serde::Deserialize)]
//! struct Settings {
//!     rules: Vec<Rule>,
//! }
//!
//! fn handle(event: &Event) -> Result<Outcome> {
//!     automation::run(event, &settings::get::<Settings>()?.rules, &EFFECTS)
//! }
//!
//! # let host = MockHost::new()
//! #     .contact(contact("c1", Fields::new().with("firstName", "Ada"), &[]))
//! #     .setting("rules", serde_json::json!([{
//! #         "name": "welcome", "on": ["sign_up"], "when": "score > 3",
//! #         "do": [{ "add-tags": ["lead"] }, { "create-task": { "title": "Welcome {{ contact.firstName }}", "due": "2d" } }]
//! #     }]))
//! #     .install();
//! let outcome = handle(&event("sign_up").with("score", 5).of_contact("c1"))?;
//! assert_eq!(outcome, Outcome::done("welcome: added the tag lead, created a task"));
//! # Ok::<(), contactor_sdk::Error>(())
//! ```
//!
//! # What expressions see
//!
//! | name | meaning |
//! |---|---|
//! | every field of the event | by its name; also as `event.<name>`, for names that stand below |
//! | `kind`, `source` | the event's kind; `highlevel`, `partner` or `host` |
//! | `contact_id`, `partner_id` | the ids, as far as they are known |
//! | `payload` | the event's body |
//! | `contact.<field>`, `contact.tags` | the HighLevel contact ([`CONTACTS`]) |
//! | `contact.tasks` | its tasks: `id`, `title`, `completed`, `dueDate`, … ([`TASKS`]) |
//! | `contact.appointments` | its appointments: `id`, `status`, `start`, `end`, `title`, … ([`APPOINTMENTS`]) |
//!
//! The contact and its lists are read when an expression first mentions them, once for an event; what no expression mentions
//! costs nothing, and a text without expressions costs no call. When a timer goes off, the fields are those of the event that set
//! it, with `about` and `at`.
//!
//! All conditions and texts are evaluated before anything is written, and the input of `run-action` is held against the action's schema:
//! what fails there leaves nothing half done. A text that is nothing but an expression keeps its type, so that `{{ 5 }}` is a number and
//! `{{ {'name': first_name} }}` an object, whatever the name holds.

mod effects;
mod names;
mod routes;
mod scope;
#[cfg(test)]
mod tests;

pub use contactor_rules::{Effect, Rule};

pub use effects::{
    APPOINTMENTS, CONTACTS, Effects, NOTES, NOTIFICATIONS, Part, TAGS, TASKS, TIMERS, WORKFLOWS, actions,
};
pub use routes::route;

use crate::{Error, Event, FieldProblem, Outcome, Result, Source, Value, rules};
use effects::{Call, Step};
use scope::{Failure, Scope};

/// One effect with the values in the places of its expressions.
struct Ready {
    effect: Effect,
    /// The input of `run-action`, whose values keep their types.
    input: serde_json::Map<String, serde_json::Value>,
}

impl Ready {
    /// Holds the input of `run-action` against the action's schema, as the host does when an admin runs it: the values may be a
    /// stranger's.
    fn check(&self) -> Result<()> {
        let Effect::RunAction(run) = &self.effect else { return Ok(()) };
        rules::check_input(&run.action, &serde_json::Value::Object(self.input.clone()).to_string())
    }
}

/// What became of one rule.
enum Verdict {
    Holds(Vec<Ready>),
    DoesNotHold,
}

/// Carries out the rules on this kind of event whose condition holds. The outcome tells for each of them what it did, or why it
/// did nothing.
///
/// # Errors
/// [`Error::Invalid`] for a rule whose expression fails or whose effect the connector does not link: it names the rule, the
/// effect, the text and the reason, and nothing was written. What a call answers passes through, with the rule and the effect.
pub fn run(event: &Event, rules: &[Rule], effects: &Effects) -> Result<Outcome> {
    let scope = Scope::new(event, effects);
    let mut verdicts = Vec::new();
    for rule in rules.iter().filter(|rule| rule.on.contains(&event.kind)) {
        verdicts.push((rule, judge(rule, &scope, effects)?));
    }
    if verdicts.is_empty() {
        return Ok(Outcome::Ignored(format!("no rule is on `{}`", event.kind)));
    }

    let (mut acted, mut lines) = (false, Vec::new());
    for (rule, verdict) in verdicts {
        let Verdict::Holds(effects_ready) = verdict else {
            lines.push(format!("{}: its condition does not hold", rule.name));
            continue;
        };
        let call = Call { event, scope: &scope, rule: &rule.name };
        let mut did = Vec::new();
        for ready in &effects_ready {
            let step =
                effects.perform(ready, &call).map_err(|error| in_effect(error, rule, &ready.effect))?;
            acted |= matches!(step, Step::Done(_));
            let (Step::Done(line) | Step::Ignored(line)) = step;
            did.push(line);
        }
        lines.push(format!("{}: {}", rule.name, did.join(", ")));
    }
    let line = lines.join("; ");
    Ok(if acted { Outcome::Done(line) } else { Outcome::Ignored(line) })
}

/// Whether a rule on this kind of event mentions a name: a connector whose events get a value that costs a call spares it otherwise.
pub fn mentions(rules: &[Rule], kind: &str, name: &str) -> bool {
    let on_kind = rules.iter().filter(|rule| rule.on.iter().any(|own| own == kind));
    on_kind.flat_map(Rule::expressions).any(|expression| expression.contains(name))
}

/// Evaluates a rule. Reads, but writes nothing.
fn judge(rule: &Rule, scope: &Scope<'_>, effects: &Effects) -> Result<Verdict> {
    if let Some(condition) = &rule.when
        && !scope.holds(condition).map_err(|failure| failed(failure, rule, "when"))?
    {
        return Ok(Verdict::DoesNotHold);
    }
    let mut ready = Vec::new();
    for effect in &rule.effects {
        effects.check(effect).map_err(|error| in_effect(error, rule, effect))?;
        let prepared = prepare(effect, scope).map_err(|failure| failed(failure, rule, effect.name()))?;
        prepared.check().map_err(|error| in_effect(error, rule, effect))?;
        ready.push(prepared);
    }
    Ok(Verdict::Holds(ready))
}

fn prepare(effect: &Effect, scope: &Scope<'_>) -> Result<Ready, Failure> {
    let mut input = serde_json::Map::new();
    let effect = match effect {
        Effect::AddTags(tags) => Effect::AddTags(scope.texts(tags)?),
        Effect::RemoveTags(tags) => Effect::RemoveTags(scope.texts(tags)?),
        Effect::RunAction(run) => {
            for (name, text) in &run.input {
                let value: Value = scope.typed(text)?;
                let json = value.to_json().map_err(|reason| Failure { text: text.clone(), reason })?;
                input.insert(name.clone(), json);
            }
            effect.clone()
        }
        other => other.try_map(|text| scope.text(text))?,
    };
    Ok(Ready { effect, input })
}

/// A failed evaluation, as the admin who wrote the rule has to see it.
fn failed(failure: Failure, rule: &Rule, place: &str) -> Error {
    let Failure { text, reason } = failure;
    match reason {
        Error::Invalid(problems) => {
            let problems: Vec<_> = problems.into_iter().map(|problem| problem.problem).collect();
            Error::invalid(
                format!("rule `{}`", rule.name),
                format!("{place}: `{text}`: {}", problems.join("; ")),
            )
        }
        other => within(other, &format!("rule `{}`, {place}", rule.name)),
    }
}

fn in_effect(error: Error, rule: &Rule, effect: &Effect) -> Error {
    within(error, &format!("rule `{}`, {}", rule.name, effect.name()))
}

/// The same error with the place where it happened.
fn within(error: Error, place: &str) -> Error {
    let at = |text: String| format!("{place}: {text}");
    match error {
        Error::NotFound(text) => Error::NotFound(at(text)),
        Error::Invalid(problems) => {
            let each = |problem: FieldProblem| FieldProblem { problem: at(problem.problem), ..problem };
            Error::Invalid(problems.into_iter().map(each).collect())
        }
        Error::Denied(text) => Error::Denied(at(text)),
        Error::Unauthorized(text) => Error::Unauthorized(at(text)),
        Error::Unavailable(text) => Error::Unavailable(at(text)),
        Error::Conflict(text) => Error::Conflict(at(text)),
        Error::Unsupported(text) => Error::Unsupported(at(text)),
        Error::Other(text) => Error::Other(at(text)),
        // An id and a waiting time are no places for words.
        Error::Duplicate(_) | Error::Limited(_) => error,
    }
}

/// The word for a source in expressions.
fn word(source: Source) -> &'static str {
    match source {
        Source::Highlevel => "highlevel",
        Source::Partner => "partner",
        Source::Host => "host",
    }
}

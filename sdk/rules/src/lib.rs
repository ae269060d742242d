//! Rules: what a connector does by itself when an event comes, written by an admin as a setting of the kind `rules`.
//!
//! The host checks them when a connection is enabled, the SDK carries them out in the connector; both read this shape.
//!
//! ```
//! use contactor_rules::{Effect, Rule};
//!
//! let rule: Rule = serde_json::from_str(
//!     r#"{
//!         "name": "welcome",
//!         "on": ["submission"],
//!         "when": "form_id == '77'",
//!         "do": [
//!             { "create-task": { "title": "Welcome {{ contact.firstName }}", "due": "2d" } },
//!             { "add-tags": ["lead"] }
//!         ]
//!     }"#,
//! )?;
//! assert!(matches!(&rule.effects[1], Effect::AddTags(tags) if tags == &["lead"]));
//! assert!(rule.problems(&["create-task", "add-tags"]).is_empty());
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! Every text may hold expressions of the mapping's language between `{{` and `}}`. They see the event's values by name, `kind`,
//! `payload` (the event's body) and, when a rule mentions it, the contact as `contact.<field>`, `contact.tags` and
//! `contact.tasks`.

mod duration;
mod text;

use serde::{Deserialize, Serialize};

pub use duration::{Duration, DurationError};
pub use text::{Part, parts};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, shown in runs; unique among the rules of a connection.
    pub name: String,
    /// Kinds of event: HighLevel's (`ContactCreate`), the partner's (`reward_earned`), a timer's (`timer:reminder`).
    pub on: Vec<String>,
    /// The condition, an expression; without one the rule always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What to do, in order.
    #[serde(rename = "do")]
    pub effects: Vec<Effect>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Adds tags to the contact.
    AddTags(Vec<String>),
    /// Removes tags from the contact.
    RemoveTags(Vec<String>),
    /// Creates a task of the contact.
    CreateTask(NewTask),
    /// Completes the contact's open tasks of this title.
    CompleteTasks(TaskTitle),
    /// Writes a note on the contact.
    AddNote(NewNote),
    /// Adds the contact to a workflow of HighLevel, by its id.
    StartWorkflow(String),
    /// Takes the contact out of a workflow.
    StopWorkflow(String),
    /// Sends a message to a destination of the workspace.
    Notify(Notify),
    /// Sets a timer; when it goes off, rules on `timer:<name>` get their turn.
    Remind(Remind),
    /// Takes a timer back.
    CancelReminder(CancelReminder),
    /// Runs an action of the connector.
    RunAction(RunAction),
}

/// A task to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NewTask {
    /// Its title.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// When it is due: a duration from the event on (`2d`), or a text that becomes an instant.
    #[serde(default = "one_day")]
    pub due: String,
    /// The id of the user who shall do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
}

fn one_day() -> String {
    "1d".to_owned()
}

/// Tasks by their title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTitle {
    /// The title, compared exactly.
    pub title: String,
}

/// A note to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// Its text.
    pub body: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// The destination's name.
    pub to: String,
    /// One line.
    pub title: String,
    /// The text below it.
    #[serde(default)]
    pub text: String,
}

/// A timer to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remind {
    /// Its name: `timer:<name>` is the event.
    pub name: String,
    /// What it is about, so that there is one timer for each: an appointment's id, for example.
    pub about: String,
    /// A text that becomes an instant, RFC 3339.
    pub at: String,
    /// How long before that it goes off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// A timer to take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelReminder {
    /// The timer's name.
    pub name: String,
    /// What it was about.
    pub about: String,
}

/// An action to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAction {
    /// The action's name.
    pub action: String,
    /// Its input: texts by name.
    #[serde(default)]
    pub input: std::collections::BTreeMap<String, String>,
}

impl Effect {
    /// Its name, as the setting spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddTags(_) => "add-tags",
            Self::RemoveTags(_) => "remove-tags",
            Self::CreateTask(_) => "create-task",
            Self::CompleteTasks(_) => "complete-tasks",
            Self::AddNote(_) => "add-note",
            Self::StartWorkflow(_) => "start-workflow",
            Self::StopWorkflow(_) => "stop-workflow",
            Self::Notify(_) => "notify",
            Self::Remind(_) => "remind",
            Self::CancelReminder(_) => "cancel-reminder",
            Self::RunAction(_) => "run-action",
        }
    }

    /// The names of all effects.
    pub const NAMES: [&'static str; 11] = [
        "add-tags",
        "remove-tags",
        "create-task",
        "complete-tasks",
        "add-note",
        "start-workflow",
        "stop-workflow",
        "notify",
        "remind",
        "cancel-reminder",
        "run-action",
    ];

    /// The same effect with every text put through `render`. What is no text stays: the name of a timer, how long before.
    ///
    /// # Errors
    /// The first one of `render`.
    pub fn try_map<E>(&self, mut render: impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut optional = |text: &Option<String>| text.as_deref().map(&mut render).transpose();
        Ok(match self {
            Self::AddTags(tags) => {
                Self::AddTags(tags.iter().map(|tag| render(tag)).collect::<Result<_, E>>()?)
            }
            Self::RemoveTags(tags) => {
                Self::RemoveTags(tags.iter().map(|tag| render(tag)).collect::<Result<_, E>>()?)
            }
            Self::CreateTask(task) => {
                let (body, assigned_to) = (optional(&task.body)?, optional(&task.assigned_to)?);
                let (title, due) = (render(&task.title)?, render(&task.due)?);
                Self::CreateTask(NewTask { title, body, due, assigned_to })
            }
            Self::CompleteTasks(task) => Self::CompleteTasks(TaskTitle { title: render(&task.title)? }),
            Self::AddNote(note) => {
                let title = optional(&note.title)?;
                Self::AddNote(NewNote { body: render(&note.body)?, title })
            }
            Self::StartWorkflow(id) => Self::StartWorkflow(render(id)?),
            Self::StopWorkflow(id) => Self::StopWorkflow(render(id)?),
            Self::Notify(notify) => Self::Notify(Notify {
                to: render(&notify.to)?,
                title: render(&notify.title)?,
                text: render(&notify.text)?,
            }),
            Self::Remind(timer) => Self::Remind(Remind {
                name: timer.name.clone(),
                about: render(&timer.about)?,
                at: render(&timer.at)?,
                before: timer.before.clone(),
            }),
            Self::CancelReminder(timer) => Self::CancelReminder(CancelReminder {
                name: timer.name.clone(),
                about: render(&timer.about)?,
            }),
            Self::RunAction(run) => {
                let each = |(name, text): (&String, &String)| Ok((name.clone(), render(text)?));
                Self::RunAction(RunAction {
                    action: run.action.clone(),
                    input: run.input.iter().map(each).collect::<Result<_, E>>()?,
                })
            }
        })
    }

    /// Its texts, each of which may hold expressions.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::AddTags(tags) | Self::RemoveTags(tags) => tags.iter().map(String::as_str).collect(),
            Self::CreateTask(task) => {
                [Some(&task.title), task.body.as_ref(), Some(&task.due), task.assigned_to.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect()
            }
            Self::CompleteTasks(task) => vec![&task.title],
            Self::AddNote(note) => {
                [Some(&note.body), note.title.as_ref()].into_iter().flatten().map(String::as_str).collect()
            }
            Self::StartWorkflow(id) | Self::StopWorkflow(id) => vec![id],
            Self::Notify(notify) => vec![&notify.to, &notify.title, &notify.text],
            Self::Remind(timer) => vec![&timer.about, &timer.at],
            Self::CancelReminder(timer) => vec![&timer.about],
            Self::RunAction(run) => run.input.values().map(String::as_str).collect(),
        }
    }
}

impl Rule {
    /// What makes no sense in it, for whoever wrote it. `offered` are the effects of the connector.
    pub fn problems(&self, offered: &[&str]) -> Vec<String> {
        let mut problems = Vec::new();
        let mut problem = |what: String| problems.push(format!("rule `{}`: {what}", self.name));
        if self.name.trim().is_empty() {
            problem("it needs a name".into());
        }
        if self.on.iter().all(|kind| kind.trim().is_empty()) {
            problem("`on` names no event".into());
        }
        if self.effects.is_empty() {
            problem("`do` is empty".into());
        }
        for effect in &self.effects {
            if !offered.contains(&effect.name()) {
                problem(format!(
                    "`{}` is not offered, expected one of {}",
                    effect.name(),
                    offered.join(", ")
                ));
            }
            for text in effect.texts() {
                if let Err(reason) = parts(text) {
                    problem(format!("`{}`: {reason} in `{text}`", effect.name()));
                }
            }
            if let Effect::Remind(Remind { before: Some(before), .. }) = effect
                && let Err(error) = before.parse::<Duration>()
            {
                problem(format!("`remind`: {error}"));
            }
        }
        problems
    }

    /// The expressions in it: the condition and what stands in its texts.
    pub fn expressions(&self) -> Vec<&str> {
        let texts = self.effects.iter().flat_map(Effect::texts).filter_map(|text| parts(text).ok()).flatten();
        let inside = texts.filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Literal(_) => None,
        });
        self.when.as_deref().into_iter().chain(inside).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_effect_has_its_own_name() {
        let json = r#"{"name": "all", "on": ["x"], "do": [
            {"add-tags": []}, {"remove-tags": []}, {"create-task": {"title": "t"}}, {"complete-tasks": {"title": "t"}},
            {"add-note": {"body": "b"}}, {"start-workflow": "w"}, {"stop-workflow": "w"},
            {"notify": {"to": "team", "title": "t"}}, {"remind": {"name": "n", "about": "a", "at": "x"}},
            {"cancel-reminder": {"name": "n", "about": "a"}}, {"run-action": {"action": "a"}}]}"#;
        let names: Vec<_> = rule(json).effects.iter().map(Effect::name).collect();
        assert_eq!(names, Effect::NAMES);
    }

    #[test]
    fn mapping_an_effect_reaches_exactly_its_texts() {
        let json = r#"{"name": "all", "on": ["x"], "do": [
            {"add-tags": ["a"]}, {"remove-tags": ["a"]}, {"create-task": {"title": "a", "body": "a", "due": "a", "assigned-to": "a"}},
            {"complete-tasks": {"title": "a"}}, {"add-note": {"body": "a", "title": "a"}}, {"start-workflow": "a"},
            {"stop-workflow": "a"}, {"notify": {"to": "a", "title": "a", "text": "a"}},
            {"remind": {"name": "n", "about": "a", "at": "a", "before": "1h"}}, {"cancel-reminder": {"name": "n", "about": "a"}},
            {"run-action": {"action": "n", "input": {"one": "a"}}}]}"#;
        for effect in rule(json).effects {
            let mapped = effect.try_map(|text| Ok::<_, ()>(text.replace('a', "b"))).unwrap();
            assert_eq!(mapped.texts().len(), effect.texts().len());
            assert!(mapped.texts().iter().all(|text| *text == "b"), "{mapped:?}");
            assert_eq!(effect.try_map(|_| Err(())), Err(()));
        }
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_told_by_name() {
        let bad = rule(
            r#"{"name": "r", "on": [], "do": [{"add-tags": ["{{ kind"]}, {"remind": {"name": "n", "about": "a", "at": "x", "before": "soon"}}]}"#,
        );
        let problems = bad.problems(&["add-tags"]);
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(problems.iter().all(|problem| problem.starts_with("rule `r`: ")), "{problems:#?}");
    }

    #[test]
    fn expressions_are_found_in_the_condition_and_in_every_text() {
        let rule = rule(
            r#"{"name": "r", "on": ["x"], "when": "a", "do": [{"add-note": {"body": "{{ b }} and {{ c|lower }}", "title": "plain"}}]}"#,
        );
        assert_eq!(rule.expressions(), ["a", "b", "c|lower"]);
    }
}

//! Settings of a connection: what an admin can set, and the check of what was entered.

use std::fmt;

use contactor_rules::Rule;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `[[setting]]`: one setting. Secrets are no settings: they belong to `[[auth]]`, and the connector never sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name, the key of the settings object.
    pub name: String,
    /// Its name for a person.
    pub title: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// Its value when the admin leaves it alone. A setting without one has to be entered, if `required`, or is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// It has to be entered.
    #[serde(default)]
    pub required: bool,
    /// The values to choose from; for `choice`, and for the items of a `list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Smallest number, or fewest characters or items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest number, or most characters or items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The effects that rules may have; for `rules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Regular expression that the whole text has to match; for `text`, the items of a `list` and the values of a `map`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// Several texts.
    List,
    /// One of the choices.
    Choice,
    /// Texts by name.
    Map,
    /// What the connector does by itself; see [`contactor_rules`].
    Rules,
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingProblem {
    /// The setting's name; empty when the settings as a whole are wrong.
    pub setting: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.setting.is_empty() { "settings" } else { &self.setting }, self.problem)
    }
}

impl Setting {
    /// Checks one value; the answer says what is expected.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        match (self.kind, value) {
            (SettingKind::Text, Value::String(text)) => {
                self.check_size(text.chars().count(), "characters")?;
                self.check_pattern(text)
            }
            (SettingKind::Integer, Value::Number(number)) if number.is_i64() => self.check_number(number),
            (SettingKind::Number, Value::Number(number)) => self.check_number(number),
            (SettingKind::Boolean, Value::Bool(_)) => Ok(()),
            (SettingKind::Choice, Value::String(text)) => self.check_choice(text),
            (SettingKind::List, Value::Array(items)) => {
                self.check_size(items.len(), "items")?;
                items.iter().try_for_each(|item| {
                    let text = item.as_str().ok_or_else(|| format!("expected texts, found {item}"))?;
                    self.check_pattern(text)?;
                    if self.choices.is_empty() { Ok(()) } else { self.check_choice(text) }
                })
            }
            (SettingKind::Map, Value::Object(entries)) => {
                self.check_size(entries.len(), "entries")?;
                entries.iter().try_for_each(|(name, value)| {
                    let text = value
                        .as_str()
                        .ok_or_else(|| format!("expected a text for `{name}`, found {value}"))?;
                    self.check_pattern(text)
                })
            }
            (SettingKind::Rules, Value::Array(items)) => {
                self.check_size(items.len(), "rules")?;
                self.check_rules(items)
            }
            (kind, other) => Err(format!("expected {}, found {other}", kind.expectation())),
        }
    }

    fn check_rules(&self, items: &[Value]) -> Result<(), String> {
        let offered: Vec<&str> = self.effects.iter().map(String::as_str).collect();
        let mut names = std::collections::BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let rule = Rule::deserialize(item).map_err(|error| format!("rule {}: {error}", index + 1))?;
            if let Some(problem) = rule.problems(&offered).into_iter().next() {
                return Err(problem);
            }
            if !names.insert(rule.name.clone()) {
                return Err(format!("two rules have the name `{}`", rule.name));
            }
        }
        Ok(())
    }

    fn check_size(&self, size: usize, unit: &str) -> Result<(), String> {
        // A size fits into a double: it counts what is in memory.
        #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^53")]
        let size = size as f64;
        self.check_bounds(size, unit)
    }

    fn check_number(&self, number: &serde_json::Number) -> Result<(), String> {
        self.check_bounds(number.as_f64().unwrap_or(f64::NAN), "")
    }

    fn check_bounds(&self, number: f64, unit: &str) -> Result<(), String> {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        match (self.min, self.max) {
            (Some(min), _) if number < min => Err(format!("expected at least {min}{unit}, found {number}")),
            (_, Some(max)) if number > max => Err(format!("expected at most {max}{unit}, found {number}")),
            _ => Ok(()),
        }
    }

    fn check_choice(&self, text: &str) -> Result<(), String> {
        if self.choices.iter().any(|choice| choice == text) {
            return Ok(());
        }
        Err(format!("expected one of {}, found `{text}`", self.choices.join(", ")))
    }

    fn check_pattern(&self, text: &str) -> Result<(), String> {
        let Some(pattern) = &self.pattern else { return Ok(()) };
        let regex = whole(pattern)?;
        if regex.is_match(text) {
            return Ok(());
        }
        Err(format!("`{text}` does not match the pattern `{pattern}`"))
    }
}

/// A regular expression that matches the whole text or nothing.
pub(crate) fn whole(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| format!("invalid pattern `{pattern}`, expected a regular expression: {error}"))
}

impl SettingKind {
    fn expectation(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list of texts",
            Self::Choice => "one of the choices",
            Self::Map => "texts by name",
            Self::Rules => "a list of rules",
        }
    }
}

pub(crate) fn validate(settings: &[Setting], given: &Value) -> Result<Value, Vec<SettingProblem>> {
    let empty = Map::new();
    let given = match given {
        Value::Object(given) => given,
        Value::Null => &empty,
        other => {
            let problem = format!("expected an object of settings by name, found {other}");
            return Err(vec![SettingProblem { setting: String::new(), problem }]);
        }
    };
    let mut problems = Vec::new();
    let mut problem = |setting: &str, problem: String| {
        problems.push(SettingProblem { setting: setting.to_owned(), problem });
    };
    let mut filled = Map::new();
    for setting in settings {
        // A form sends null for a field that was cleared: the default applies again.
        match given.get(&setting.name).filter(|value| !value.is_null()) {
            Some(value) => match setting.check(value) {
                Ok(()) => {
                    filled.insert(setting.name.clone(), value.clone());
                }
                Err(reason) => problem(&setting.name, reason),
            },
            None => match &setting.default {
                Some(default) => {
                    filled.insert(setting.name.clone(), default.clone());
                }
                None if setting.required => {
                    problem(&setting.name, format!("is missing, expected {}", setting.kind.expectation()));
                }
                None => {}
            },
        }
    }
    for name in given.keys() {
        if !settings.iter().any(|setting| setting.name == *name) {
            let known: Vec<_> = settings.iter().map(|setting| setting.name.as_str()).collect();
            problem(name, format!("no such setting, expected one of {}", known.join(", ")));
        }
    }
    if problems.is_empty() { Ok(Value::Object(filled)) } else { Err(problems) }
}

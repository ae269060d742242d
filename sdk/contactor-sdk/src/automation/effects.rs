//! What rules can do, in parts that a connector links one by one: a component imports what its parts call and nothing else.

use contactor_rules::{CancelReminder, Duration, Effect, NewNote, NewTask, Notify, Remind, TaskTitle};
use serde_json::{Map, Value as Json, json};

use super::Ready;
use super::scope::Scope;
use crate::appointments::Appointment;
use crate::contacts::Contact;
use crate::notifications::Message;
use crate::tasks::Task;
use crate::timers::Timer;
use crate::{
    Error, Event, Fields, Named, Result, appointments, clock, contacts, instant, notes, notifications, tags,
    tasks, timers, workflows,
};

/// One part of what rules can do or read.
///
/// Its functions are pointers, so that a part that is not listed is not linked.
#[derive(Clone, Copy)]
pub struct Part {
    effects: &'static [&'static str],
    perform: fn(&Ready, &Call<'_>) -> Result<Step>,
    action: Option<Action>,
    pub(super) contact: Option<Reader<Contact>>,
    pub(super) tasks: Option<Reader<Vec<Task>>>,
    pub(super) appointments: Option<Reader<Vec<Appointment>>>,
}

type Action = fn(&str, Json) -> Result<Json>;
/// Reads something of a contact by its id.
type Reader<T> = fn(&str) -> Result<T>;

/// The parts that a connector links.
#[derive(Clone, Copy)]
pub struct Effects(&'static [Part]);

/// What one effect did.
pub(super) enum Step {
    Done(String),
    Ignored(String),
}

/// What an effect knows of the rule and the event that it happens for.
pub(super) struct Call<'c> {
    pub(super) event: &'c Event,
    pub(super) scope: &'c Scope<'c>,
    pub(super) rule: &'c str,
}

const NOTHING: Part = Part {
    effects: &[],
    perform: |_, _| Ok(Step::Ignored(String::new())),
    action: None,
    contact: None,
    tasks: None,
    appointments: None,
};

/// Expressions may read the contact: `contact.<field>`, `contact.tags`. Imports `contacts`.
pub const CONTACTS: Part = Part { contact: Some(contacts::get), ..NOTHING };

/// Expressions may read `contact.appointments`. Imports `appointments`.
pub const APPOINTMENTS: Part = Part { appointments: Some(appointments::list_all), ..NOTHING };

/// `add-tags` and `remove-tags`. Imports `tags`.
pub const TAGS: Part = Part { effects: &["add-tags", "remove-tags"], perform: change_tags, ..NOTHING };

/// `create-task` and `complete-tasks`; expressions may read `contact.tasks`. Imports `tasks` and `clock`.
pub const TASKS: Part = Part {
    effects: &["create-task", "complete-tasks"],
    perform: change_tasks,
    tasks: Some(tasks::list_all),
    ..NOTHING
};

/// `add-note`. Imports `notes`.
pub const NOTES: Part = Part { effects: &["add-note"], perform: add_note, ..NOTHING };

/// `start-workflow` and `stop-workflow`. Imports `workflows`.
pub const WORKFLOWS: Part =
    Part { effects: &["start-workflow", "stop-workflow"], perform: change_workflows, ..NOTHING };

/// `notify`. Imports `notifications`.
pub const NOTIFICATIONS: Part = Part { effects: &["notify"], perform: notify, ..NOTHING };

/// `remind` and `cancel-reminder`. Imports `timers` and `clock`.
pub const TIMERS: Part = Part { effects: &["remind", "cancel-reminder"], perform: change_timers, ..NOTHING };

/// `run-action`, by this function: a connector's own [`run`](crate::Connector::run), or one that allows rules less.
pub const fn actions(run: fn(&str, Json) -> Result<Json>) -> Part {
    Part { effects: &["run-action"], perform: |_, _| unreachable!(), action: Some(run), ..NOTHING }
}

impl Effects {
    /// Links these parts.
    pub const fn new(parts: &'static [Part]) -> Self {
        Self(parts)
    }

    /// The names of the linked effects, as the manifest's setting lists them in `effects`.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().flat_map(|part| part.effects).copied().collect()
    }

    /// Refuses an effect that is not linked.
    pub(super) fn check(&self, effect: &Effect) -> Result<()> {
        self.part(effect).map(drop)
    }

    fn part(&self, effect: &Effect) -> Result<&Part> {
        let name = effect.name();
        self.0.iter().find(|part| part.effects.contains(&name)).ok_or_else(|| {
            Error::invalid("", format!("this connector offers no `{name}`, only {}", self.names().join(", ")))
        })
    }

    pub(super) fn perform(&self, ready: &Ready, call: &Call<'_>) -> Result<Step> {
        let part = self.part(&ready.effect)?;
        match (part.action, &ready.effect) {
            (Some(action), Effect::RunAction(run)) => {
                action(&run.action, Json::Object(ready.input.clone()))?;
                Ok(Step::Done(format!("ran {}", run.action)))
            }
            _ => (part.perform)(ready, call),
        }
    }

    /// The function that reads something for expressions.
    pub(super) fn reader<F>(
        &self,
        reader: impl FnMut(&Part) -> Option<F>,
        name: &str,
        part: &str,
    ) -> Result<F> {
        self.0.iter().find_map(reader).ok_or_else(|| {
            let problem =
                format!("rules of this connector cannot read `{name}`: it does not link the part {part}");
            Error::invalid("", problem)
        })
    }
}

impl Call<'_> {
    /// Does something with the contact, if it is known.
    fn with_contact(&self, effect: &Effect, act: impl FnOnce(&str) -> Result<Step>) -> Result<Step> {
        match &self.event.contact_id {
            Some(id) => act(id),
            None => Ok(Step::Ignored(format!("{}: no contact of HighLevel is known", effect.name()))),
        }
    }

    /// The same where nothing but the contact can be missing: it may have been deleted since the event.
    fn with_present_contact(&self, effect: &Effect, act: impl FnOnce(&str) -> Result<Step>) -> Result<Step> {
        match self.with_contact(effect, act) {
            Err(Error::NotFound(_)) => {
                Ok(Step::Ignored(format!("{}: HighLevel does not have the contact any more", effect.name())))
            }
            other => other,
        }
    }
}

fn change_tags(ready: &Ready, call: &Call<'_>) -> Result<Step> {
    let effect = &ready.effect;
    call.with_present_contact(effect, |contact| {
        let (names, verb) = match effect {
            Effect::AddTags(names) => (names, "added"),
            Effect::RemoveTags(names) => (names, "removed"),
            other => return Err(misdirected(other)),
        };
        if names.is_empty() {
            return Ok(Step::Ignored(format!("{}: there is none", effect.name())));
        }
        if verb == "added" {
            tags::add(contact, names)?
        } else {
            tags::remove(contact, names)?
        };
        let noun = if names.len() == 1 { "the tag" } else { "the tags" };
        Ok(Step::Done(format!("{verb} {noun} {}", names.join(", "))))
    })
}

fn change_tasks(ready: &Ready, call: &Call<'_>) -> Result<Step> {
    call.with_present_contact(&ready.effect, |contact| match &ready.effect {
        Effect::CreateTask(task) => create_task(contact, task),
        Effect::CompleteTasks(task) => complete_tasks(contact, task),
        other => Err(misdirected(other)),
    })
}

fn create_task(contact: &str, task: &NewTask) -> Result<Step> {
    if task.title.trim().is_empty() {
        return Err(Error::invalid("title", "a task needs a title"));
    }
    let (due, remark) = match task.due.trim() {
        "" => (instant::text(clock::now() + 86_400_000), ", due in a day because its `due` is empty"),
        due => (due_date(due)?, ""),
    };
    let mut fields = Fields::new().with("title", task.title.trim()).with("dueDate", due);
    for (name, text) in [("body", &task.body), ("assignedTo", &task.assigned_to)] {
        if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
            fields.set(name, text);
        }
    }
    tasks::create(contact, false, &fields)?;
    Ok(Step::Done(format!("created a task{remark}")))
}

/// A duration from the run's instant on, or an instant.
fn due_date(due: &str) -> Result<String> {
    if let Ok(duration) = due.parse::<Duration>() {
        return Ok(instant::text(clock::now().saturating_add(duration.seconds() * 1000)));
    }
    moment("due", due).map(instant::text)
}

fn moment(name: &str, text: &str) -> Result<u64> {
    let problem = || format!("`{text}` is no instant, expected for example `2026-03-01T10:00:00Z`");
    instant::parse(text).ok_or_else(|| Error::invalid(name, problem()))
}

fn complete_tasks(contact: &str, wanted: &TaskTitle) -> Result<Step> {
    let mut open = tasks::list_all(contact)?;
    open.retain(|task| !task.completed && task.text("title") == Some(wanted.title.as_str()));
    // The same order at every attempt.
    open.sort_by(|one, other| one.id.cmp(&other.id));
    for task in &open {
        tasks::set_completed(contact, &task.id, true)?;
    }
    Ok(match open.len() {
        0 => Step::Ignored("complete-tasks: no open task has this title".into()),
        1 => Step::Done("completed a task".into()),
        count => Step::Done(format!("completed {count} tasks")),
    })
}

fn add_note(ready: &Ready, call: &Call<'_>) -> Result<Step> {
    let Effect::AddNote(NewNote { body, title }) = &ready.effect else {
        return Err(misdirected(&ready.effect));
    };
    call.with_present_contact(&ready.effect, |contact| {
        if body.trim().is_empty() {
            return Ok(Step::Ignored("add-note: its text is empty".into()));
        }
        let mut fields = Fields::new();
        if let Some(title) = title.as_deref().filter(|title| !title.trim().is_empty()) {
            fields.set("title", title);
        }
        notes::create(contact, body, &fields)?;
        Ok(Step::Done("wrote a note".into()))
    })
}

fn change_workflows(ready: &Ready, call: &Call<'_>) -> Result<Step> {
    let effect = &ready.effect;
    let (Effect::StartWorkflow(id) | Effect::StopWorkflow(id)) = effect else {
        return Err(misdirected(effect));
    };
    let id = id.trim();
    if id.is_empty() {
        return Ok(Step::Ignored(format!("{}: there is none", effect.name())));
    }
    call.with_contact(effect, |contact| match effect {
        Effect::StartWorkflow(_) => {
            workflows::add(contact, id, None)?;
            Ok(Step::Done(format!("started the workflow {id}")))
        }
        _ => {
            workflows::remove(contact, id, None)?;
            Ok(Step::Done(format!("stopped the workflow {id}")))
        }
    })
}

fn notify(ready: &Ready, call: &Call<'_>) -> Result<Step> {
    let Effect::Notify(Notify { to, title, text }) = &ready.effect else {
        return Err(misdirected(&ready.effect));
    };
    let data = json!({
        "event": call.event.kind,
        "rule": call.rule,
        "at": call.event.at,
        "contact_id": call.event.contact_id,
        "partner_id": call.scope.partner_id(),
        "fields": call.scope.fields().to_json()?,
    });
    let (kind, data) = (call.event.kind.clone(), data.to_string());
    let message = Message { kind, title: title.clone(), text: text.clone(), data };
    notifications::send(to.trim(), &message)?;
    Ok(Step::Done(format!("told {}", to.trim())))
}

fn change_timers(ready: &Ready, call: &Call<'_>) -> Result<Step> {
    match &ready.effect {
        Effect::Remind(reminder) => remind(reminder, call),
        Effect::CancelReminder(CancelReminder { name, about }) => {
            timers::cancel(&timer_name(name, about)?)?;
            Ok(Step::Done(format!("cancelled the reminder {name}")))
        }
        other => Err(misdirected(other)),
    }
}

fn remind(reminder: &Remind, call: &Call<'_>) -> Result<Step> {
    let Remind { name, about, at, before } = reminder;
    if at.trim().is_empty() {
        return Ok(Step::Ignored(format!("remind: there is no instant for {name}")));
    }
    let instant = moment("at", at)?;
    let before = before.as_deref().map(str::parse::<Duration>).transpose();
    let before = before.map_err(|error| Error::invalid("before", error.to_string()))?;
    let timer = timer_name(name, about)?;
    let goes_off = match before {
        // Nobody wants to be reminded of what is over, and a timer in the past goes off at once. The former one, from before it
        // was moved, must not go off either.
        Some(_) if instant <= clock::now() => {
            timers::cancel(&timer)?;
            return Ok(Step::Ignored(format!("remind: it is too late for {name}")));
        }
        Some(before) => instant.saturating_sub(before.seconds() * 1000),
        None => instant,
    };
    let payload = kept(about, &instant::text(instant), call)?;
    let contact_id = call.event.contact_id.clone();
    timers::set(&Timer { name: timer, at: instant::text(goes_off), contact_id, payload })?;
    Ok(Step::Done(format!("set the reminder {name}")))
}

/// The timer's name: what stands before the first `/` becomes the kind of its event.
fn timer_name(name: &str, about: &str) -> Result<String> {
    const LONGEST: usize = 256;
    if name.is_empty() || name.contains('/') {
        return Err(Error::invalid(
            "name",
            format!("`{name}` is no name of a timer: it is empty or holds a `/`"),
        ));
    }
    let timer = format!("{name}/{about}");
    if timer.len() > LONGEST {
        return Err(Error::invalid(
            "about",
            format!("a timer's name and subject are longer than {LONGEST} bytes"),
        ));
    }
    Ok(timer)
}

/// What a timer remembers of the event that sets it: the rules on the timer see these fields. The greatest ones stay behind when
/// they do not all fit.
fn kept(about: &str, at: &str, call: &Call<'_>) -> Result<String> {
    /// A timer's payload holds 64 KiB; the rest of it is small.
    const ROOM: usize = 56 * 1024;
    let mut fields: Vec<(String, Json, usize)> = Vec::new();
    for (name, value) in call.scope.fields().to_json()? {
        let size = name.len() + value.to_string().len() + 4;
        fields.push((name, value, size));
    }
    fields.sort_by_key(|(_, _, size)| *size);
    let (mut room, mut fitting) = (ROOM, Map::new());
    for (name, value, size) in fields {
        let Some(rest) = room.checked_sub(size) else { break };
        room = rest;
        fitting.insert(name, value);
    }
    let partner_id = call.scope.partner_id();
    Ok(json!({ "about": about, "at": at, "partner_id": partner_id, "fields": fitting }).to_string())
}

/// A part was asked for an effect that it does not list: a fault of this crate.
fn misdirected(effect: &Effect) -> Error {
    Error::other(format!("`{}` came to the wrong part of the SDK", effect.name()))
}

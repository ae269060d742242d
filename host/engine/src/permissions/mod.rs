//! What a connector may do, in names and in plain words: what its manifest asks for, what was granted of it, and what the workspace's
//! policy leaves of that. Pure.
//!
//! Everything that a connector can ask for has a name, which is what grants, policies and the difference between two versions are made
//! of:
//!
//! | name | what it lets the connector do |
//! |---|---|
//! | `contacts.readonly`, `contacts.write`, `notifications`, … | what HighLevel, or the host, calls a scope |
//! | `host:api.partner.example` | speak with this host, with the connection's credential |
//! | `auth:token` | have the credential sent in this way, if the connection uses it |
//! | `records:contact:both` | take part in keeping these records in step, in this direction |
//! | `event:ContactCreate` | be told of this event |
//! | `repeat:/people` | have this `POST` repeated by the host after a lost answer |
//!
//! How the credential is sent comes with the connector: nothing would work without it, so it is neither withheld nor denied. It has a name
//! so that another version that has it sent otherwise, and might read it then, asks for more.

mod credential;
mod effective;
mod events;

use contactor_manifest::{Direction, Manifest, Support, TriggerSource};
use serde::{Deserialize, Serialize};

pub(crate) use effective::{effective, hosts, is_scope, scopes};
pub(crate) use events::{Events, wanted};

/// What tells the kinds of permission apart: the name's part before its first colon. A scope has none.
pub(crate) const HOST: &str = "host:";
pub(crate) const AUTH: &str = "auth:";
pub(crate) const RECORDS: &str = "records:";
pub(crate) const EVENT: &str = "event:";
pub(crate) const REPEAT: &str = "repeat:";

/// One thing that a connector asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Its name.
    pub name: String,
    /// What it means, for whoever grants it.
    pub words: String,
}

/// Everything that a manifest asks for, in the order of the table above.
pub(crate) fn asked(manifest: &Manifest) -> Vec<Permission> {
    let partner = &manifest.partner.name;
    let mut asked = Vec::new();
    let mut ask = |name: String, words: String| asked.push(Permission { name, words });
    for scope in &manifest.scopes {
        ask(scope.name.clone(), format!("{}: {}", meaning(&scope.name), scope.why));
    }
    for host in manifest.partner.allowed_hosts() {
        ask(format!("{HOST}{host}"), format!("Speaks with {host}, with the credential that you give it."));
    }
    for auth in &manifest.auth {
        ask(format!("{AUTH}{}", auth.id), credential::words(auth));
    }
    for entity in manifest.entities.iter().filter(|entity| entity.support != Support::Unsupported) {
        let (way, how) = match entity.direction {
            Direction::Both => ("both", format!("between HighLevel and {partner}, both ways")),
            Direction::ToPartner => ("to-partner", format!("from HighLevel to {partner}")),
            Direction::ToHighlevel => ("to-highlevel", format!("from {partner} to HighLevel")),
        };
        ask(format!("{RECORDS}{}:{way}", entity.name), format!("Carries each {} {how}.", entity.name));
    }
    for trigger in &manifest.triggers {
        let whose = match trigger.source {
            TriggerSource::Highlevel => "HighLevel",
            TriggerSource::Webhook | TriggerSource::Poll => partner.as_str(),
            TriggerSource::Timer => "a timer of its own",
        };
        let words = format!("Is told by {whose}: {}.", trigger.title.trim_end_matches('.'));
        ask(format!("{EVENT}{}", trigger.name), words);
    }
    let declared = |kind: &String| manifest.triggers.iter().any(|trigger| trigger.name == *kind);
    for kind in
        events::of_rules(manifest, &serde_json::Value::Null).into_iter().filter(|kind| !declared(kind))
    {
        let words = format!("Is told by HighLevel of {kind}, for the rules that it comes with.");
        ask(format!("{EVENT}{kind}"), words);
    }
    for repeatable in &manifest.repeatables {
        for path in &repeatable.paths {
            let words = format!("Lets POST {path} be sent again after a lost answer: {}", repeatable.why);
            ask(format!("{REPEAT}{path}"), words);
        }
    }
    asked
}

/// What the scopes that connectors use allow.
fn meaning(scope: &str) -> &'static str {
    match scope {
        "contacts.readonly" => "Reads contacts, their tasks, notes, tags and appointments",
        "contacts.write" => {
            "Creates, changes and deletes contacts, their tasks, notes and tags, and starts workflows"
        }
        "notifications" => "Sends messages to the destinations of the workspace",
        _ => "A scope of HighLevel",
    }
}

/// Whether a granted name gives what another one asks for.
pub(crate) fn covers(granted: &str, asked: &str) -> bool {
    granted == asked || entity(asked).is_some_and(|entity| granted.strip_suffix(":both") == Some(entity))
}

/// Whether something that one version asks for gives what another one does. Of a way to send the credential the words count as well: under
/// the same name it may be another way.
fn gives(one: &Permission, other: &Permission) -> bool {
    covers(&one.name, &other.name) && (!other.name.starts_with(AUTH) || one.words == other.words)
}

/// `records:contact` of `records:contact:to-partner`.
fn entity(name: &str) -> Option<&str> {
    name.strip_prefix(RECORDS)?;
    name.rsplit_once(':').map(|(entity, _)| entity)
}

/// Whether any of these gives what is asked for. How the credential is sent is granted with the connector, also to connections from before
/// it had a name.
pub(crate) fn is_granted(granted: &[String], asked: &str) -> bool {
    asked.starts_with(AUTH) || granted.iter().any(|granted| covers(granted, asked))
}

/// Whether all of these can be withheld.
///
/// # Errors
/// One of them comes with the connector, in words.
pub(crate) fn can_be_withheld(names: &[String]) -> Result<(), String> {
    match names.iter().find(|name| name.starts_with(AUTH)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "`{name}` cannot be withheld: a connector does nothing without its credential. Use another way to authenticate (--auth), or \
             leave it switched off"
        )),
    }
}

/// The kind of a name: its part up to the colon, or nothing for a scope. Each way to send the credential is a kind of its own: to name one
/// leaves out no other.
fn kind(name: &str) -> &str {
    if name.starts_with(AUTH) {
        return name;
    }
    [HOST, RECORDS, EVENT, REPEAT].into_iter().find(|kind| name.starts_with(kind)).unwrap_or_default()
}

/// Grants as they are meant. A connection that was enabled when only scopes were granted had everything else that its component asks
/// for; one that is granted anything now is granted a host, as it could do nothing without.
pub(crate) fn whole(granted: &[String], manifest: &Manifest) -> Vec<String> {
    if granted.iter().any(|name| name.starts_with(HOST)) {
        return granted.to_vec();
    }
    let rest = asked(manifest).into_iter().map(|asked| asked.name).filter(|name| !kind(name).is_empty());
    granted.iter().cloned().chain(rest).collect()
}

/// What an admin gives to a new connection by naming some of it: scopes as they are named, and of each other kind everything unless one
/// of that kind is named; without what is to be withheld.
///
/// # Errors
/// A name that the manifest does not ask for, in words.
pub(crate) fn chosen(
    manifest: &Manifest,
    named: Option<&[String]>,
    withheld: &[String],
) -> Result<Vec<String>, String> {
    let everything: Vec<String> = asked(manifest).into_iter().map(|asked| asked.name).collect();
    changed(manifest, &everything, named, withheld)
}

/// The same for a connection that has something already: where nothing of a kind is named it has what it had. So whatever it had not is
/// named before it has it; to withhold one thing gives back no other.
///
/// # Errors
/// As [`chosen`].
pub(crate) fn changed(
    manifest: &Manifest,
    present: &[String],
    named: Option<&[String]>,
    withheld: &[String],
) -> Result<Vec<String>, String> {
    let asked: Vec<String> = asked(manifest).into_iter().map(|asked| asked.name).collect();
    let id = &manifest.connector.id;
    for name in named.unwrap_or_default().iter().chain(withheld) {
        if !asked.contains(name) {
            let what = if kind(name).is_empty() { "scope " } else { "" };
            let of_kind: Vec<_> = asked.iter().filter(|one| kind(one) == kind(name)).cloned().collect();
            let known = if of_kind.is_empty() { "none".to_owned() } else { of_kind.join(", ") };
            return Err(format!("{what}`{name}`: {id} asks for {known}"));
        }
    }
    let limits = |named: &[String], name: &str| {
        kind(name).is_empty() || named.iter().any(|one| kind(one) == kind(name))
    };
    let is_chosen = |name: &String| match named {
        Some(named) if limits(named, name) => named.contains(name),
        _ => is_granted(present, name),
    };
    let granted: Vec<String> =
        asked.into_iter().filter(|name| is_chosen(name) && !withheld.contains(name)).collect();
    with_host(id.as_str(), granted)
}

/// Whoever is granted anything is granted a host: without one, what was granted would be taken for the grants of a connection from
/// before hosts were granted.
pub(crate) fn with_host(id: &str, granted: Vec<String>) -> Result<Vec<String>, String> {
    if granted.iter().any(|name| name.starts_with(HOST)) {
        return Ok(granted);
    }
    Err(format!("{id} can do nothing without a host to speak with: grant one, or leave it switched off"))
}

/// What a version that a connection had before is given when it is used again: what it had, without what was withheld from the present
/// one since.
///
/// # Errors
/// No host is left of it, in words.
pub(crate) fn given_again(
    had: &[String],
    before: &Manifest,
    given: &[String],
    present: &Manifest,
) -> Result<Vec<String>, String> {
    let given = whole(given, present);
    let asked = asked(present).into_iter().map(|asked| asked.name);
    let withheld: Vec<String> = asked.filter(|name| !is_granted(&given, name)).collect();
    // Both ways of a record are withheld with each of the two.
    let is_withheld = |name: &str| {
        !is_granted(&given, name) && withheld.iter().any(|one| covers(one, name) || covers(name, one))
    };
    let mut again = whole(had, before);
    again.retain(|name| !is_withheld(name));
    with_host(before.connector.id.as_str(), again)
}

/// What another version asks for, beside what the present one asks for and what was granted of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// What it asks for and the present one does not: somebody has to approve of it.
    pub(crate) more: Vec<Permission>,
    /// What the present one asks for and it does not.
    pub(crate) less: Vec<Permission>,
}

impl Difference {
    /// What changes from one manifest to another.
    pub(crate) fn between(before: &Manifest, after: &Manifest) -> Self {
        let (before, after) = (asked(before), asked(after));
        let beyond = |those: Vec<Permission>, these: &[Permission]| {
            let is_new = |one: &Permission| !these.iter().any(|other| gives(other, one));
            those.into_iter().filter(is_new).collect()
        };
        Self { more: beyond(after.clone(), &before), less: beyond(before, &after) }
    }

    /// What is granted to the other version: what was granted, as far as it still asks for it, and what is new, if that is approved.
    ///
    /// # Errors
    /// No host is left of it, in words.
    pub(crate) fn granted(
        &self,
        before: &[String],
        after: &Manifest,
        approved: bool,
    ) -> Result<Vec<String>, String> {
        with_host(after.connector.id.as_str(), self.kept(before, after, approved))
    }

    /// The same for somebody who changes it further.
    pub(crate) fn kept(&self, before: &[String], after: &Manifest, approved: bool) -> Vec<String> {
        let names = asked(after).into_iter().map(|asked| asked.name);
        names.filter(|name| if self.has(name) { approved } else { is_granted(before, name) }).collect()
    }

    /// Whether the other version asks for this and the present one does not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.more.iter().any(|more| more.name == name)
    }
}

#[cfg(test)]
mod tests;

//! An account: forms with their fields and submissions, groups and users.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config::{Content, FormConfig, Guesses};
use crate::clock::Millis;

/// A field of a form.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) parts: Vec<String>,
    pub(super) choices: Vec<String>,
}

/// A form.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) group: Option<u64>,
    pub(super) active: u8,
    /// `active_date_from`, `active_date_to`, `active_days`.
    pub(super) period: [Option<String>; 3],
    pub(super) controls: Vec<Control>,
    pub(super) submissions: BTreeMap<u64, Submission>,
}

/// A filled-in form.
#[derive(Clone, Debug)]
pub(super) struct Submission {
    pub(super) id: u64,
    /// Its number within the form.
    pub(super) entry: u64,
    pub(super) at: Millis,
    /// `fieldid` and `fieldvalue`, in the order of the form.
    pub(super) answers: Vec<(String, String)>,
    pub(super) payed: u8,
    pub(super) approved: u8,
    pub(super) deleted: bool,
}

/// A group of forms.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) webhook_url: Option<String>,
    pub(super) parent: i64,
    pub(super) shared_with: Vec<u64>,
}

/// A subuser, or the owner of an account.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) is_account: bool,
}

/// Mails that the vendor would have sent: the proof that a connector sent none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mails {
    /// To a person whose submission was approved or rejected. Whether a form sends them is up to its settings; the double
    /// counts each as sent.
    pub approval_notices: u64,
    /// To a person whose submission was marked as paid, invoiced or declined.
    pub payment_notices: u64,
    /// To a user who was created, or with whom a group was shared.
    pub invitations: u64,
}

/// Everything of the account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) forms: BTreeMap<u64, Form>,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) mails: Mails,
    /// The day (since the epoch) and the calls of that day.
    pub(super) calls: (i64, u32),
    next: [u64; 5],
}

/// Kinds of ids; numbers of different kinds look different.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Form,
    Control,
    Submission,
    Group,
    User,
}

impl Account {
    pub(super) fn new(forms: &[FormConfig]) -> Self {
        let mut account = Self {
            forms: BTreeMap::new(),
            groups: BTreeMap::new(),
            users: BTreeMap::new(),
            mails: Mails::default(),
            calls: (0, 0),
            next: [4_100_001, 61_000_001, 230_000_001, 310_001, 9_001],
        };
        for form in forms {
            account.add_form(form);
        }
        account
    }

    pub(super) fn new_id(&mut self, kind: Kind) -> u64 {
        let next = &mut self.next[kind as usize];
        *next += 1;
        *next - 1
    }

    pub(super) fn add_form(&mut self, config: &FormConfig) -> u64 {
        let id = self.new_id(Kind::Form);
        let controls = config.controls.iter().map(|control| Control {
            id: self.new_id(Kind::Control),
            name: control.name.clone(),
            parts: control.parts.clone(),
            choices: control.choices.clone(),
        });
        let controls = controls.collect();
        let form = Form {
            id,
            name: config.name.clone(),
            group: None,
            active: 0,
            period: [None, None, None],
            controls,
            submissions: BTreeMap::new(),
        };
        self.forms.insert(id, form);
        id
    }
}

impl Form {
    pub(super) fn to_json(&self, guesses: &Guesses) -> Value {
        let latest = self.submissions.values().next_back();
        let latest =
            latest.map(|latest| json!({"id": number(latest.id, guesses), "date": date(latest.at, guesses)}));
        json!({
            "id": number(self.id, guesses), "name": self.name,
            "group_id": self.group.map(|group| number(group, guesses)), "user_id": number(9_000, guesses),
            "submissions_count": self.submissions.len(), "submissions_count_month": self.submissions.len(),
            "latest_submission": latest, "created_by": "sandbox", "active": self.active,
            "active_date_from": self.period[0], "active_date_to": self.period[1], "active_days": self.period[2],
        })
    }

    /// The form with its fields.
    pub(super) fn with_controls(&self, guesses: &Guesses) -> Value {
        let mut form = self.to_json(guesses);
        let controls = self.controls.iter().enumerate().map(|(position, control)| {
            json!({
                "id": number(control.id, guesses), "form_id": number(self.id, guesses), "name": control.name,
                "instruction": "", "position": position + 1, "type": if control.choices.is_empty() { 1 } else { 2 },
                "subtype": 0, "required": 0, "values": control.choices.join("||"), "hidden": 0, "other_value": "",
                "hide_label": 0, "validation": 0, "width": null, "height": null,
            })
        });
        form["controls"] = json!({"data": controls.collect::<Vec<_>>()});
        form
    }
}

impl Submission {
    pub(super) fn to_json(&self, form: u64, guesses: &Guesses, in_list: bool, recipients: bool) -> Value {
        let content = self.content();
        let as_text = match guesses.content {
            Content::Text => true,
            Content::Object => false,
            Content::Mixed => in_list,
        };
        let mut shown = json!({
            "id": number(self.id, guesses), "form_id": number(form, guesses),
            "entry_id": number(self.entry, guesses), "country": "US", "deleted": u8::from(self.deleted),
            "status": 0, "payed": number(self.payed.into(), guesses),
            "approved": number(self.approved.into(), guesses), "date": date(self.at, guesses),
            "content": if as_text { json!(content.to_string()) } else { content },
        });
        if recipients {
            shown["recipients"] = json!(["owner@example.com"]);
        }
        shown
    }

    /// `{"fields": {"field": …}}`; one answer stands alone, as converters from XML leave it.
    fn content(&self) -> Value {
        let field = |(id, value): &(String, String)| json!({"fieldid": id, "fieldvalue": value});
        match &self.answers[..] {
            [one] => json!({"fields": {"field": field(one)}}),
            answers => json!({"fields": {"field": answers.iter().map(field).collect::<Vec<_>>()}}),
        }
    }
}

impl Group {
    pub(super) fn to_json(&self, guesses: &Guesses) -> Value {
        json!({
            "id": number(self.id, guesses), "name": self.name, "webhook_url": self.webhook_url,
            "parent_id": self.parent, "shared_with": self.shared_with,
        })
    }
}

impl User {
    pub(super) fn to_json(&self, guesses: &Guesses) -> Value {
        json!({"id": number(self.id, guesses), "username": self.username, "email": self.email})
    }
}

fn number(number: u64, guesses: &Guesses) -> Value {
    if guesses.numbers_as_text { json!(number.to_string()) } else { json!(number) }
}

/// `2026-11-21 03:00:00` in the account's zone, which is not told.
pub(super) fn date(at: Millis, guesses: &Guesses) -> String {
    let local = at + i64::from(guesses.zone_hours) * 3_600_000;
    crate::clock::iso_seconds(local).replace('T', " ").replace('Z', "")
}

//! Groups of forms, users and accounts.

use url::Url;

use super::error::{Answer, Fault};
use super::params::Params;
use super::state::{Account, Group, Kind, User};
use super::{Change, page, webhooks};
use crate::http::Call;

pub(super) fn list(change: &mut Change<'_>, call: &Call) -> Answer {
    let groups: Vec<&Group> = change.account.groups.values().collect();
    page::reply(call, &groups, |group| group.to_json(change.guesses))
}

pub(super) fn get(change: &mut Change<'_>, id: &str) -> Answer {
    Ok(page::one(200, &known(change.account, id)?.to_json(change.guesses)))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call) -> Answer {
    let params = Params::of(call);
    let name = params.text("name").ok_or_else(|| Fault::invalid("name", "The name field is required."))?;
    let id = change.account.new_id(Kind::Group);
    let group = Group { id, name: name.into(), webhook_url: None, parent: -1, shared_with: Vec::new() };
    put(change, group, &params, 201)
}

pub(super) fn update(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let params = Params::of(call);
    let mut group = known(change.account, id)?.clone();
    if let Some(name) = params.text("name") {
        name.clone_into(&mut group.name);
    }
    put(change, group, &params, 200)
}

fn put(change: &mut Change<'_>, mut group: Group, params: &Params, status: u16) -> Answer {
    if let Some(address) = params.given("webhook_url") {
        let url = match address.trim() {
            "" => None,
            text => Some(
                text.parse::<Url>()
                    .ok()
                    .filter(Url::has_host)
                    .ok_or_else(|| Fault::invalid("webhook_url", "The webhook url format is invalid."))?,
            ),
        };
        group.webhook_url = url.as_ref().map(ToString::to_string);
        change.outbox.set_target(&webhooks::group_target(group.id), url);
    }
    if let Some(parent) = params.text("parent_id") {
        let known =
            |parent: &i64| *parent == -1 || change.account.groups.contains_key(&parent.unsigned_abs());
        let parent = parent.parse().ok().filter(known);
        group.parent =
            parent.ok_or_else(|| Fault::invalid("parent_id", "The selected parent id is invalid."))?;
    }
    let shown = group.to_json(change.guesses);
    change.account.groups.insert(group.id, group);
    Ok(page::one(status, &shown))
}

pub(super) fn forms(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let group = known(change.account, id)?.id;
    let forms: Vec<_> = change.account.forms.values().filter(|form| form.group == Some(group)).collect();
    page::reply(call, &forms, |form| form.to_json(change.guesses))
}

/// Sharing tells the user by mail.
pub(super) fn share(change: &mut Change<'_>, call: &Call, id: &str, on: bool) -> Answer {
    let params = Params::of(call);
    let group = known(change.account, id)?.id;
    let (user, email) = (params.text("subuser_id"), params.text("subuser_email"));
    let same = |user_: &&User| {
        !user_.is_account
            && (user == Some(user_.id.to_string().as_str())
                || email.is_some_and(|email| email.eq_ignore_ascii_case(&user_.email)))
    };
    let user = change.account.users.values().find(same).map(|user| user.id);
    let user = user.ok_or_else(|| Fault::invalid("subuser_id", "The selected subuser id is invalid."))?;
    let Some(group) = change.account.groups.get_mut(&group) else {
        return Err(Fault::NotFound("Group not found"));
    };
    let before = group.shared_with.len();
    group.shared_with.retain(|shared| *shared != user);
    if on {
        group.shared_with.push(user);
        change.account.mails.invitations += u64::from(group.shared_with.len() > before);
    }
    Ok(page::message(if on { "Group successfully shared" } else { "Group successfully unshared" }))
}

pub(super) fn users(change: &mut Change<'_>, call: &Call) -> Answer {
    let users: Vec<&User> = change.account.users.values().filter(|user| !user.is_account).collect();
    page::reply(call, &users, |user| user.to_json(change.guesses))
}

/// A new user is invited by mail. Which parameters there are is known by name only.
pub(super) fn create_user(change: &mut Change<'_>, call: &Call, is_account: bool) -> Answer {
    let params = Params::of(call);
    let mut problems = Vec::new();
    let mut need = |name: &'static str| {
        let text = params.text(name).map(str::to_owned);
        if text.is_none() {
            problems.push((name, format!("The {name} field is required.")));
        }
        text.unwrap_or_default()
    };
    let (username, email) = (need("username"), need("email"));
    if change.account.users.values().any(|user| user.email.eq_ignore_ascii_case(&email)) {
        problems.push(("email", "The email has already been taken.".into()));
    }
    if !problems.is_empty() {
        return Err(Fault::Invalid(problems));
    }
    let user = User { id: change.account.new_id(Kind::User), username, email, is_account };
    change.account.mails.invitations += 1;
    let shown = user.to_json(change.guesses);
    change.account.users.insert(user.id, user);
    Ok(page::one(201, &shown))
}

pub(super) fn update_user(change: &mut Change<'_>, call: &Call, id: &str, is_account: bool) -> Answer {
    let params = Params::of(call);
    let user = change.account.users.values_mut().find(|user| {
        user.is_account == is_account && (user.id.to_string() == id || !is_account && user.username == id)
    });
    let user = user.ok_or(Fault::NotFound("User not found"))?;
    if let Some(name) = params.text("username") {
        name.clone_into(&mut user.username);
    }
    if let Some(email) = params.text("email") {
        email.clone_into(&mut user.email);
    }
    Ok(page::one(200, &user.to_json(change.guesses)))
}

fn known<'a>(account: &'a Account, id: &str) -> Result<&'a Group, Fault> {
    id.parse().ok().and_then(|id: u64| account.groups.get(&id)).ok_or(Fault::NotFound("Group not found"))
}

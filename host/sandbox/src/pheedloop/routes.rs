//! Every operation: method, path below the organisation, name, and what it does.

use http::Method;
use serde_json::json;

use super::error::{Answer, Fault};
use super::records::{CONTACT_TAGS, MEMBERS, MEMBERSHIPS, ORGANIZATIONS, TICKETS};
use super::{Change, attendees, checkin, hooks, page, records};
use crate::http::{Call, Reply};

/// One operation. `*` in the path stands for one id.
pub(super) struct Route {
    method: &'static str,
    path: &'static str,
    pub(super) name: &'static str,
    pub(super) act: fn(&mut Change<'_>, &Call, &[&str]) -> Answer,
}

const fn route(
    method: &'static str,
    path: &'static str,
    name: &'static str,
    act: fn(&mut Change<'_>, &Call, &[&str]) -> Answer,
) -> Route {
    Route { method, path, name, act }
}

/// All of them; where two fit, the first counts.
pub(super) const ROUTES: &[Route] = &[
    route("GET", "events", "pheedloop.events.list", |change, call, _| {
        let rows = change.organization.events.values().map(|event| json!(event.shown)).collect();
        change.page(call, rows)
    }),
    route("GET", "events/*", "pheedloop.events.get", |change, _, ids| {
        Ok(Reply::json(200, &json!(change.event(ids[0])?.shown)))
    }),
    route("PATCH", "events/*", "pheedloop.events.update", |change, call, ids| {
        let fields = records::body(call)?;
        let event = change.event_mut(ids[0])?;
        for name in ["event_name", "description", "location", "is_listed"] {
            if let Some(value) = fields.get(name) {
                event.shown.insert(name.into(), value.clone());
            }
        }
        Ok(Reply::json(200, &json!(event.shown)))
    }),
    route("GET", "events/*/attendees", "pheedloop.attendees.list", attendees::list),
    route("POST", "events/*/attendees", "pheedloop.attendees.create", attendees::create),
    route("GET", "events/*/attendees/*", "pheedloop.attendees.get", attendees::get),
    route("PATCH", "events/*/attendees/*", "pheedloop.attendees.update", attendees::update),
    route("DELETE", "events/*/attendees/*", "pheedloop.attendees.delete", attendees::delete),
    route("POST", "events/*/attendeesbulk", "pheedloop.attendeesbulk.create", attendees::create_all),
    route("PATCH", "events/*/attendeesbulk", "pheedloop.attendeesbulk.update", attendees::update_all),
    route("DELETE", "events/*/attendeesbulk", "pheedloop.attendeesbulk.delete", attendees::delete_all),
    route("GET", "events/*/registrations", "pheedloop.registrations.list", attendees::registrations),
    route("GET", "events/*/tickettransferlogs", "pheedloop.tickettransferlogs.list", |change, call, ids| {
        let rows = change.event(ids[0])?.transfers.clone();
        change.page(call, rows)
    }),
    route("GET", "events/*/attendance", "pheedloop.attendance.get", checkin::attendance),
    route("POST", "events/*/checkin", "pheedloop.checkin.create", checkin::check_in),
    route("DELETE", "events/*/checkout", "pheedloop.checkout.create", checkin::check_out),
    route("GET", "events/*/sessions", "pheedloop.sessions.list", checkin::sessions),
    route("GET", "events/*/sessions/*/attendance", "pheedloop.session_attendance.get", checkin::in_session),
    route(
        "POST",
        "events/*/sessions/*/attendance",
        "pheedloop.session_attendance.add",
        checkin::enter_session,
    ),
    route(
        "PATCH",
        "events/*/sessions/*/attendance",
        "pheedloop.session_attendance.update",
        checkin::enter_session,
    ),
    route(
        "DELETE",
        "events/*/sessions/*/attendance",
        "pheedloop.session_attendance.remove",
        checkin::leave_session,
    ),
    route("GET", "events/*/resthooks", "pheedloop.resthooks.list", hooks::list),
    route("POST", "events/*/resthooks", "pheedloop.resthooks.create", hooks::create),
    route("GET", "events/*/resthooks/*", "pheedloop.resthooks.get", hooks::get),
    route("PUT", "events/*/resthooks/*", "pheedloop.resthooks.update", hooks::replace),
    route("DELETE", "events/*/resthooks/*", "pheedloop.resthooks.delete", hooks::delete),
    // Its real path has not been seen: see the guess.
    route("GET", "events/*/*", "pheedloop.eventtags.list", |change, call, ids| {
        if ids[1] != change.guesses.event_tags_path {
            return Err(Fault::NotFound);
        }
        let mut names: Vec<String> = Vec::new();
        for row in change.event(ids[0])?.attendees.iter() {
            let tags = row["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str());
            names.extend(tags.map(str::to_owned));
        }
        names.sort();
        names.dedup();
        let rows = names.iter().enumerate().map(|(index, name)| json!({ "id": index + 1, "name": name }));
        let rows = rows.collect();
        change.page(call, rows)
    }),
    route("GET", "tickets", "pheedloop.tickets.list", |change, call, _| TICKETS.list(change, call)),
    route("GET", "members/organization", "pheedloop.member_organizations.list", |change, call, _| {
        ORGANIZATIONS.list(change, call)
    }),
    route("POST", "members/organization", "pheedloop.member_organizations.create", |change, call, _| {
        ORGANIZATIONS.create(change, call)
    }),
    route("PATCH", "members/organization/*", "pheedloop.member_organizations.update", |change, call, ids| {
        ORGANIZATIONS.update(change, call, ids[0])
    }),
    route("DELETE", "members/organization/*", "pheedloop.member_organizations.delete", |change, _, ids| {
        ORGANIZATIONS.delete(change, ids[0])
    }),
    route("GET", "members", "pheedloop.members.list", |change, call, _| MEMBERS.list(change, call)),
    route("POST", "members", "pheedloop.members.create", |change, call, _| MEMBERS.create(change, call)),
    route("PATCH", "members/*", "pheedloop.members.update", |change, call, ids| {
        MEMBERS.update(change, call, ids[0])
    }),
    route("POST", "membersbulk", "pheedloop.membersbulk.create", |change, call, _| {
        MEMBERS.create_all(change, call)
    }),
    route("PATCH", "membersbulk", "pheedloop.membersbulk.update", |change, call, _| {
        MEMBERS.update_all(change, call)
    }),
    route("GET", "memberships", "pheedloop.memberships.list", |change, call, _| {
        MEMBERSHIPS.list(change, call)
    }),
    route("POST", "memberships", "pheedloop.memberships.create", |change, call, _| {
        MEMBERSHIPS.create(change, call)
    }),
    route("PATCH", "memberships/*", "pheedloop.memberships.update", |change, call, ids| {
        MEMBERSHIPS.update(change, call, ids[0])
    }),
    route("DELETE", "memberships/*", "pheedloop.memberships.delete", |change, _, ids| {
        MEMBERSHIPS.delete(change, ids[0])
    }),
    route("POST", "memberships/*/assign", "pheedloop.memberships.assign", |change, call, ids| {
        records::assign(change, call, ids[0])
    }),
    route("GET", "contacttags", "pheedloop.contacttags.list", |change, call, _| {
        CONTACT_TAGS.list(change, call)
    }),
    route("POST", "contacttags", "pheedloop.contacttags.create", |change, call, _| {
        CONTACT_TAGS.create(change, call)
    }),
    route("PATCH", "contacttags/*", "pheedloop.contacttags.update", |change, call, ids| {
        CONTACT_TAGS.update(change, call, ids[0])
    }),
    route("DELETE", "contacttags/*", "pheedloop.contacttags.delete", |change, _, ids| {
        CONTACT_TAGS.delete(change, ids[0])
    }),
    // A report is defined in the vendor's interface; this one lists everybody by name.
    route("GET", "reports/*", "pheedloop.reports.rows", |change, call, ids| {
        if ids[0] != "REPSANDBOX" {
            return Err(Fault::NotFound);
        }
        let attendees = change.organization.events.values().flat_map(|event| event.attendees.iter());
        let rows: Vec<_> = attendees
            .map(|row| json!({ "First name": row["first_name"], "Last name": row["last_name"], "Email": row["email"] }))
            .collect();
        page::sized(call, change.path, &rows, page::REPORT_MAX, page::REPORT_MAX)
    }),
];

/// The operation of a path below `/pheedloop`, the organisation's code in it, and the ids. `None` as well when the path does not
/// end in `/`: the vendor's collection says that every address must.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Option<(&'static Route, &'p str, Vec<&'p str>)> {
    let path = path.strip_prefix("/api/v3/organization/")?.strip_suffix('/')?;
    let (organization, path) = path.split_once('/')?;
    let parts: Vec<&str> = path.split('/').collect();
    let fitting = |route: &&Route| {
        let pattern: Vec<&str> = route.path.split('/').collect();
        route.method == method.as_str()
            && pattern.len() == parts.len()
            && pattern.iter().zip(&parts).all(|(pattern, part)| *pattern == "*" || pattern == part)
    };
    let route = ROUTES.iter().find(fitting)?;
    let ids = route.path.split('/').zip(&parts).filter(|(pattern, _)| *pattern == "*").map(|(_, part)| *part);
    Some((route, organization, ids.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_its_last_slash_is_none() {
        let name = |method: &str, path: &str| {
            let method = method.parse().expect("a method");
            find(&method, path)
                .map(|(route, organization, ids)| (route.name, organization.to_owned(), ids.join(" ")))
        };
        let base = "/api/v3/organization/ORG1";
        let found = name("PATCH", &format!("{base}/events/EVE1/attendees/ATT1/"));
        assert_eq!(found, Some(("pheedloop.attendees.update", "ORG1".into(), "EVE1 ATT1".into())));
        assert_eq!(name("PATCH", &format!("{base}/events/EVE1/attendees/ATT1")), None);
        let found = name("GET", &format!("{base}/members/organization/"));
        assert_eq!(found, Some(("pheedloop.member_organizations.list", "ORG1".into(), String::new())));
        assert_eq!(name("PUT", &format!("{base}/members/")), None);
    }
}

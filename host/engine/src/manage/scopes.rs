//! The scopes of HighLevel's that a connection needs, and which of them the consent behind its workspace does not have.
//!
//! A consent says what it allows. Of a private token HighLevel does not tell: a check tries what the connection will use.

use contactor_highlevel::oauth::{AGENCY_SCOPES, OPEN_LOCATIONS};
use contactor_highlevel::operation;
use contactor_manifest::Manifest;
use contactor_store::{Connection, GrantId, Policy, Workspace, WorkspaceId};

use crate::access::Access;
use crate::active::{compile_mappings, names_custom_fields};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::permissions::{self, Events};
use crate::reconcile::children::{self, Kind};
use crate::task_walk::TASK_UPDATE;

/// Events of appointments, of which HighLevel tells those who may read calendars.
const APPOINTMENT_EVENTS: [&str; 3] = ["AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"];

/// What stops without the scope of the walk over tasks.
pub(super) const WITHOUT_TASKS: &str = "tasks that somebody edits are not noticed, as HighLevel tells of no edit and the walk over all tasks is refused";
/// What stops without the scope of the definitions of custom fields.
pub(super) const WITHOUT_CUSTOM_FIELDS: &str =
    "records whose mapping has a custom field are parked, as the field is not found by its key";
/// What stops without the scope of calendars' events.
pub(super) const WITHOUT_APPOINTMENTS: &str =
    "HighLevel tells of no appointment; they are seen when something else of their contact changes";

/// What a connection uses of HighLevel beyond its contacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    pub(super) tasks: bool,
    pub(super) custom_fields: bool,
    pub(super) appointments: bool,
}

/// A scope that a connection needs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    scope: String,
    /// What does not work without it.
    stops: String,
}

/// A scope that a connection needs and that the consent does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    /// Its name, as HighLevel has it.
    pub(super) scope: String,
    /// What does not work without it, and what to do, for a person.
    pub(super) warning: String,
}

impl Uses {
    /// Of a connection as it is configured. Nothing of its component is run.
    pub(super) fn of(
        asked: &Manifest,
        connection: &Connection,
        policy: &Policy,
    ) -> Result<Self, EngineError> {
        let granted = granted(asked, connection, policy);
        let manifest = permissions::effective(asked, &granted);
        let mappings = compile_mappings(&manifest, &connection.mapping)?;
        let lists = children::compile(&manifest, &mappings)?;
        let events = Events::of(asked, &granted, policy);
        let wanted = permissions::wanted(asked, &connection.settings);
        let listens = |kind: &str| wanted.contains(kind) && events.reach(kind);
        let keeps = |kind: Kind| lists.contains_key(kind.list());
        Ok(Self {
            tasks: keeps(Kind::Task) || listens(TASK_UPDATE),
            custom_fields: names_custom_fields(&mappings),
            appointments: keeps(Kind::Appointment) || APPOINTMENT_EVENTS.into_iter().any(listens),
        })
    }
}

impl Engine {
    /// What a connection needs and the consent behind its workspace does not have. Nothing is known of what a private token opens.
    pub(super) async fn lacks(
        &self,
        workspace: &Workspace,
        connection: &Connection,
        asked: &Manifest,
    ) -> Result<Vec<Lack>, EngineError> {
        let Some(allowed) = self.allowed(workspace).await? else { return Ok(Vec::new()) };
        // A mapping that does not compile is told elsewhere.
        let uses = Uses::of(asked, connection, &workspace.policy).unwrap_or_default();
        let mut needs = needs(asked, &granted(asked, connection, &workspace.policy), uses);
        if allowed.grant.as_company().is_some() {
            needs.insert(0, need(OPEN_LOCATIONS, "nothing works, as no location of the agency is opened"));
        }
        needs.retain(|need| !allowed.scopes.contains(&need.scope));
        let lack =
            |need: Need| Lack { warning: warning(&need, &allowed.grant, &workspace.id), scope: need.scope };
        Ok(needs.into_iter().map(lack).collect())
    }
}

/// What a connection may do, by name.
fn granted(asked: &Manifest, connection: &Connection, policy: &Policy) -> Vec<String> {
    policy.leaves(permissions::whole(&connection.grants, asked))
}

fn need(scope: &str, stops: impl Into<String>) -> Need {
    Need { scope: scope.to_owned(), stops: stops.into() }
}

/// The scopes that a connection needs: those that every one needs, those of what the host does for it, and whatever else its connector
/// asks for and was granted.
fn needs(asked: &Manifest, granted: &[String], uses: Uses) -> Vec<Need> {
    let mut needs = vec![
        need(
            operation::CONTACTS_GET.scope,
            "nothing works: contacts are read with it, and their tags, tasks, notes and appointments",
        ),
        need(
            operation::CONTACTS_UPDATE.scope,
            "nothing is written to HighLevel, no contact and none of its tags, tasks and notes",
        ),
        need(
            operation::LOCATION_GET.scope,
            "the location's country and time zone, in which phones and times are read, are not known",
        ),
    ];
    if uses.tasks {
        needs.push(need(operation::LOCATION_TASKS_SEARCH.scope, WITHOUT_TASKS));
    }
    if uses.custom_fields {
        needs.push(need(operation::LOCATION_CUSTOM_FIELDS.scope, WITHOUT_CUSTOM_FIELDS));
    }
    if uses.appointments {
        needs.push(need(operation::APPOINTMENTS_GET.scope, WITHOUT_APPOINTMENTS));
    }
    // What the host itself calls a scope, HighLevel does not know.
    let is_highlevels = |name: &str| name != Access::Notify.scope();
    for scope in
        asked.scopes.iter().filter(|scope| is_highlevels(&scope.name) && granted.contains(&scope.name))
    {
        if needs.iter().all(|need| need.scope != scope.name) {
            let (name, why) = (&asked.connector.name, scope.why.trim_end_matches('.'));
            needs.push(need(&scope.name, format!("this of {name} does not work: {why}")));
        }
    }
    needs
}

fn warning(need: &Need, grant: &GrantId, workspace: &WorkspaceId) -> String {
    let Need { scope, stops } = need;
    let again = match grant.as_company() {
        Some(_) => "contactor oauth connect --agency".to_owned(),
        None => format!("contactor oauth connect {workspace}"),
    };
    // Those of an agency are asked for by themselves.
    let places = if AGENCY_SCOPES.contains(&scope.as_str()) {
        "in the app at HighLevel's marketplace"
    } else {
        "in `[highlevel.oauth] scopes` and in the app at HighLevel's marketplace"
    };
    format!(
        "HighLevel: the consent lacks the scope `{scope}`: {stops}. Consent again (`{again}`) with the scope {places}"
    )
}

#[cfg(test)]
mod tests {
    use contactor_store::LocationId;

    use super::*;
    use crate::made::{BEARER, manifest};

    const SCOPES: &str = r#"
[[scope]]
name = "contacts.readonly"
why = "Reads contacts."

[[scope]]
name = "opportunities.readonly"
why = "Counts deals."

[[scope]]
name = "users.readonly"
why = "Names the owner."

[[scope]]
name = "notifications"
why = "Sends messages."
"#;

    fn scopes(needs: &[Need]) -> Vec<&str> {
        needs.iter().map(|need| need.scope.as_str()).collect()
    }

    #[test]
    fn a_connection_needs_what_it_uses_and_what_it_was_granted_and_nothing_of_the_hosts_own() {
        let manifest = manifest(&[BEARER, SCOPES].concat());
        let granted = ["contacts.readonly", "opportunities.readonly", "notifications"].map(str::to_owned);
        let least = ["contacts.readonly", "contacts.write", "locations.readonly"];
        let plain = needs(&manifest, &granted, Uses::default());
        assert_eq!(scopes(&plain), [&least[..], &["opportunities.readonly"]].concat());
        assert_eq!(plain[3].stops, "this of Test does not work: Counts deals");

        let all = Uses { tasks: true, custom_fields: true, appointments: true };
        let used =
            ["locations/tasks.readonly", "locations/customFields.readonly", "calendars/events.readonly"];
        assert_eq!(scopes(&needs(&manifest, &[], all)), [&least[..], &used[..]].concat());
    }

    #[test]
    fn a_warning_says_what_stops_where_the_scope_has_to_be_and_which_consent_brings_it() {
        let (acme, own) = (WorkspaceId::new("acme"), GrantId::location(&LocationId::new("loc")));
        let tasks = need("locations/tasks.readonly", WITHOUT_TASKS);
        let said = warning(&tasks, &own, &acme);
        for part in ["`locations/tasks.readonly`: tasks", "connect acme`", "`[highlevel.oauth] scopes`"] {
            assert!(said.contains(part), "{part} is missing in: {said}");
        }
        let said = warning(&need(OPEN_LOCATIONS, "nothing works"), &GrantId::company("com"), &acme);
        assert!(said.contains("connect --agency`") && !said.contains("[highlevel.oauth]"), "{said}");
    }
}

//! The five partners' doubles, ready to be connected together in one workspace.

use std::collections::BTreeMap;

use anyhow::Result;
use contactor_engine::ConnectionView;
use contactor_sandbox::{Sandbox, SandboxConfig};
use serde_json::json;

use crate::engine::{Partner, Stand};

/// The custom fields that Referrizer's template for tasks and notes writes to.
const REFERRIZER_FIELDS: [&str; 5] = ["Tags", "Tasks", "Open tasks", "Notes", "Appointments"];

/// The actions that PheedLoop's manifest tells an admin to subscribe to.
const PHEEDLOOP_HOOKS: [&str; 6] = [
    "registration.created",
    "registration.updated",
    "attendee.created",
    "attendee.updated",
    "attendee.deleted",
    "checkin.created",
];

/// Doubles in which all templates find what they need. Time stands still, and HighLevel's limits do not stand in the way.
pub fn sandbox() -> SandboxConfig {
    let mut config = with_fields(SandboxConfig::for_tests());
    config.highlevel.limits = None;
    config
}

/// The same doubles, with the custom fields that the templates write to, and with Connectif's exports where a connector reaches them.
pub fn with_fields(mut config: SandboxConfig) -> SandboxConfig {
    config.referrizer.custom_fields = REFERRIZER_FIELDS.map(str::to_owned).to_vec();
    config.connectif.guesses.export_at_own_host = true;
    config
}

/// Each partner, connected by its template for contacts and all that belongs to them, in both directions.
pub fn all(sandbox: &Sandbox) -> [Partner; 5] {
    [connectif(sandbox), formbuilder(sandbox), pheedloop(sandbox), prefinery(sandbox), referrizer(sandbox)]
}

/// Connectif with tasks, notes and tags in custom fields.
pub fn connectif(sandbox: &Sandbox) -> Partner {
    let (id, secret) = sandbox.connectif().key_parts();
    Partner {
        component: "connectif".to_owned(),
        base_url: sandbox.connectif_url(),
        credentials: credentials([("id", id), ("secret", secret)]),
        template: Some("contacts-and-tasks".to_owned()),
        ..Partner::default()
    }
}

/// The first form of 123FormBuilder, with a welcome task for each submission.
pub fn formbuilder(sandbox: &Sandbox) -> Partner {
    let double = sandbox.formbuilder();
    Partner {
        component: "formbuilder".to_owned(),
        base_url: sandbox.formbuilder_url(),
        credentials: credentials([("username", double.username()), ("password", double.password())]),
        settings: json!({ "form_ids": [double.first_form().to_string()], "utc_offset": "-05:00" }),
        ..Partner::default()
    }
}

/// The first event of PheedLoop, with everybody who has an email address as its attendees.
pub fn pheedloop(sandbox: &Sandbox) -> Partner {
    let double = sandbox.pheedloop();
    Partner {
        component: "pheedloop".to_owned(),
        base_url: sandbox.pheedloop_url(),
        credentials: credentials([("key", double.api_key()), ("secret", double.api_secret())]),
        template: Some("two-way".to_owned()),
        settings: json!({ "organization_code": double.organization(), "event_codes": [double.first_event()] }),
        ..Partner::default()
    }
}

/// The first project of Prefinery.
pub fn prefinery(sandbox: &Sandbox) -> Partner {
    let double = sandbox.prefinery();
    let project = double.first_project();
    Partner {
        component: "prefinery".to_owned(),
        base_url: sandbox.prefinery_url(),
        credentials: credentials([("key", double.api_key())]),
        webhook_secret: double.signing_secret(project),
        template: Some("two-way-waitlist".to_owned()),
        settings: json!({ "beta_id": project.to_string() }),
        ..Partner::default()
    }
}

/// Referrizer with tags, tasks and notes in custom fields.
pub fn referrizer(sandbox: &Sandbox) -> Partner {
    Partner {
        component: "referrizer".to_owned(),
        base_url: sandbox.referrizer_url(),
        credentials: credentials([("token", sandbox.referrizer().token())]),
        template: Some("tasks-and-notes".to_owned()),
        ..Partner::default()
    }
}

/// Connects a partner and lets its double send webhooks to the stand, if it sends any.
///
/// # Errors
/// When the component was not built, is refused, or the double refuses the address.
pub async fn connect(stand: &Stand, partner: Partner) -> Result<ConnectionView> {
    let component = partner.component.clone();
    let connection = stand.connect(partner).await?;
    let sandbox = &stand.sandbox;
    let url = stand.webhook_url(&connection)?;
    match component.as_str() {
        "connectif" => sandbox.connectif().set_webhook_target(Some(url.parse()?)),
        "formbuilder" => {
            let double = sandbox.formbuilder();
            double.add_webhook(double.first_form(), url.parse()?).await?;
        }
        "pheedloop" => {
            let event = sandbox.pheedloop().first_event();
            for action in PHEEDLOOP_HOOKS {
                let input = json!({ "event": event, "action": action, "endpoint": url });
                stand.run(&connection.id, "resthooks.subscribe", &input).await?;
            }
        }
        "prefinery" => {
            let double = sandbox.prefinery();
            double.set_webhook_target(double.first_project(), Some(url.parse()?));
        }
        // Referrizer sends none that is known.
        _ => {}
    }
    Ok(connection)
}

fn credentials<const N: usize>(parts: [(&str, &str); N]) -> BTreeMap<String, String> {
    parts.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

//! Every template of every connector works as it is.

use contactor_engine::NewDestination;
use contactor_engine::catalogue::read_manifest;
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{ConnectionId, DestinationKind, RecordId, RunFilter, RunOutcome, Side};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::{artefacts, partners};
use serde_json::json;

use super::CONNECTORS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_template_of_every_connector_is_enabled_and_a_contact_synchronised() {
    for connector in CONNECTORS {
        let manifest = read_manifest(&artefacts::component(connector).unwrap()).unwrap();
        assert!(manifest.templates.len() >= 2, "{connector} has {} templates", manifest.templates.len());
        for template in &manifest.templates {
            let stand = Stand::serve_with(partners::sandbox()).await.unwrap();
            // What a template writes to has to be there, or it is refused with the names.
            let rows = template.mapping.values().filter_map(|rows| rows.as_array()).flatten();
            for name in rows.filter_map(|row| row["highlevel"].as_str()?.strip_prefix("customFields.")) {
                let (name, data_type) = (name.to_owned(), "TEXT".to_owned());
                let location = stand.sandbox.highlevel().first_location();
                let define = PersonAct::DefineCustomField { name, data_type };
                stand.sandbox.highlevel().act(&location, define).unwrap();
            }
            // Some templates tell people, at destinations that an admin sets up first.
            for name in ["team", "board", "on-site"] {
                let destination = NewDestination {
                    workspace: WORKSPACE.to_owned(),
                    name: name.to_owned(),
                    kind: DestinationKind::Webhook,
                    to: Vec::new(),
                    url: Some(format!("{}/webhook/{name}", stand.sandbox.inbox_url()).into()),
                    secret: Some(stand.sandbox.inbox().secret().into()),
                };
                stand.engine.put_destination(destination).await.unwrap();
            }
            let partner =
                partners::all(&stand.sandbox).into_iter().find(|partner| partner.component == connector);
            let partner = Partner { template: Some(template.name.clone()), ..partner.unwrap() };
            let given = partner.settings.clone();
            let connection = partners::connect(&stand, partner)
                .await
                .unwrap_or_else(|error| panic!("{connector} {}: {error}", template.name));
            let id: ConnectionId = connection.id.clone();
            for setting in &connection.settings {
                // The admin's own go before the template's.
                if let Some(own) = given.get(&setting.name).or_else(|| template.settings.get(&setting.name)) {
                    assert_eq!(&setting.value, own, "{connector} {}: {}", template.name, setting.name);
                }
            }
            let location = stand.sandbox.highlevel().first_location();
            let fields = json!({ "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": "+12025550101", "tags": [connector] });
            let contact =
                stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
            let contact = RecordId::new(contact["id"].as_str().unwrap());
            stand.engine.sync_record(&id, "contact", Side::Highlevel, &contact).await.unwrap();
            stand.settle().await.unwrap();
            let filter = RunFilter {
                connection: Some(id.clone()),
                record: Some(contact.clone()),
                limit: 50,
                ..RunFilter::default()
            };
            let runs = stand.engine.runs(filter).await.unwrap();
            let of_contact: Vec<_> =
                runs.iter().filter(|run| run.entity.as_deref() == Some("contact")).collect();
            assert!(!of_contact.is_empty(), "{connector} {}: nothing happened", template.name);
            let told: Vec<_> = runs.iter().map(|run| format!("{:?}: {}", run.outcome, run.summary)).collect();
            assert!(
                runs.iter().all(|run| !matches!(run.outcome, RunOutcome::Parked | RunOutcome::Retrying)),
                "{connector} {}: {told:?}",
                template.name
            );
            let parked = stand.engine.parked(&connection.workspace).await.unwrap();
            assert!(parked.is_empty(), "{connector} {}: {parked:?}", template.name);
        }
    }
}

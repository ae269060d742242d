//! Consent that was withdrawn in HighLevel is given back by no run, whatever the mapping says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_store::{RunFilter, RunKind};
use contactor_tests::engine::{Partner, Stand};
use contactor_tests::partners;
use serde_json::{Value, json};

const EMAIL: &str = "ada@example.com";

struct Stage {
    stand: Stand,
    location: String,
    project: u64,
    contact: String,
}

impl Stage {
    /// Two fields of the tester say what the contact allows. No row has the policy `stricter`.
    async fn new() -> Self {
        let stand = Stand::serve().await.unwrap();
        let all = json!({
            "partner": "profile.custom_var2", "highlevel": "dnd", "highlevel_type": "boolean",
            "direction": "to-highlevel", "to_highlevel": "value == 'out'",
        });
        let channels = json!({
            "partner": "profile.custom_var3", "highlevel": "dndSettings", "highlevel_type": "json",
            "direction": "to-highlevel", "to_highlevel": "{'SMS': {'status': value}} if value else none",
        });
        let partner = Partner {
            template: None,
            mapping: json!({ "contact": [all, channels] }),
            ..partners::prefinery(&stand.sandbox)
        };
        partners::connect(&stand, partner).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ada", "email": EMAIL });
        let contact = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let contact = contact["id"].as_str().unwrap().to_owned();
        let project = stand.sandbox.prefinery().first_project();
        let stage = Self { stand, location, project, contact };
        stage.settle().await;
        stage
    }

    async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    async fn in_highlevel(&self, fields: Value) {
        let act = PersonAct::EditContact { contact: self.contact.clone(), fields };
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
        self.settle().await;
    }

    async fn at_the_partner(&self, profile: Value) {
        let tester = self.stand.sandbox.prefinery().tester(self.project, EMAIL).unwrap()["id"].to_string();
        let act = ProjectAct::EditTester { tester, fields: json!({ "profile": profile }) };
        self.stand.sandbox.prefinery().act(self.project, act).unwrap();
        self.settle().await;
    }

    /// `dnd`, and the status of text messages.
    fn consent(&self) -> (Value, Value) {
        let contact = self.stand.sandbox.highlevel().contact(&self.location, &self.contact).unwrap();
        (contact["dnd"].clone(), contact["dndSettings"]["SMS"]["status"].clone())
    }

    /// What the last run that left something alone says of it.
    async fn left_alone(&self) -> Vec<String> {
        let runs = self.stand.engine.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap();
        for run in runs.into_iter().filter(|run| run.kind == RunKind::Reconcile) {
            let remarks = self.stand.engine.run_detail(&run.id).await.unwrap().remarks;
            if !remarks.is_empty() {
                return remarks.into_iter().map(|remark| remark.words).collect();
            }
        }
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_withdraws_consent_and_gives_none_back() {
    let stage = Stage::new().await;
    assert_eq!(stage.consent(), (json!(false), Value::Null));
    stage.at_the_partner(json!({ "custom_var2": "out", "custom_var3": "active" })).await;
    assert_eq!(stage.consent(), (json!(true), json!("active")));
    stage.at_the_partner(json!({ "custom_var2": "in", "custom_var3": "inactive" })).await;
    assert_eq!(stage.consent(), (json!(true), json!("active")));
    assert_eq!(stage.left_alone().await, ["consent kept stricter: `dndSettings` of SMS stays blocked"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_withdrew_in_highlevel_is_not_given_back_by_an_older_yes_of_the_partner() {
    let stage = Stage::new().await;
    stage.at_the_partner(json!({ "custom_var2": "in", "custom_var3": "inactive" })).await;
    stage.in_highlevel(json!({ "dnd": true, "dndSettings": { "SMS": { "status": "active" } } })).await;
    stage.at_the_partner(json!({ "first_name": "Augusta" })).await;
    assert_eq!(stage.consent(), (json!(true), json!("active")));
    stage.at_the_partner(json!({ "custom_var2": "in again" })).await;
    assert_eq!(stage.consent(), (json!(true), json!("active")));
    // Only a person in HighLevel can.
    stage.in_highlevel(json!({ "dnd": false, "dndSettings": { "SMS": { "status": "inactive" } } })).await;
    assert_eq!(stage.consent(), (json!(false), json!("inactive")));
}

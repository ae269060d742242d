//! Mapping without code, against the doubles.

use contactor_engine::{ConnectionView, EngineError, MappingTrial, RowOrigin, TrialRow};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{RecordId, Side};
use contactor_tests::engine::Stand;
use contactor_tests::partners;
use serde_json::{Value, json};

struct Mapped {
    stand: Stand,
    connection: ConnectionView,
    location: String,
}

impl Mapped {
    async fn new() -> Self {
        let stand = Stand::serve().await.unwrap();
        let connection = stand.enable("prefinery", None).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        Self { stand, connection, location }
    }

    fn act(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    async fn set(&self, row: Value) -> Result<(), EngineError> {
        self.stand.engine.set_mapping_row(&self.connection.id, "contact", row).await.map(drop)
    }

    async fn refused(&self, row: Value) -> String {
        self.set(row).await.unwrap_err().to_string()
    }

    async fn test(&self, trial: MappingTrial) -> contactor_engine::TrialReport {
        let trial = MappingTrial { entity: "contact".to_owned(), ..trial };
        self.stand.engine.try_mapping(&self.connection.id, trial).await.unwrap()
    }
}

fn row<'r>(rows: &'r [TrialRow], to: Side, target: &str) -> &'r TrialRow {
    rows.iter()
        .find(|row| row.to == to && row.target == target)
        .unwrap_or_else(|| panic!("no row for {target}: {rows:?}"))
}

fn values(json: &Value) -> serde_json::Map<String, Value> {
    json.as_object().unwrap().clone()
}

#[tokio::test]
async fn a_row_is_set_used_and_taken_away_again() {
    let mapped = Mapped::new().await;
    mapped.act(PersonAct::DefineCustomField { name: "Plan".into(), data_type: "TEXT".into() });
    let tables = json!({ "to_partner": { "gold": "1", "*": "0" }, "to_highlevel": { "1": "gold" } });
    let plan =
        json!({ "highlevel": "customFields.plan", "partner": "profile.custom_var2", "values": tables });
    mapped.set(plan).await.unwrap();
    let rows = mapped.stand.engine.mapping(&mapped.connection.id).await.unwrap();
    let own: Vec<_> = rows.iter().filter(|row| row.origin == RowOrigin::Admin).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert!(rows.len() > 5, "the connector's rows count as well");

    let contact = mapped
        .stand
        .engine
        .run_named(
            &mapped.connection.workspace,
            "highlevel.contacts.create",
            json!({ "email": "ann@example.com", "customFields.plan": "gold" }),
            false,
        )
        .await
        .unwrap();
    let id = contact.output["id"].as_str().unwrap();
    mapped
        .stand
        .engine
        .sync_record(&mapped.connection.id, "contact", Side::Highlevel, &RecordId::new(id))
        .await
        .unwrap();
    mapped.stand.settle().await.unwrap();
    let testers = mapped.stand.sandbox.prefinery().snapshot().to_string();
    assert!(testers.contains(r#""custom_var2":"1""#), "{testers}");

    let engine = &mapped.stand.engine;
    engine
        .unset_mapping_row(&mapped.connection.id, "contact", "customFields.plan", "profile.custom_var2")
        .await
        .unwrap();
    let gone = engine
        .unset_mapping_row(&mapped.connection.id, "contact", "customFields.plan", "profile.custom_var2")
        .await;
    assert!(matches!(gone, Err(EngineError::NotFound { .. })));
}

#[tokio::test]
async fn a_field_that_does_not_exist_is_refused_with_the_names_of_those_that_do() {
    let mapped = Mapped::new().await;
    let unknown =
        mapped.refused(json!({ "highlevel": "customFields.plan", "partner": "profile.custom_var2" })).await;
    assert!(
        unknown.contains("no custom field `customFields.plan`")
            && unknown.contains("define it in HighLevel first"),
        "{unknown}"
    );
    mapped.act(PersonAct::DefineCustomField { name: "Level".into(), data_type: "TEXT".into() });
    let unknown =
        mapped.refused(json!({ "highlevel": "customFields.plan", "partner": "profile.custom_var2" })).await;
    assert!(unknown.contains("it has customFields.level"), "{unknown}");
    let unknown = mapped.refused(json!({ "highlevel": "firstNam", "partner": "profile.first_name" })).await;
    assert!(unknown.contains("no field `firstNam`") && unknown.contains("firstName"), "{unknown}");
    let unknown = mapped.refused(json!({ "highlevel": "firstName", "partner": "first" })).await;
    assert!(
        unknown.contains("no field `first` of a contact") && unknown.contains("profile.first_name"),
        "{unknown}"
    );
    let broken = mapped
        .refused(
            json!({ "highlevel": "firstName", "partner": "profile.first_name", "to_partner": "value|tirm" }),
        )
        .await;
    assert!(broken.contains("there is no filter `tirm`"), "{broken}");
    let wrong = mapped.refused(json!({ "highlevel": "dateAdded", "partner": "profile.custom_var2" })).await;
    assert!(wrong.contains("cannot be written in HighLevel") && wrong.contains("to-partner"), "{wrong}");
    let rows = mapped.stand.engine.mapping(&mapped.connection.id).await.unwrap();
    assert!(rows.iter().all(|row| row.origin == RowOrigin::Connector), "nothing of it was stored");
}

#[tokio::test]
async fn a_trial_shows_values_losses_and_problems_row_by_row_and_writes_nothing() {
    let mapped = Mapped::new().await;
    mapped.set(json!({ "highlevel": "firstName", "partner": "profile.first_name", "to_partner": "value|name_case" })).await.unwrap();
    let contact = mapped.act(PersonAct::CreateContact {
        fields: json!({ "firstName": "ANN", "email": "ann@example.com", "phone": "+12025550101" }),
    });
    let id = contact["id"].as_str().unwrap().to_owned();
    let before = mapped.stand.records();
    let report = mapped.test(MappingTrial { contact: Some(id.clone()), ..MappingTrial::default() }).await;
    let name = row(&report.rows, Side::Partner, "profile.first_name");
    assert_eq!((&name.before, &name.after), (&json!("ANN"), &json!("Ann")));
    assert!(report.missing.is_empty(), "{:?}", report.missing);
    assert_eq!(report.partner, None, "it has no counterpart yet");

    let given = MappingTrial {
        partner: values(&json!({ "email": "  ADA@Example.com ", "profile.first_name": "Ada" })),
        ..MappingTrial::default()
    };
    let report = mapped.test(given).await;
    let email = row(&report.rows, Side::Highlevel, "email");
    assert_eq!(email.after, json!("ada@example.com"));
    let nobody = mapped
        .test(MappingTrial {
            partner: values(&json!({ "profile.first_name": "Ada" })),
            ..MappingTrial::default()
        })
        .await;
    assert_eq!(nobody.missing, ["HighLevel: an email or a phone"]);
    let nobody = mapped
        .test(MappingTrial { highlevel: values(&json!({ "firstName": "Ada" })), ..MappingTrial::default() })
        .await;
    assert!(nobody.missing.contains(&"partner: email".to_owned()), "{:?}", nobody.missing);

    let draft = json!({ "contact": [{ "highlevel": "firstName", "partner": "profile.first_name", "to_partner": "value|number" }] });
    let report = mapped
        .test(MappingTrial { contact: Some(id), mapping: Some(draft), ..MappingTrial::default() })
        .await;
    let problem = row(&report.rows, Side::Partner, "profile.first_name").problem.clone().unwrap();
    assert_eq!((problem.field.as_str(), problem.value.as_str()), ("firstName", "ANN"));
    assert!(
        problem.reason.contains("value|number") && problem.reason.contains("no number"),
        "{}",
        problem.reason
    );
    assert_eq!(mapped.stand.records(), before);
}

#[tokio::test]
async fn an_expression_that_fails_is_told_with_its_row_the_field_the_value_and_the_reason() {
    let mapped = Mapped::new().await;
    let row = json!({ "highlevel": "firstName", "partner": "profile.first_name", "to_partner": "value + 1" });
    mapped.set(row).await.unwrap();
    let fields = json!({ "email": "ann@example.com", "firstName": "Ann" });
    let id = mapped.act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned();
    let engine = &mapped.stand.engine;
    let record = RecordId::new(id);
    engine.sync_record(&mapped.connection.id, "contact", Side::Highlevel, &record).await.unwrap();
    mapped.stand.settle().await.unwrap();
    let run = mapped.stand.last_run(&mapped.connection.id).await.unwrap();
    for part in ["firstName", "profile.first_name", "`value + 1`", "Ann", "unsupported types"] {
        assert!(run.summary.contains(part), "{part}: {}", run.summary);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_reads_a_task_of_a_contact_and_says_what_a_task_of_the_partners_lacks() {
    let stand = Stand::start_with(partners::sandbox()).await.unwrap();
    let connection = stand.connect(partners::referrizer(&stand.sandbox)).await.unwrap();
    let location = stand.sandbox.highlevel().first_location();
    let act = |act: PersonAct| stand.sandbox.highlevel().act(&location, act).unwrap();
    let contact = act(PersonAct::CreateContact { fields: json!({ "email": "ann@example.com" }) });
    let contact = contact["id"].as_str().unwrap().to_owned();
    let fields = json!({ "title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
    let task =
        act(PersonAct::CreateTask { contact: contact.clone(), fields })["id"].as_str().unwrap().to_owned();
    let sample =
        MappingTrial { entity: "task".to_owned(), contact: Some(contact), ..MappingTrial::default() };
    let try_out = async |trial: MappingTrial| stand.engine.try_mapping(&connection.id, trial).await;

    let report = try_out(MappingTrial { record: Some(task), ..sample.clone() }).await.unwrap();
    assert_eq!(report.highlevel.unwrap()["title"], "Call");
    let title = report.rows.iter().find(|row| row.to == Side::Partner && row.source == "title").unwrap();
    assert_eq!(title.after, json!("Call"));
    let given = MappingTrial {
        entity: "task".to_owned(),
        partner: values(&json!({ "id": "x" })),
        ..MappingTrial::default()
    };
    let missing = try_out(given).await.unwrap().missing;
    assert!(missing.contains(&"HighLevel: title".to_owned()), "{missing:?}");
    // Which task is not said, or is of nobody.
    assert!(try_out(sample.clone()).await.unwrap_err().to_string().contains("id of a task"));
    let unknown = try_out(MappingTrial { record: Some("nobodys".to_owned()), ..sample }).await.unwrap_err();
    assert!(unknown.to_string().contains("nobodys"), "{unknown}");
}

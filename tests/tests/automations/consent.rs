//! What a handler writes never gives back consent that the contact withdrew.

use contactor_sandbox::highlevel::MatchBy;

use super::*;

/// A contact that wants no calls at all, or no text messages.
async fn scripted(call: Value, withdrawn: Value) -> Scripted {
    let scripted = Scripted::new(json!({ "ContactTagUpdate": [call] })).await;
    let act = PersonAct::EditContact { contact: scripted.contact.clone(), fields: withdrawn };
    scripted.stand.sandbox.highlevel().act(&scripted.location, act).unwrap();
    scripted.settle().await;
    scripted.tag("vip");
    scripted.settle().await;
    scripted
}

impl Scripted {
    fn shown(&self) -> Value {
        self.stand.sandbox.highlevel().contact(&self.location, &self.contact).unwrap()
    }

    /// What the last handler's run left alone.
    async fn left_alone(&self) -> Vec<String> {
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 100, ..RunFilter::default() };
        let runs = self.stand.engine.runs(filter).await.unwrap();
        let last = runs.into_iter().find(|run| run.kind == RunKind::Automation).unwrap();
        assert_eq!(last.outcome, RunOutcome::Applied, "{}", last.summary);
        let run = self.stand.engine.run_detail(&last.id).await.unwrap();
        run.remarks.into_iter().map(|remark| remark.words).collect()
    }
}

fn wish() -> Value {
    json!({
        "city": "Rome", "dnd": false,
        "dndSettings": { "SMS": { "status": "inactive" }, "Email": { "status": "active" } },
    })
}

#[tokio::test]
async fn an_update_withdraws_consent_and_gives_none_back() {
    let update = json!({ "function": "contacts.update", "input": { "id": "$contact", "fields": wish() } });
    let withdrawn = json!({ "dnd": true, "dndSettings": { "SMS": { "status": "active" } } });
    let scripted = scripted(update, withdrawn).await;
    let contact = scripted.shown();
    assert_eq!((&contact["city"], &contact["dnd"]), (&json!("Rome"), &json!(true)));
    assert_eq!(contact["dndSettings"]["SMS"]["status"], "active");
    assert_eq!(contact["dndSettings"]["Email"]["status"], "active");
    assert_eq!(
        scripted.left_alone().await,
        [
            "consent kept stricter: `dnd` stays on",
            "consent kept stricter: `dndSettings` of SMS stays blocked",
        ]
    );
}

#[tokio::test]
async fn an_update_that_only_gives_consent_back_writes_nothing() {
    let update =
        json!({ "function": "contacts.update", "input": { "id": "$contact", "fields": { "dnd": false } } });
    let scripted = scripted(update, json!({ "dnd": true })).await;
    assert_eq!(scripted.shown()["dnd"], true);
    assert_eq!(scripted.carried_out("highlevel.contacts.update"), 0);
    assert_eq!(scripted.left_alone().await, ["consent kept stricter: `dnd` stays on"]);
}

#[tokio::test]
async fn an_upsert_withdraws_consent_and_gives_none_back() {
    let mut fields = wish();
    fields["email"] = json!("ada@example.com");
    let upsert = json!({
        "function": "contacts.upsert",
        "input": { "fields": fields, "create-new-if-duplicate-allowed": false },
    });
    let scripted = scripted(upsert, json!({ "dndSettings": { "SMS": { "status": "permanent" } } })).await;
    let contact = scripted.shown();
    assert_eq!(contact["city"], "Rome");
    assert_eq!(contact["dndSettings"]["SMS"]["status"], "permanent");
    assert_eq!(contact["dndSettings"]["Email"]["status"], "active");
    assert_eq!(scripted.left_alone().await, ["consent kept stricter: `dndSettings` of SMS stays blocked"]);
}

#[tokio::test]
async fn an_upsert_with_the_email_of_one_person_and_the_phone_of_another_gives_neither_consent_back() {
    for (phone_first, withdrew) in [(true, "phone"), (false, "phone"), (true, "email"), (false, "email")] {
        let mut config = SandboxConfig::for_tests();
        config.highlevel.habits.duplicate_by_email_first = true;
        if phone_first {
            config.highlevel.locations[0].match_by = vec![MatchBy::Phone, MatchBy::Email];
        }
        let mut fields = wish();
        fields["email"] = json!("ada@example.com");
        fields["phone"] = json!("+14155550100");
        let upsert = json!({
            "function": "contacts.upsert",
            "input": { "fields": fields, "create-new-if-duplicate-allowed": false },
        });
        let stand = Stand::serve_with(config).await.unwrap();
        let scripted = Scripted::on(stand, json!({ "ContactTagUpdate": [upsert] })).await;
        let highlevel = scripted.stand.sandbox.highlevel();
        let fields = json!({ "firstName": "Bob", "phone": "+14155550100" });
        let bob = highlevel.act(&scripted.location, PersonAct::CreateContact { fields }).unwrap();
        let bob = bob["id"].as_str().unwrap().to_owned();
        let who = if withdrew == "phone" { bob.clone() } else { scripted.contact.clone() };
        let withdrawn = json!({ "dndSettings": { "SMS": { "status": "permanent" } } });
        highlevel
            .act(&scripted.location, PersonAct::EditContact { contact: who.clone(), fields: withdrawn })
            .unwrap();
        scripted.settle().await;
        scripted.tag("vip");
        scripted.settle().await;
        let kept = highlevel.contact(&scripted.location, &who).unwrap();
        assert_eq!(
            kept["dndSettings"]["SMS"]["status"], "permanent",
            "{withdrew}, phone first: {phone_first}"
        );
        let written = if phone_first { &bob } else { &scripted.contact };
        let written = highlevel.contact(&scripted.location, written).unwrap();
        assert_eq!(
            (&written["city"], &written["dndSettings"]["Email"]["status"]),
            (&json!("Rome"), &json!("active"))
        );
        assert_eq!(
            scripted.left_alone().await,
            ["consent kept stricter: `dndSettings` of SMS stays blocked"]
        );
    }
}

#[tokio::test]
async fn do_not_disturb_is_not_written_off_again_over_a_blocked_channel() {
    let update =
        json!({ "function": "contacts.update", "input": { "id": "$contact", "fields": { "dnd": false } } });
    let scripted = scripted(update, json!({ "dndSettings": { "SMS": { "status": "active" } } })).await;
    assert_eq!(scripted.carried_out("highlevel.contacts.update"), 0);
    assert_eq!(scripted.shown()["dndSettings"]["SMS"]["status"], "active");
}

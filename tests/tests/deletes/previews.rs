//! The preview of one record: what its next run would do, with nothing written on either side.

use contactor_engine::{EngineError, PlannedChange, RecordPreview, Verdict, WantedPolicy};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_store::{RecordId, RecordKey, Side};
use serde_json::json;

use super::stage::{EMAIL, Stage};

impl Stage {
    /// The preview of one record; fails the test when it writes anything.
    async fn preview(&self, side: Side, record: &str) -> RecordPreview {
        let before = (self.writes(), self.link().await, self.deletions().await);
        let preview = self.try_preview("contact", side, record).await.unwrap();
        let after = (self.writes(), self.link().await, self.deletions().await);
        assert_eq!(before, after, "a preview writes nothing");
        preview
    }

    async fn try_preview(
        &self,
        entity: &str,
        side: Side,
        record: &str,
    ) -> Result<RecordPreview, EngineError> {
        let key = RecordKey {
            connection: self.connection.id.clone(),
            entity: entity.to_owned(),
            side,
            record: RecordId::new(record),
        };
        self.engine().preview_one(&key).await
    }

    fn new_tester(&self, email: &str) -> String {
        let fields = json!({ "email": email, "profile": { "first_name": "Bo" } });
        self.at_partner(ProjectAct::CreateTester { fields });
        let testers = self.stand.sandbox.prefinery().testers(self.project);
        testers.into_iter().find(|tester| tester["email"] == email).unwrap()["id"].to_string()
    }
}

fn values(change: &PlannedChange) -> (Side, &str, &serde_json::Value, &serde_json::Value) {
    (change.side, change.field.as_str(), &change.before, &change.after)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_record_is_shown_with_both_values_its_conflict_and_its_cost() {
    let stage = Stage::set().await;
    stage.edit_contact(json!({ "firstName": "Augusta", "lastName": "Noel" }));
    stage.edit_tester("King");
    let tester = stage.tester().unwrap()["id"].to_string();
    for (side, id) in [(Side::Highlevel, stage.id()), (Side::Partner, tester.clone())] {
        let RecordPreview { report, deletion } = stage.preview(side, &id).await;
        let [item] = report.items.as_slice() else { panic!("{report:#?}") };
        assert_eq!((item.verdict, report.updates, deletion), (Verdict::Update, 1, None));
        assert_eq!(item.partner_id, Some(RecordId::new(tester.as_str())));
        let conflict = &item.conflicts[0];
        assert_eq!((item.conflicts.len(), conflict.highlevel_field.as_str()), (1, "lastName"));
        assert!(conflict.highlevel != conflict.partner && conflict.winner.is_some(), "{conflict:?}");
        let first = item.changes.iter().find(|change| change.before == json!("Ada")).unwrap();
        assert_eq!((first.side, &first.after), (Side::Partner, &json!("Augusta")));
        let last = item.changes.iter().filter(|change| change.field.to_lowercase().contains("last"));
        assert_eq!(last.map(values).count(), 1, "{:#?}", item.changes);
        assert!(report.highlevel_calls >= 1 && report.partner_calls >= 1, "{report:#?}");
        assert!(report.estimated_highlevel_calls >= 1 && report.estimated_partner_calls >= 2, "{report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_one_side_is_shown_as_created_on_the_other_or_skipped_with_the_reason() {
    let stage = Stage::set().await;
    let bo = stage.new_tester("bo@example.com");
    let preview = stage.preview(Side::Partner, &bo).await;
    assert_eq!((preview.report.items[0].verdict, preview.report.creates), (Verdict::CreateHighlevel, 1));
    assert!(preview.report.items[0].changes.iter().all(|change| change.side == Side::Highlevel));

    let fields = json!({ "firstName": "Cy", "email": "cy@example.com" });
    let cy = stage.in_highlevel(PersonAct::CreateContact { fields });
    let preview = stage.preview(Side::Highlevel, cy["id"].as_str().unwrap()).await;
    assert_eq!(preview.report.items[0].verdict, Verdict::CreatePartner);
    let fields = json!({ "firstName": "Di", "phone": "+12025550111" });
    let di = stage.in_highlevel(PersonAct::CreateContact { fields });
    let preview = stage.preview(Side::Highlevel, di["id"].as_str().unwrap()).await;
    let item = &preview.report.items[0];
    assert_eq!((item.verdict, preview.report.skipped), (Verdict::Skip, 1));
    assert!(item.reason.as_ref().unwrap().contains("email"), "{item:?}");
    let preview = stage.preview(Side::Highlevel, "nobody").await;
    assert_eq!(preview.report.items[0].reason.as_deref(), Some("it is on neither side"));
    let refused = stage.try_preview("invoice", Side::Highlevel, "x").await.unwrap_err();
    assert!(refused.to_string().contains("no entity `invoice`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_gone_is_shown_with_what_its_policy_would_do() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    let tester = stage.tester().unwrap()["id"].to_string();
    stage.delete_contact();
    for heard in [false, true] {
        if heard {
            stage.settle().await;
        }
        for (side, id) in [(Side::Highlevel, stage.id()), (Side::Partner, tester.clone())] {
            let preview = stage.preview(side, &id).await;
            let deletion = preview.deletion.unwrap();
            assert_eq!((deletion.gone, deletion.label.as_deref()), (Side::Highlevel, Some(EMAIL)));
            assert!(deletion.calls.iter().any(|call| call.write && call.operation == "adapter.delete"));
            assert_eq!(preview.report.estimated_partner_calls, 2, "a read and the delete");
            let reason = preview.report.items[0].reason.clone().unwrap();
            let expected = if heard { "contactor deletes confirm" } else { "looked for again" };
            assert!(reason.contains(expected), "{reason}");
        }
    }
}

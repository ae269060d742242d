//! Who is taken for the survivor of a merge. Referrizer knows people by email or phone.

use contactor_engine::{ConnectionView, DeletionDecision, DeletionView, PolicyChange, WantedPolicy};
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::referrizer::AccountAct;
use contactor_store::{DeletionFilter, DeletionState, Link, LinkState, RecordId, Side, WorkspaceId};
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::json;

const PHONE: &str = "+12025550177";

/// A linked contact, and another one with the same phone that no connection knows.
struct Household {
    stand: Stand,
    connection: ConnectionView,
    ada: RecordId,
    other: RecordId,
}

impl Household {
    /// Of which the linked one is gone.
    async fn with(first_name: &str, last_name: &str) -> Self {
        let household = Self::connected(Some((first_name, last_name))).await;
        let contact = household.ada.to_string();
        let location = household.location();
        household.stand.sandbox.highlevel().act(&location, PersonAct::DeleteContact { contact }).unwrap();
        household.stand.settle().await.unwrap();
        household
    }

    async fn connected(other: Option<(&str, &str)>) -> Self {
        let mut config = SandboxConfig::for_tests();
        config.highlevel.limits = None;
        config.referrizer.custom_fields = vec!["Tags".to_owned()];
        let stand = Stand::serve_with(config).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let create = |fields| {
            let created =
                stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
            RecordId::new(created["id"].as_str().unwrap())
        };
        let settings = PersonAct::ChangeSettings {
            allow_duplicate_contact: Some(true),
            match_by: None,
            country: None,
            timezone: None,
        };
        stand.sandbox.highlevel().act(&location, settings).unwrap();
        // There before the connection, of which therefore nothing is known.
        let other = other.map(|(first_name, last_name)| {
            create(json!({ "firstName": first_name, "lastName": last_name, "phone": PHONE }))
        });
        stand.settle().await.unwrap();
        let partner = partners::referrizer(&stand.sandbox);
        let connection = partners::connect(
            &stand,
            contactor_tests::engine::Partner { template: Some("two-way-contacts".to_owned()), ..partner },
        );
        let connection = connection.await.unwrap();
        let ada = create(
            json!({ "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": PHONE }),
        );
        stand.settle().await.unwrap();
        let change = PolicyChange { highlevel_gone: Some(WantedPolicy::Tag(None)), partner_gone: None };
        stand.engine.set_delete_policies(&connection.id, "contact", change).await.unwrap();
        let other = other.unwrap_or_else(|| RecordId::new("nobody"));
        let household = Self { stand, connection, ada, other };
        assert_eq!(household.link(&household.ada).await.unwrap().state, LinkState::Active);
        assert_eq!(household.link(&household.other).await, None);
        household
    }

    fn location(&self) -> String {
        self.stand.sandbox.highlevel().first_location()
    }

    async fn link(&self, contact: &RecordId) -> Option<Link> {
        let store = self.stand.engine.store();
        store.link(&self.connection.id, "contact", Side::Highlevel, contact).await.unwrap()
    }

    fn is_tagged(&self) -> bool {
        let contact = self.stand.sandbox.referrizer().contact("ada@example.com").unwrap();
        contact.to_string().contains("deleted-in-highlevel")
    }

    async fn newest(&self) -> DeletionView {
        let workspace = WorkspaceId::new(WORKSPACE);
        let filter = DeletionFilter { workspace, connection: None, state: None, ended: true, limit: 1 };
        self.stand.engine.deletions(filter).await.unwrap().remove(0)
    }

    async fn decide(&self, decision: DeletionDecision) -> DeletionView {
        let id = self.newest().await.stored.id;
        let workspace = WorkspaceId::new(WORKSPACE);
        self.stand.engine.decide_deletion(&workspace, id, decision, "ann").await.unwrap();
        self.stand.settle().await.unwrap();
        self.newest().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_with_the_same_phone_is_not_taken_for_the_survivor_of_a_merge() {
    for decision in [DeletionDecision::Confirm, DeletionDecision::Keep] {
        let household = Household::with("William", "King").await;
        let asked = household.newest().await;
        assert_eq!(asked.stored.state, DeletionState::Waiting);
        assert!(asked.next.contains(household.other.as_str()), "who it may be is named: {}", asked.next);
        assert_eq!(household.link(&household.ada).await.unwrap().state, LinkState::HighlevelMissing);
        assert_eq!(household.link(&household.other).await, None, "nobody else's record was linked");
        assert!(!household.is_tagged());
        let done = household.decide(decision).await;
        assert_eq!(done.stored.state, DeletionState::Done);
        assert_eq!(household.link(&household.ada).await.unwrap().state, LinkState::HighlevelDeleted);
        assert_eq!(household.link(&household.other).await, None);
        assert_eq!(household.is_tagged(), decision == DeletionDecision::Confirm);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_with_the_same_phone_does_not_take_the_place_of_a_record_that_is_gone() {
    let household = Household::connected(None).await;
    let referrizer = household.stand.sandbox.referrizer();
    let gone = household.link(&household.ada).await.unwrap().partner_id.to_string();
    referrizer.act(AccountAct::DeleteContact { contact: gone.clone() }).unwrap();
    // Nobody tells; the next edit does.
    let edit = PersonAct::EditContact {
        contact: household.ada.to_string(),
        fields: json!({ "firstName": "Augusta" }),
    };
    household.stand.sandbox.highlevel().act(&household.location(), edit).unwrap();
    household.stand.settle().await.unwrap();
    assert_eq!(household.link(&household.ada).await.unwrap().state, LinkState::PartnerDeleted);
    let fields =
        json!({ "firstName": "Will", "lastName": "King", "email": "will@example.com", "phone": PHONE });
    let will =
        referrizer.act(AccountAct::CreateContact { fields }).unwrap()["id"].as_str().unwrap().to_owned();
    household.stand.advance(SignedDuration::from_hours(2));
    household.stand.walk().await.unwrap();
    household.stand.settle().await.unwrap();
    assert_eq!(household.link(&household.ada).await.unwrap().state, LinkState::PartnerDeleted);
    let contacts = household.stand.sandbox.highlevel().contacts(&household.location());
    let ada = contacts.iter().find(|contact| contact["id"] == household.ada.as_str()).unwrap();
    assert_eq!(ada["firstName"], "Augusta", "nobody else's name was written: {ada}");
    let parked = household.stand.engine.store().parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    assert!(parked.iter().any(|one| one.reason.contains(&will) && one.reason.contains(&gone)), "{parked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_name_with_the_same_phone_is_the_survivor_of_a_merge() {
    let household = Household::with("ADA", " Byron").await;
    assert_eq!(household.newest().await.stored.state, DeletionState::Ended);
    assert_eq!(household.link(&household.other).await.unwrap().state, LinkState::Active);
    assert_eq!(household.link(&household.ada).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_says_that_nobody_can_tell_who_lives_on() {
    let household = Household::with("William", "King").await;
    let preview = household
        .stand
        .engine
        .preview_deletion(&household.connection.id, Side::Highlevel, &household.ada)
        .await
        .unwrap();
    assert_eq!(preview.survivor, None);
    let other = household.other.as_str();
    assert!(preview.steps.iter().any(|step| step.contains(other) && step.contains("waits")), "{preview:#?}");
}

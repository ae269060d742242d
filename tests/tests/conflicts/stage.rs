//! A host with Prefinery connected and one linked person, whose last name both sides edit.

use contactor_engine::{ConflictView, ConnectionView, Engine, EngineError, Resolve};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_store::{ConflictFilter, RecordId, WorkspaceId};
use contactor_sync::{Policy, Side};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::partners;
use serde_json::{Value, json};

pub(super) const EMAIL: &str = "ada@example.com";

pub(super) struct Stage {
    pub(super) stand: Stand,
    pub(super) connection: ConnectionView,
    pub(super) contact: RecordId,
    location: String,
    project: u64,
}

pub(super) fn how(take: Side) -> Resolve {
    Resolve { take, by: "ann (admin)".to_owned() }
}

impl Stage {
    /// With this policy for the last name.
    pub(super) async fn with_policy(policy: Policy) -> Self {
        let stand = Stand::serve().await.unwrap();
        let prefinery = stand.sandbox.prefinery();
        let project = prefinery.first_project();
        let partner = Partner { template: None, ..partners::prefinery(&stand.sandbox) };
        let connection = partners::connect(&stand, partner).await.unwrap();
        let pair = ("lastName", "profile.last_name");
        stand.engine.set_mapping_policy(&connection.id, "contact", pair, policy).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ada", "lastName": "Byron", "email": EMAIL });
        let contact = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let contact = RecordId::new(contact["id"].as_str().unwrap());
        let stage = Self { stand, connection, contact, location, project };
        stage.settle().await;
        assert_eq!(stage.names(), ["Byron", "Byron"]);
        stage
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.stand.engine
    }

    pub(super) fn workspace() -> WorkspaceId {
        WorkspaceId::new(WORKSPACE)
    }

    pub(super) async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    /// Somebody edits the last name in HighLevel.
    pub(super) fn in_highlevel(&self, name: &str) {
        let act =
            PersonAct::EditContact { contact: self.contact.to_string(), fields: json!({ "lastName": name }) };
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    fn tester(&self) -> Value {
        self.stand.sandbox.prefinery().tester(self.project, EMAIL).unwrap()
    }

    /// Both sides are edited before anybody hears of it.
    pub(super) async fn both_edit(&self, highlevel: &str, partner: &str) {
        let act = ProjectAct::EditTester {
            tester: self.tester()["id"].to_string(),
            fields: json!({ "profile": { "last_name": partner } }),
        };
        self.stand.sandbox.prefinery().act(self.project, act).unwrap();
        self.in_highlevel(highlevel);
        self.settle().await;
    }

    /// The last name in HighLevel and at the partner.
    pub(super) fn names(&self) -> [String; 2] {
        let contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        let contact = contacts.iter().find(|contact| contact["email"] == EMAIL).unwrap();
        [&contact["lastName"], &self.tester()["profile"]["last_name"]]
            .map(|name| name.as_str().unwrap_or_default().to_owned())
    }

    pub(super) async fn conflicts(&self) -> Vec<ConflictView> {
        let filter = ConflictFilter {
            workspace: Self::workspace(),
            connection: None,
            record: None,
            open: false,
            limit: 50,
        };
        self.engine().conflicts(filter).await.unwrap()
    }

    pub(super) async fn resolve(&self, id: i64, take: Side) -> Result<ConflictView, EngineError> {
        self.engine().resolve_conflict(&Self::workspace(), id, how(take)).await
    }

    /// Requests to both doubles that write.
    pub(super) fn writes(&self) -> u64 {
        let counts = self.stand.sandbox.recorder().counts();
        let reads = [".get", ".list", ".search", ".duplicate", ".find", ".custom_fields", ".read"];
        let writing = counts.iter().filter(|(name, _)| reads.iter().all(|read| !name.ends_with(read)));
        let writing = writing.map(|(_, count)| count.requests).sum();
        let sent = self.stand.sandbox.recorder().recent();
        assert!(sent.iter().any(|request| request.method == "GET"));
        writing
    }

    /// Nothing is written by looking again.
    pub(super) async fn is_at_rest(&self) {
        let before = self.writes();
        let side = contactor_store::Side::Highlevel;
        self.engine().sync_record(&self.connection.id, "contact", side, &self.contact).await.unwrap();
        self.settle().await;
        assert_eq!(self.writes(), before);
        assert!(self.engine().parked(&Self::workspace()).await.unwrap().is_empty());
    }
}

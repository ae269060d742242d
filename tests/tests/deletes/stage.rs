//! A host with Prefinery connected and one linked person, whom somebody deletes on one side.

use contactor_engine::{ConnectionView, DeletionDecision, DeletionView, Engine, PolicyChange, WantedPolicy};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::Order;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_store::{DeletionFilter, Link, LinkState, RecordId, RunFilter, Side, WorkspaceId};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::{Value, json};

pub(super) const EMAIL: &str = "ada@example.com";

pub(super) struct Stage {
    pub(super) stand: Stand,
    pub(super) connection: ConnectionView,
    pub(super) contact: RecordId,
    pub(super) location: String,
    pub(super) project: u64,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let stand = Stand::serve().await.unwrap();
        let prefinery = stand.sandbox.prefinery();
        let project = prefinery.first_project();
        let partner = Partner { template: None, ..partners::prefinery(&stand.sandbox) };
        let connection = partners::connect(&stand, partner).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ada", "lastName": "Byron", "email": EMAIL });
        let contact = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let contact = RecordId::new(contact["id"].as_str().unwrap());
        let stage = Self { stand, connection, contact, location, project };
        stage.settle().await;
        assert_eq!(stage.link().await.unwrap().state, LinkState::Active);
        stage
    }

    /// With policies for contacts that are gone in HighLevel and at the partner.
    pub(super) async fn with(highlevel_gone: WantedPolicy, partner_gone: WantedPolicy) -> Self {
        let stage = Self::set().await;
        let change = PolicyChange { highlevel_gone: Some(highlevel_gone), partner_gone: Some(partner_gone) };
        stage.engine().set_delete_policies(&stage.connection.id, "contact", change).await.unwrap();
        stage
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.stand.engine
    }

    pub(super) fn workspace() -> WorkspaceId {
        WorkspaceId::new(WORKSPACE)
    }

    /// Everything that is due until nothing is left, however long that takes.
    pub(super) async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    /// Everything that is due now; no time passes.
    pub(super) async fn hear(&self) {
        loop {
            for outbox in self.stand.sandbox.outboxes() {
                outbox.flush(Order::Queued).await;
            }
            if self.engine().run_until_idle().await.unwrap() == 0 {
                return;
            }
        }
    }

    pub(super) fn pass(&self, minutes: i64) {
        self.stand.advance(SignedDuration::from_mins(minutes));
    }

    pub(super) fn in_highlevel(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    pub(super) fn id(&self) -> String {
        self.contact.to_string()
    }

    pub(super) fn delete_contact(&self) {
        self.in_highlevel(PersonAct::DeleteContact { contact: self.id() });
    }

    pub(super) fn restore_contact(&self) {
        self.in_highlevel(PersonAct::RestoreContact { contact: self.id() });
    }

    pub(super) fn edit_contact(&self, fields: Value) {
        self.in_highlevel(PersonAct::EditContact { contact: self.id(), fields });
    }

    pub(super) fn at_partner(&self, act: ProjectAct) {
        self.stand.sandbox.prefinery().act(self.project, act).unwrap();
    }

    pub(super) fn edit_tester(&self, last_name: &str) {
        let tester = self.tester().unwrap()["id"].to_string();
        let fields = json!({ "profile": { "last_name": last_name } });
        self.at_partner(ProjectAct::EditTester { tester, fields });
    }

    pub(super) fn delete_tester(&self) {
        self.at_partner(ProjectAct::DeleteTester { tester: self.tester().unwrap()["id"].to_string() });
    }

    pub(super) fn tester(&self) -> Option<Value> {
        self.stand.sandbox.prefinery().tester(self.project, EMAIL)
    }

    pub(super) fn testers(&self) -> usize {
        self.stand.sandbox.prefinery().testers(self.project).len()
    }

    pub(super) fn groups(&self) -> String {
        self.tester().unwrap()["groups"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn contacts(&self) -> Vec<Value> {
        self.stand.sandbox.highlevel().contacts(&self.location)
    }

    pub(super) fn contact(&self) -> Option<Value> {
        self.contacts().into_iter().find(|contact| contact["email"] == EMAIL)
    }

    pub(super) async fn link(&self) -> Option<Link> {
        let store = self.engine().store();
        store.link(&self.connection.id, "contact", Side::Highlevel, &self.contact).await.unwrap()
    }

    pub(super) async fn state(&self) -> LinkState {
        self.link().await.unwrap().state
    }

    /// All deletions, newest first.
    pub(super) async fn deletions(&self) -> Vec<DeletionView> {
        let filter = DeletionFilter {
            workspace: Self::workspace(),
            connection: None,
            state: None,
            ended: true,
            limit: 50,
        };
        self.engine().deletions(filter).await.unwrap()
    }

    pub(super) async fn newest(&self) -> DeletionView {
        self.deletions().await.remove(0)
    }

    pub(super) async fn decide(&self, decision: DeletionDecision) -> DeletionView {
        let id = self.newest().await.stored.id;
        let by = "ann (admin)";
        self.engine().decide_deletion(&Self::workspace(), id, decision, by).await.unwrap();
        self.settle().await;
        self.engine().deletion(&Self::workspace(), id).await.unwrap()
    }

    /// Requests to both doubles that write.
    pub(super) fn writes(&self) -> u64 {
        let counts = self.stand.sandbox.recorder().counts();
        let reads = [".get", ".list", ".search", ".duplicate", ".find", ".custom_fields", ".read"];
        let writing = counts.iter().filter(|(name, _)| reads.iter().all(|read| !name.ends_with(read)));
        writing.map(|(_, count)| count.requests).sum()
    }

    /// Whether a run says this.
    pub(super) async fn told(&self, what: &str) -> bool {
        let filter = RunFilter { limit: 100, ..RunFilter::default() };
        let runs = self.engine().store().runs(filter).await.unwrap();
        runs.iter().any(|run| run.summary.contains(what))
    }

    /// Nobody has to look at anything.
    pub(super) async fn is_clean(&self) {
        assert_eq!(self.engine().parked(&Self::workspace()).await.unwrap(), []);
    }
}

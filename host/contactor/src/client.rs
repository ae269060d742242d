//! The admin API as the commands use it: typed calls, and errors that say whose turn it is.

use std::time::Duration;

use contactor_highlevel::http::{Options, Unanswered, client};
use contactor_server::dto::{
    ActionReport, ActionRequest, AlertRules, Alerts, AllowRequest, ApproveMatch, AuditEntry, AuditQuery,
    AuditReport, AuditVerifyQuery, CatalogueEntry, CatalogueQuery, CheckReport, Conflict, ConflictQuery,
    ConflictReport, Connection, Connector, Consent, DecideDeletion, DecideDeletions, DeletePolicies,
    DeletePolicyQuery, Deletion, DeletionPreview, DeletionQuery, Destination, DraftReport, EnableConnection,
    EraseRequest, Erasure, ErrorBody, Event, EventDetail, EventQuery, FieldStory, FirstSync, GuardReport,
    Health, HighLevelGrant, Installation, IssuedToken, LimitQuery, MappingDraft, MappingRow, MappingRowQuery,
    MappingTrial, MatchQuery, MatchReport, Member, NewConsent, NewToken, NewUser, NewWorkspace, Parked,
    ParkedGroup, ParkedGroupDetail, PreviewDeletion, PreviewReport, PreviewRequest, PutDestination,
    PutMember, Quota, RecordRef, RecordingSummary, ReleaseAnswer, RenewGrant, ReplayReport, ResolveAnswer,
    ResolveConflict, RetryAllQuery, RetryAnswer, RevokeAnswer, Rollout, RotateKeys, RotateRequest, Run,
    RunQuery, SampleAnswer, SetDeletePolicies, SetMappingPolicy, SetMappingRow, StartMatch, StoryQuery,
    SyncProgress, SyncRequest, Timeline, TimelineQuery, Token, TokenQuery, TrialReport, Upgrade, UpgradePlan,
    UpgradeQuery, User, VaultStatus, Whoami, Workspace, WorkspacePolicy, WorkspaceSettings, WorkspaceToken,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

/// Longer than the host's own limit for a request of the admin API, so that the host is the one to explain.
const PATIENCE: Duration = Duration::from_secs(150);

/// Why a call did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answers.
    #[error(
        "no host answers at {url} ({reason})\n\
         start one with `contactor serve`, or name a running one with --server URL"
    )]
    Unreachable { url: Url, reason: String },
    /// There is no such thing.
    #[error("{0}", with_hint(message, hint.as_deref()))]
    NotFound { message: String, hint: Option<String> },
    /// The host says no.
    #[error("{0}", with_hint(message, hint.as_deref()))]
    Refused { message: String, hint: Option<String> },
    /// The answer is not one of the admin API.
    #[error("{url} answered {what}; is it a Contactor host of this version?")]
    Unexpected { url: Url, what: String },
    /// No HTTP client.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(#[source] reqwest::Error),
}

fn with_hint(message: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message}\n{hint}"),
        None => message.to_owned(),
    }
}

type Result<T> = std::result::Result<T, ClientError>;

/// A running host.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

impl Client {
    /// Reaches the host at `base` with its admin token.
    pub(crate) fn new(base: Url, token: SecretString) -> Result<Self> {
        let options = Options { timeout: PATIENCE, ..Options::default() };
        Ok(Self { http: client(&options).map_err(ClientError::Setup)?, base, token })
    }

    /// An address of the host, for others to send to.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    pub(crate) async fn health(&self) -> Result<Health> {
        self.get(&["health"]).await
    }

    pub(crate) async fn vault(&self) -> Result<VaultStatus> {
        self.get(&["vault"]).await
    }

    pub(crate) async fn rotate_keys(&self, keys: RotateKeys) -> Result<VaultStatus> {
        self.json(self.request(Method::POST, &["vault", "rotate"]).json(&RotateRequest { keys })).await
    }

    pub(crate) async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.get(&["workspaces"]).await
    }

    pub(crate) async fn workspace(&self, id: &str) -> Result<Workspace> {
        self.get(&["workspaces", id]).await
    }

    pub(crate) async fn create_workspace(&self, new: &NewWorkspace) -> Result<Workspace> {
        self.json(self.request(Method::POST, &["workspaces"]).json(new)).await
    }

    pub(crate) async fn set_workspace_token(&self, id: &str, new: &WorkspaceToken) -> Result<Workspace> {
        self.json(self.request(Method::PUT, &["workspaces", id, "token"]).json(new)).await
    }

    /// For a workspace's location, or for an agency.
    pub(crate) async fn consent(&self, workspace: Option<&str>, new: &NewConsent) -> Result<Consent> {
        let request = match workspace {
            Some(workspace) => self.request(Method::POST, &["workspaces", workspace, "consents"]),
            None => self.request(Method::POST, &["oauth", "consents"]),
        };
        self.json(request.json(new)).await
    }

    pub(crate) async fn grants_of(&self, workspace: &str) -> Result<Vec<HighLevelGrant>> {
        self.get(&["workspaces", workspace, "grants"]).await
    }

    pub(crate) async fn renew_grants_of(&self, workspace: &str) -> Result<Vec<HighLevelGrant>> {
        self.json(self.request(Method::POST, &["workspaces", workspace, "grants", "renew"])).await
    }

    pub(crate) async fn grants(&self) -> Result<Vec<HighLevelGrant>> {
        self.get(&["oauth", "grants"]).await
    }

    pub(crate) async fn renew_grant(&self, which: &RenewGrant) -> Result<HighLevelGrant> {
        self.json(self.request(Method::POST, &["oauth", "grants", "renew"]).json(which)).await
    }

    pub(crate) async fn installations(&self) -> Result<Vec<Installation>> {
        self.get(&["oauth", "installations"]).await
    }

    pub(crate) async fn connectors(&self) -> Result<Vec<Connector>> {
        self.get(&["connectors"]).await
    }

    pub(crate) async fn install_connector(&self, component: Vec<u8>) -> Result<Connector> {
        let request = self.request(Method::POST, &["connectors"]);
        self.json(request.header("content-type", "application/wasm").body(component)).await
    }

    pub(crate) async fn connections(&self, workspace: &str) -> Result<Vec<Connection>> {
        self.get(&["workspaces", workspace, "connections"]).await
    }

    pub(crate) async fn connection(&self, workspace: &str, connector: &str) -> Result<Connection> {
        self.get(&["workspaces", workspace, "connections", connector]).await
    }

    pub(crate) async fn enable(
        &self,
        workspace: &str,
        connector: &str,
        how: &EnableConnection,
    ) -> Result<Connection> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "connections", connector]).json(how))
            .await
    }

    pub(crate) async fn disable(&self, workspace: &str, connector: &str) -> Result<Connection> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["disable"])).await
    }

    pub(crate) async fn check(&self, workspace: &str, connector: &str) -> Result<CheckReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["check"])).await
    }

    pub(crate) async fn renew_webhook_address(&self, workspace: &str, connector: &str) -> Result<Connection> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["webhook-address"])).await
    }

    pub(crate) async fn sync_progress(&self, workspace: &str, connector: &str) -> Result<SyncProgress> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["sync"])).await
    }

    pub(crate) async fn sync_estimate(&self, workspace: &str, connector: &str) -> Result<FirstSync> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["sync", "estimate"])).await
    }

    pub(crate) async fn start_sync(
        &self,
        workspace: &str,
        connector: &str,
        how: SyncRequest,
    ) -> Result<SyncProgress> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["sync"]).json(&how)).await
    }

    pub(crate) async fn preview(
        &self,
        workspace: &str,
        connector: &str,
        how: PreviewRequest,
    ) -> Result<PreviewReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["preview"]).json(&how)).await
    }

    pub(crate) async fn sync_record(
        &self,
        workspace: &str,
        connector: &str,
        record: &RecordRef,
    ) -> Result<()> {
        let request = self.of_connection(Method::POST, workspace, connector, &["records"]).json(record);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn catalogue(&self, workspace: Option<&str>) -> Result<Vec<CatalogueEntry>> {
        let query = CatalogueQuery { workspace: workspace.map(str::to_owned) };
        self.json(self.request(Method::GET, &["catalogue"]).query(&query)).await
    }

    pub(crate) async fn run_action(
        &self,
        workspace: &str,
        action: &str,
        request: &ActionRequest,
    ) -> Result<ActionReport> {
        let path = ["workspaces", workspace, "actions", action];
        self.json(self.request(Method::POST, &path).json(request)).await
    }

    pub(crate) async fn mapping(&self, workspace: &str, connector: &str) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["mapping"])).await
    }

    pub(crate) async fn set_mapping(
        &self,
        workspace: &str,
        connector: &str,
        row: &SetMappingRow,
    ) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::PUT, workspace, connector, &["mapping"]).json(row)).await
    }

    pub(crate) async fn set_mapping_policy(
        &self,
        workspace: &str,
        connector: &str,
        how: &SetMappingPolicy,
    ) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::PUT, workspace, connector, &["mapping", "policy"]).json(how))
            .await
    }

    pub(crate) async fn unset_mapping(
        &self,
        workspace: &str,
        connector: &str,
        row: &MappingRowQuery,
    ) -> Result<Vec<MappingRow>> {
        self.json(self.of_connection(Method::DELETE, workspace, connector, &["mapping"]).query(row)).await
    }

    pub(crate) async fn start_match(
        &self,
        workspace: &str,
        connector: &str,
        how: StartMatch,
    ) -> Result<MatchReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["match"]).json(&how)).await
    }

    pub(crate) async fn matches(
        &self,
        workspace: &str,
        connector: &str,
        query: &MatchQuery,
    ) -> Result<MatchReport> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["match"]).query(query)).await
    }

    pub(crate) async fn approve_match(
        &self,
        workspace: &str,
        connector: &str,
        what: &ApproveMatch,
    ) -> Result<MatchReport> {
        let request = self.of_connection(Method::POST, workspace, connector, &["match", "approve"]);
        self.json(request.json(what)).await
    }

    pub(crate) async fn test_mapping(
        &self,
        workspace: &str,
        connector: &str,
        trial: &MappingTrial,
    ) -> Result<TrialReport> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["mapping", "test"]).json(trial))
            .await
    }

    pub(crate) async fn preview_mapping(
        &self,
        workspace: &str,
        connector: &str,
        draft: &MappingDraft,
    ) -> Result<DraftReport> {
        let request = self.of_connection(Method::POST, workspace, connector, &["mapping", "preview"]);
        self.json(request.json(draft)).await
    }

    pub(crate) async fn poll_tasks(&self, workspace: &str) -> Result<()> {
        self.send(self.request(Method::POST, &["workspaces", workspace, "tasks", "poll"])).await.map(drop)
    }

    pub(crate) async fn poll(&self, workspace: &str, connector: &str) -> Result<()> {
        self.send(self.of_connection(Method::POST, workspace, connector, &["poll"])).await.map(drop)
    }

    pub(crate) async fn sample(
        &self,
        workspace: &str,
        connector: &str,
        trigger: &str,
    ) -> Result<SampleAnswer> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["samples", trigger])).await
    }

    pub(crate) async fn runs(&self, query: &RunQuery) -> Result<Vec<Run>> {
        self.json(self.request(Method::GET, &["runs"]).query(query)).await
    }

    pub(crate) async fn run(&self, id: &str) -> Result<Run> {
        self.get(&["runs", id]).await
    }

    pub(crate) async fn recording(&self, run: &str) -> Result<RecordingSummary> {
        self.get(&["runs", run, "recording"]).await
    }

    /// An empty component stands for the one that ran.
    pub(crate) async fn replay(&self, run: &str, component: Vec<u8>) -> Result<ReplayReport> {
        let request = self.request(Method::POST, &["runs", run, "replay"]);
        self.json(request.header("content-type", "application/wasm").body(component)).await
    }

    pub(crate) async fn set_workspace(
        &self,
        workspace: &str,
        settings: &WorkspaceSettings,
    ) -> Result<Workspace> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "settings"]).json(settings)).await
    }

    pub(crate) async fn timeline(
        &self,
        workspace: &str,
        contact: &str,
        query: &TimelineQuery,
    ) -> Result<Timeline> {
        let path = ["workspaces", workspace, "contacts", contact, "timeline"];
        self.json(self.request(Method::GET, &path).query(query)).await
    }

    pub(crate) async fn why(
        &self,
        workspace: &str,
        contact: &str,
        field: &str,
        query: &StoryQuery,
    ) -> Result<FieldStory> {
        let path = ["workspaces", workspace, "contacts", contact, "fields", field];
        self.json(self.request(Method::GET, &path).query(query)).await
    }

    pub(crate) async fn alerts(&self, workspace: &str) -> Result<Alerts> {
        self.get(&["workspaces", workspace, "alerts"]).await
    }

    pub(crate) async fn set_alert_rules(&self, workspace: &str, rules: &AlertRules) -> Result<AlertRules> {
        let request = self.request(Method::PUT, &["workspaces", workspace, "alerts", "rules"]);
        self.json(request.json(rules)).await
    }

    pub(crate) async fn erase(&self, workspace: &str, request: &EraseRequest) -> Result<Erasure> {
        self.json(self.request(Method::POST, &["workspaces", workspace, "erase"]).json(request)).await
    }

    pub(crate) async fn quota(&self, workspace: &str) -> Result<Quota> {
        self.get(&["workspaces", workspace, "quota"]).await
    }

    pub(crate) async fn upgrade_plan(
        &self,
        workspace: &str,
        connector: &str,
        query: &UpgradeQuery,
    ) -> Result<UpgradePlan> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["upgrade"]).query(query)).await
    }

    pub(crate) async fn upgrade(
        &self,
        workspace: &str,
        connector: &str,
        upgrade: &Upgrade,
    ) -> Result<Rollout> {
        self.json(self.of_connection(Method::PUT, workspace, connector, &["upgrade"]).json(upgrade)).await
    }

    pub(crate) async fn rollouts(&self, workspace: &str, connector: &str) -> Result<Vec<Rollout>> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["rollouts"])).await
    }

    pub(crate) async fn rollout(&self, workspace: &str, connector: &str) -> Result<Rollout> {
        self.json(self.of_connection(Method::GET, workspace, connector, &["rollout"])).await
    }

    pub(crate) async fn adopt(&self, workspace: &str, connector: &str) -> Result<Rollout> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["adopt"])).await
    }

    pub(crate) async fn rollback(&self, workspace: &str, connector: &str) -> Result<Rollout> {
        self.json(self.of_connection(Method::POST, workspace, connector, &["rollback"])).await
    }

    pub(crate) async fn set_policy(&self, workspace: &str, policy: &WorkspacePolicy) -> Result<Workspace> {
        self.json(self.request(Method::PUT, &["policies", workspace]).json(policy)).await
    }

    pub(crate) async fn guards(&self, workspace: &str) -> Result<Vec<GuardReport>> {
        self.get(&["workspaces", workspace, "guard"]).await
    }

    pub(crate) async fn guard(&self, workspace: &str, connector: &str) -> Result<GuardReport> {
        self.get(&["workspaces", workspace, "connections", connector, "guard"]).await
    }

    pub(crate) async fn allow(
        &self,
        workspace: &str,
        connector: &str,
        request: &AllowRequest,
    ) -> Result<GuardReport> {
        let path = ["workspaces", workspace, "connections", connector, "guard", "allow"];
        self.json(self.request(Method::POST, &path).json(request)).await
    }

    pub(crate) async fn parked(&self, workspace: &str) -> Result<Vec<Parked>> {
        self.get(&["workspaces", workspace, "parked"]).await
    }

    pub(crate) async fn parked_groups(&self, workspace: &str) -> Result<Vec<ParkedGroup>> {
        self.get(&["workspaces", workspace, "parked", "groups"]).await
    }

    pub(crate) async fn parked_group(
        &self,
        workspace: &str,
        group: &str,
        limit: Option<u32>,
    ) -> Result<ParkedGroupDetail> {
        let request = self.request(Method::GET, &["workspaces", workspace, "parked", "groups", group]);
        self.json(request.query(&LimitQuery { limit })).await
    }

    /// `action` is `retry` or `discard`.
    pub(crate) async fn release_parked_group(
        &self,
        workspace: &str,
        group: &str,
        action: &str,
    ) -> Result<ReleaseAnswer> {
        let path = ["workspaces", workspace, "parked", "groups", group, action];
        self.json(self.request(Method::POST, &path)).await
    }

    /// `action` is `retry` or `discard`.
    pub(crate) async fn release_all_parked(
        &self,
        workspace: &str,
        connector: &str,
        action: &str,
        query: RetryAllQuery,
    ) -> Result<ReleaseAnswer> {
        let action = format!("{action}-all");
        let request = self.of_connection(Method::POST, workspace, connector, &["parked", &action]);
        // Only asked for where it is meant: letting go knows no such choice.
        let request = if query.also_may_have_happened { request.query(&query) } else { request };
        self.json(request).await
    }

    /// `action` is `retry` or `discard`.
    pub(crate) async fn release_parked(
        &self,
        workspace: &str,
        connector: &str,
        record: &RecordRef,
        action: &str,
    ) -> Result<RetryAnswer> {
        let request = self.of_connection(Method::POST, workspace, connector, &["parked", action]);
        self.json(request.json(record)).await
    }

    pub(crate) async fn conflicts(&self, workspace: &str, query: &ConflictQuery) -> Result<Vec<Conflict>> {
        let request = self.request(Method::GET, &["workspaces", workspace, "conflicts"]);
        self.json(request.query(query)).await
    }

    pub(crate) async fn conflict(&self, workspace: &str, id: i64) -> Result<ConflictReport> {
        self.get(&["workspaces", workspace, "conflicts", &id.to_string()]).await
    }

    pub(crate) async fn resolve_conflict(
        &self,
        workspace: &str,
        id: i64,
        how: &ResolveConflict,
    ) -> Result<ResolveAnswer> {
        let path = ["workspaces", workspace, "conflicts", &id.to_string(), "resolve"];
        self.json(self.request(Method::POST, &path).json(how)).await
    }

    pub(crate) async fn deletions(&self, workspace: &str, query: &DeletionQuery) -> Result<Vec<Deletion>> {
        let request = self.request(Method::GET, &["workspaces", workspace, "deletes"]);
        self.json(request.query(query)).await
    }

    pub(crate) async fn deletion(&self, workspace: &str, id: i64) -> Result<Deletion> {
        self.get(&["workspaces", workspace, "deletes", &id.to_string()]).await
    }

    pub(crate) async fn decide_deletion(
        &self,
        workspace: &str,
        id: i64,
        decision: &str,
        how: &DecideDeletion,
    ) -> Result<Deletion> {
        let path = ["workspaces", workspace, "deletes", &id.to_string(), decision];
        self.json(self.request(Method::POST, &path).json(how)).await
    }

    pub(crate) async fn decide_deletions(
        &self,
        workspace: &str,
        decision: &str,
        how: &DecideDeletions,
    ) -> Result<Vec<Deletion>> {
        self.json(self.request(Method::POST, &["workspaces", workspace, "deletes", decision]).json(how)).await
    }

    pub(crate) async fn delete_policies(
        &self,
        workspace: &str,
        connector: &str,
        entity: &str,
    ) -> Result<DeletePolicies> {
        let query = DeletePolicyQuery { entity: Some(entity.to_owned()) };
        let request = self.of_connection(Method::GET, workspace, connector, &["deletes", "policy"]);
        self.json(request.query(&query)).await
    }

    pub(crate) async fn set_delete_policies(
        &self,
        workspace: &str,
        connector: &str,
        change: &SetDeletePolicies,
    ) -> Result<DeletePolicies> {
        let request = self.of_connection(Method::PUT, workspace, connector, &["deletes", "policy"]);
        self.json(request.json(change)).await
    }

    pub(crate) async fn preview_deletion(
        &self,
        workspace: &str,
        connector: &str,
        which: &PreviewDeletion,
    ) -> Result<DeletionPreview> {
        let request = self.of_connection(Method::POST, workspace, connector, &["deletes", "preview"]);
        self.json(request.json(which)).await
    }

    pub(crate) async fn events(&self, workspace: &str, query: &EventQuery) -> Result<Vec<Event>> {
        let request = self.request(Method::GET, &["workspaces", workspace, "events"]);
        self.json(request.query(query)).await
    }

    pub(crate) async fn event(&self, workspace: &str, event: i64) -> Result<EventDetail> {
        self.get(&["workspaces", workspace, "events", &event.to_string()]).await
    }

    pub(crate) async fn destinations(&self, workspace: &str) -> Result<Vec<Destination>> {
        self.get(&["workspaces", workspace, "destinations"]).await
    }

    pub(crate) async fn put_destination(
        &self,
        workspace: &str,
        name: &str,
        how: &PutDestination,
    ) -> Result<Destination> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "destinations", name]).json(how)).await
    }

    pub(crate) async fn remove_destination(&self, workspace: &str, name: &str) -> Result<()> {
        let request = self.request(Method::DELETE, &["workspaces", workspace, "destinations", name]);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn test_destination(&self, workspace: &str, name: &str) -> Result<()> {
        let request = self.request(Method::POST, &["workspaces", workspace, "destinations", name, "test"]);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn whoami(&self) -> Result<Whoami> {
        self.get(&["whoami"]).await
    }

    pub(crate) async fn users(&self) -> Result<Vec<User>> {
        self.get(&["users"]).await
    }

    pub(crate) async fn user(&self, id: &str) -> Result<User> {
        self.get(&["users", id]).await
    }

    pub(crate) async fn create_user(&self, new: &NewUser) -> Result<User> {
        self.json(self.request(Method::POST, &["users"]).json(new)).await
    }

    /// `switch` is `disable` or `enable`.
    pub(crate) async fn switch_user(&self, id: &str, switch: &str) -> Result<User> {
        self.json(self.request(Method::POST, &["users", id, switch])).await
    }

    pub(crate) async fn unbind_user(&self, id: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, &["users", id, "identity"])).await.map(drop)
    }

    pub(crate) async fn make_platform_admin(&self, id: &str) -> Result<User> {
        self.json(self.request(Method::PUT, &["users", id, "platform-admin"])).await
    }

    pub(crate) async fn unmake_platform_admin(&self, id: &str) -> Result<User> {
        self.json(self.request(Method::DELETE, &["users", id, "platform-admin"])).await
    }

    pub(crate) async fn members(&self, workspace: &str) -> Result<Vec<Member>> {
        self.get(&["workspaces", workspace, "members"]).await
    }

    pub(crate) async fn put_member(&self, workspace: &str, user: &str, how: PutMember) -> Result<Member> {
        self.json(self.request(Method::PUT, &["workspaces", workspace, "members", user]).json(&how)).await
    }

    pub(crate) async fn remove_member(&self, workspace: &str, user: &str) -> Result<()> {
        let request = self.request(Method::DELETE, &["workspaces", workspace, "members", user]);
        self.send(request).await.map(drop)
    }

    pub(crate) async fn tokens(&self, query: &TokenQuery) -> Result<Vec<Token>> {
        self.json(self.request(Method::GET, &["tokens"]).query(query)).await
    }

    pub(crate) async fn create_token(&self, new: &NewToken) -> Result<IssuedToken> {
        self.json(self.request(Method::POST, &["tokens"]).json(new)).await
    }

    pub(crate) async fn revoke_token(&self, id: &str) -> Result<RevokeAnswer> {
        self.json(self.request(Method::DELETE, &["tokens", id])).await
    }

    pub(crate) async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>> {
        self.json(self.request(Method::GET, &["audit"]).query(query)).await
    }

    pub(crate) async fn verify_audit(&self, head: Option<String>) -> Result<AuditReport> {
        self.json(self.request(Method::GET, &["audit", "verify"]).query(&AuditVerifyQuery { head })).await
    }

    // ------------------------------------------------------------------------------------------------------ plumbing

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T> {
        self.json(self.request(Method::GET, path)).await
    }

    fn of_connection(
        &self,
        method: Method,
        workspace: &str,
        connector: &str,
        rest: &[&str],
    ) -> RequestBuilder {
        let path = [&["workspaces", workspace, "connections", connector], rest].concat();
        self.request(method, &path)
    }

    /// Segments are encoded one by one: an id with a slash stays one segment.
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        self.http.request(method, url).bearer_auth(self.token.expose_secret())
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        let url = response.url().clone();
        response
            .json()
            .await
            .map_err(|error| ClientError::Unexpected { url, what: Unanswered::of(&error).problem })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| ClientError::Unreachable {
            url: self.base.clone(),
            reason: Unanswered::of(&error).problem,
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, url) = (response.status(), response.url().clone());
        let text = response.text().await.unwrap_or_default();
        Err(refusal(status, url, &text))
    }
}

/// What an answer that is no success means.
fn refusal(status: StatusCode, url: Url, text: &str) -> ClientError {
    let Ok(ErrorBody { error }) = serde_json::from_str(text) else {
        return ClientError::Unexpected { url, what: format!("{status} without an explanation") };
    };
    match error.code.as_str() {
        "not-found" => ClientError::NotFound { message: error.message, hint: error.hint },
        "no-such-path" => ClientError::Unexpected { url, what: format!("{status}: {}", error.message) },
        _ => ClientError::Refused { message: error.message, hint: error.hint },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_at(base: &str) -> Client {
        Client::new(base.parse().unwrap(), SecretString::from("fake-admin-token")).unwrap()
    }

    #[test]
    fn ids_are_encoded_segment_by_segment() {
        let request =
            client_at("http://127.0.0.1:1/below/").of_connection(Method::GET, "a/b", "c?", &["sync"]);
        let url = request.build().unwrap().url().clone();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/below/api/v1/workspaces/a%2Fb/connections/c%3F/sync");
    }

    #[tokio::test]
    async fn a_host_that_is_not_there_is_reported_with_the_command_that_starts_it() {
        // Bound and dropped: nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = client_at(&base).health().await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }));
        assert!(error.to_string().contains("contactor serve"), "{error}");
    }

    #[test]
    fn the_hosts_words_reach_the_operator() {
        let url: Url = "http://127.0.0.1/api/v1/workspaces/x".parse().unwrap();
        let text = r#"{"error":{"code":"not-found","message":"no workspace `x`","hint":"list them"}}"#;
        let error = refusal(StatusCode::NOT_FOUND, url.clone(), text);
        assert!(matches!(error, ClientError::NotFound { .. }));
        assert_eq!(error.to_string(), "no workspace `x`\nlist them");
        let stranger = refusal(StatusCode::NOT_FOUND, url, "<html>");
        assert!(matches!(stranger, ClientError::Unexpected { .. }));
    }
}

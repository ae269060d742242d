//! The trait, each method one closure for the writer or one snapshot for a reader.

#![allow(clippy::wildcard_imports, reason = "the trait speaks of nearly every type of the model")]

use std::time::Duration;

use async_trait::async_trait;
use contactor_sync::DeletePolicies;
use jiff::Timestamp;

use super::claim::{self, Demand};
use super::complete::{self, Reading};
use super::counts::Scope;
use super::{
    Result, SqliteStore, alerts, audit, changes, configuration, conflicts, counts, data_keys, deletions,
    dirty, erase, events, expire, ingest, journal, kv, leases, links, logins, matching, messages, oauth,
    parked, people, recordings, rests, rollouts, runs, sealed, seen, usage, writes,
};
use crate::automation::*;
use crate::model::*;
use crate::store::Store;
use crate::torture;
use crate::vault::{KeyId, Sealed, WrappedKey};

#[async_trait]
impl Store for SqliteStore {
    async fn create_workspace(&self, workspace: Workspace) -> Result<()> {
        self.write(move |db| configuration::create_workspace(db, &workspace)).await
    }

    async fn update_workspace(&self, workspace: Workspace) -> Result<()> {
        self.write(move |db| configuration::update_workspace(db, &workspace)).await
    }

    async fn workspace(&self, id: &WorkspaceId) -> Result<Option<Workspace>> {
        let id = id.clone();
        self.read(move |db| configuration::workspace(db, &id)).await
    }

    async fn workspace_of(&self, location: &LocationId) -> Result<Option<Workspace>> {
        let location = location.clone();
        self.read(move |db| configuration::workspace_of(db, &location)).await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(configuration::workspaces).await
    }

    async fn install_connector(&self, connector: InstalledConnector) -> Result<()> {
        self.write(move |db| configuration::install_connector(db, &connector)).await
    }

    async fn connectors(&self) -> Result<Vec<InstalledConnector>> {
        self.read(configuration::connectors).await
    }

    async fn put_connection(&self, connection: Connection) -> Result<()> {
        let now = self.now();
        self.write(move |db| configuration::put_connection(db, &connection, now)).await
    }

    async fn set_mapping(&self, id: &ConnectionId, mapping: serde_json::Value) -> Result<()> {
        let id = id.clone();
        self.write(move |db| configuration::set_mapping(db, &id, &mapping)).await
    }

    async fn set_policy(&self, workspace: &WorkspaceId, policy: Policy) -> Result<()> {
        let workspace = workspace.clone();
        self.write(move |db| configuration::set_policy(db, &workspace, &policy)).await
    }

    async fn begin_rollout(&self, new: NewRollout) -> Result<Rollout> {
        let now = self.now();
        self.write(move |db| rollouts::begin(db, &new, now)).await
    }

    async fn set_rollout(&self, id: u64, mode: RolloutMode, share: u8) -> Result<bool> {
        let now = self.now();
        self.write(move |db| rollouts::set(db, id, mode, share, now)).await
    }

    async fn count_rollout(&self, id: u64, news: RolloutNews) -> Result<()> {
        self.write(move |db| rollouts::count(db, id, &news)).await
    }

    async fn end_rollout(&self, id: u64, end: RolloutEnd, reason: String) -> Result<bool> {
        let now = self.now();
        self.write(move |db| rollouts::end(db, id, end, &reason, now)).await
    }

    async fn roll_back(&self, connection: &ConnectionId, reason: String) -> Result<Option<Rollout>> {
        let (connection, now) = (connection.clone(), self.now());
        self.write(move |db| rollouts::roll_back(db, &connection, &reason, now)).await
    }

    async fn rollouts(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Rollout>> {
        let connection = connection.clone();
        self.read(move |db| rollouts::list(db, &connection, limit)).await
    }

    async fn running_rollout(&self, connection: &ConnectionId) -> Result<Option<Rollout>> {
        let connection = connection.clone();
        self.read(move |db| rollouts::running(db, &connection)).await
    }

    async fn rollout_differences(&self, id: u64) -> Result<Vec<ShadowDifference>> {
        self.read(move |db| rollouts::differences(db, id)).await
    }

    async fn set_connection_state(
        &self,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<String>,
    ) -> Result<()> {
        let id = id.clone();
        self.write(move |db| configuration::set_connection_state(db, &id, state, reason.as_deref())).await
    }

    async fn exchange_connection_state(
        &self,
        id: &ConnectionId,
        from: ConnectionState,
        to: ConnectionState,
        reason: Option<String>,
        cause: Option<StopCause>,
    ) -> Result<bool> {
        let (id, states) = (id.clone(), (from, to));
        self.write(move |db| {
            configuration::exchange_connection_state(db, &id, states, reason.as_deref(), cause)
        })
        .await
    }

    async fn stop_mass_change(&self, id: &ConnectionId, reason: String) -> Result<bool> {
        let id = id.clone();
        self.write(move |db| configuration::stop_mass_change(db, &id, &reason)).await
    }

    async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>> {
        let id = id.clone();
        self.read(move |db| configuration::connection(db, &id)).await
    }

    async fn connection_by_webhook(&self, hash: SecretHash) -> Result<Option<Connection>> {
        self.read(move |db| configuration::connection_by_webhook(db, hash)).await
    }

    async fn put_webhook_address(&self, id: &ConnectionId, hash: SecretHash, sealed: Sealed) -> Result<()> {
        let id = id.clone();
        self.write(move |db| configuration::put_webhook_address(db, &id, hash, &sealed)).await
    }

    async fn unsealed_webhooks(&self) -> Result<Vec<UnsealedWebhook>> {
        self.read(configuration::unsealed_webhooks).await
    }

    async fn connections(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Connection>> {
        let workspace = workspace.cloned();
        self.read(move |db| configuration::connections(db, workspace.as_ref())).await
    }

    async fn create_user(&self, user: User) -> Result<()> {
        self.write(move |db| people::create_user(db, &user)).await
    }

    async fn update_user(&self, id: &UserId, change: UserChange) -> Result<()> {
        let id = id.clone();
        self.write(move |db| people::update_user(db, &id, change)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        let id = id.clone();
        self.read(move |db| people::user(db, &id)).await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.read(people::users).await
    }

    async fn put_member(&self, member: Member) -> Result<()> {
        self.write(move |db| people::put_member(db, &member)).await
    }

    async fn remove_member(&self, workspace: &WorkspaceId, user: &UserId) -> Result<bool> {
        let (workspace, user) = (workspace.clone(), user.clone());
        self.write(move |db| people::remove_member(db, &workspace, &user)).await
    }

    async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<(User, Role)>> {
        let workspace = workspace.clone();
        self.read(move |db| people::members(db, &workspace)).await
    }

    async fn members_of(&self, user: &UserId) -> Result<Vec<Member>> {
        let user = user.clone();
        self.read(move |db| people::members_of(db, &user)).await
    }

    async fn create_token(&self, token: Token) -> Result<()> {
        self.write(move |db| people::create_token(db, &token)).await
    }

    async fn token(&self, id: &TokenId) -> Result<Option<Token>> {
        let id = id.clone();
        self.read(move |db| people::token(db, &id)).await
    }

    async fn tokens(&self, user: Option<&UserId>) -> Result<Vec<Token>> {
        let user = user.cloned();
        self.read(move |db| people::tokens(db, user.as_ref())).await
    }

    async fn revoke_token(&self, id: &TokenId) -> Result<u64> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| people::revoke_token(db, &id, now)).await
    }

    async fn touch_token(&self, id: &TokenId) -> Result<()> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| people::touch_token(db, &id, now)).await
    }

    async fn bearer(&self, id: &TokenId) -> Result<Option<Bearer>> {
        let id = id.clone();
        self.read(move |db| people::bearer(db, &id)).await
    }

    async fn identified(&self, identity: &Identity) -> Result<Option<UserId>> {
        let identity = identity.clone();
        self.read(move |db| logins::identified(db, &identity)).await
    }

    async fn bind_identity(&self, identity: &Identity, user: &UserId) -> Result<()> {
        let (identity, user, now) = (identity.clone(), user.clone(), self.now());
        self.write(move |db| logins::bind_identity(db, &identity, &user, now)).await
    }

    async fn unbind_identities(&self, user: &UserId) -> Result<bool> {
        let user = user.clone();
        self.write(move |db| logins::unbind_identities(db, &user)).await
    }

    async fn begin_session(&self, session: Session, most: u32) -> Result<()> {
        self.write(move |db| logins::begin_session(db, &session, most)).await
    }

    async fn logged_in(&self, id: &SessionId) -> Result<Option<LoggedIn>> {
        let id = id.clone();
        self.read(move |db| logins::logged_in(db, &id)).await
    }

    async fn touch_session(&self, id: &SessionId) -> Result<()> {
        let (id, now) = (id.clone(), self.now());
        self.write(move |db| logins::touch_session(db, &id, now)).await
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool> {
        let id = id.clone();
        self.write(move |db| logins::end_session(db, &id)).await
    }

    async fn append_audit(&self, entry: NewAudit) -> Result<i64> {
        let now = self.now();
        self.write(move |db| audit::append(db, &entry, now)).await
    }

    async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditedChange>> {
        self.read(move |db| audit::list(db, &filter)).await
    }

    async fn verify_audit(&self, noted: Option<AuditHash>) -> Result<AuditVerdict> {
        self.read(move |db| audit::verify(db, noted)).await
    }

    async fn put_credential(&self, name: &str, sealed: Sealed) -> Result<()> {
        let name = name.to_owned();
        self.write(move |db| configuration::put_credential(db, &name, &sealed)).await
    }

    async fn credential(&self, name: &str) -> Result<Option<Sealed>> {
        let name = name.to_owned();
        self.read(move |db| configuration::credential(db, &name)).await
    }

    async fn put_grant(&self, consented: Consented) -> Result<OAuthGrant> {
        self.write(move |db| oauth::consented(db, &consented)).await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<OAuthGrant>> {
        let id = id.clone();
        self.read(move |db| oauth::grant(db, &id)).await
    }

    async fn grants(&self) -> Result<Vec<OAuthGrant>> {
        self.read(oauth::grants).await
    }

    async fn due_grants(&self, now: Timestamp, limit: u32) -> Result<Vec<OAuthGrant>> {
        self.read(move |db| oauth::due(db, now, limit)).await
    }

    async fn lease_grant(&self, request: LeaseRequest) -> Result<Leased> {
        self.write(move |db| oauth::lease(db, &request)).await
    }

    async fn renew_grant(&self, id: &GrantId, generation: u64, fence: u64, pair: NewPair) -> Result<bool> {
        let id = id.clone();
        self.write(move |db| oauth::renew(db, &id, generation, fence, &pair)).await
    }

    async fn not_renewed(&self, ended: NotRenewed) -> Result<bool> {
        self.write(move |db| oauth::not_renewed(db, &ended)).await
    }

    async fn try_grant(&self, id: &GrantId, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.write(move |db| oauth::try_now(db, &id, now)).await
    }

    async fn begin_consent(&self, flow: ConsentFlow) -> Result<()> {
        let now = self.now();
        self.write(move |db| oauth::begin_consent(db, &flow, now)).await
    }

    async fn end_consent(&self, state: &str, now: Timestamp) -> Result<Option<ConsentFlow>> {
        let state = state.to_owned();
        self.write(move |db| oauth::end_consent(db, &state, now)).await
    }

    async fn put_installations(&self, told: Vec<Installation>) -> Result<Vec<LocationId>> {
        self.write(move |db| oauth::put_installations(db, &told)).await
    }

    async fn installations(&self) -> Result<Vec<Installation>> {
        self.read(oauth::installations).await
    }

    async fn data_keys(&self) -> Result<DataKeys> {
        self.read(data_keys::all).await
    }

    async fn data_key(&self, id: &KeyId) -> Result<Option<StoredDataKey>> {
        let id = id.clone();
        self.read(move |db| data_keys::find(db, &id)).await
    }

    async fn data_key_of(&self, workspace: &WorkspaceId) -> Result<Option<StoredDataKey>> {
        let workspace = workspace.clone();
        self.read(move |db| data_keys::in_use(db, &workspace)).await
    }

    async fn add_data_key(&self, key: WrappedKey) -> Result<StoredDataKey> {
        let now = self.now();
        self.write(move |db| data_keys::add(db, &key, now)).await
    }

    async fn replace_data_key(&self, retired: &KeyId, key: WrappedKey) -> Result<StoredDataKey> {
        let (retired, now) = (retired.clone(), self.now());
        self.write(move |db| data_keys::replace(db, &retired, &key, now)).await
    }

    async fn rewrap_data_keys(&self, keys: Vec<Rewrapped>) -> Result<u64> {
        self.write(move |db| data_keys::rewrap(db, &keys)).await
    }

    async fn begin_key_generation(&self) -> Result<u64> {
        self.write(data_keys::begin_key_generation).await
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        self.read(sealed::uses).await
    }

    async fn sealed_with(
        &self,
        key: &KeyId,
        kind: SealedKind,
        after: Option<SealedAt>,
        limit: u32,
    ) -> Result<Vec<SealedRow>> {
        let key = key.clone();
        self.read(move |db| sealed::page(db, kind, &key, after.as_ref(), limit)).await
    }

    async fn reseal(&self, rows: Vec<Resealed>) -> Result<u64> {
        self.write(move |db| sealed::reseal(db, &rows)).await
    }

    async fn append_event(&self, event: NewEvent) -> Result<Accepted> {
        self.write(move |db| ingest::append(db, &event)).await
    }

    async fn mark_found(
        &self,
        connection: &ConnectionId,
        found: Found,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()> {
        let (connection, now) = (connection.clone(), self.now());
        self.write(move |db| ingest::mark(db, &connection, &found, priority, cursor.as_ref(), now)).await
    }

    async fn event(&self, seq: EventSeq) -> Result<Option<Event>> {
        self.read(move |db| events::event(db, seq)).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>> {
        self.read(move |db| events::list(db, &filter)).await
    }

    async fn acquire_lease(&self, owner: &str, ttl: Duration) -> Result<Lease> {
        let (owner, now) = (owner.to_owned(), self.now());
        self.write(move |db| leases::acquire(db, &owner, now, ttl)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.write(move |db| leases::release(db, &lease)).await
    }

    async fn claims(&self, lease: &Lease) -> Result<u64> {
        let token = lease.token;
        self.read(move |db| leases::claims(db, token)).await
    }

    async fn free_claims(&self, lease: &Lease) -> Result<u64> {
        let lease = lease.clone();
        self.write(move |db| leases::free_claims(db, &lease)).await
    }

    async fn claim_records(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedRecord>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        let demand = Demand { now, limit, per_workspace };
        self.write(move |db| claim::records(db, &lease, &turns, &demand)).await
    }

    async fn claim_events(&self, lease: &Lease, now: Timestamp, limit: u32) -> Result<Vec<ClaimedEvent>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        self.write(move |db| claim::events(db, &lease, &turns, now, limit)).await
    }

    async fn complete_record(&self, lease: &Lease, completion: Completion) -> Result<()> {
        let (lease, now) = (lease.clone(), self.now());
        self.write(move |db| complete::record(db, &lease, &completion, now)).await
    }

    async fn guarded(&self, connection: &ConnectionId, since: Timestamp) -> Result<Guarded> {
        let connection = connection.clone();
        self.read(move |db| changes::guarded(db, &connection, since)).await
    }

    async fn changed(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Changed>> {
        let connection = connection.clone();
        self.read(move |db| changes::latest(db, &connection, limit)).await
    }

    async fn was_changed(
        &self,
        connection: &ConnectionId,
        side: Side,
        record: &RecordId,
        since: Timestamp,
    ) -> Result<bool> {
        let (connection, record) = (connection.clone(), record.clone());
        self.read(move |db| changes::is_counted(db, &connection, side, &record, since)).await
    }

    async fn allow_changes(&self, connection: &ConnectionId, allowance: Allowance) -> Result<()> {
        let connection = connection.clone();
        self.write(move |db| changes::allow(db, &connection, allowance)).await
    }

    async fn note_conflicts(&self, lease: &Lease, noted: NotedConflicts) -> Result<()> {
        let lease = lease.clone();
        self.write(move |db| complete::note(db, &lease, &noted)).await
    }

    async fn complete_event(
        &self,
        lease: &Lease,
        event: EventSeq,
        found: Found,
        disposition: Disposition,
        run: Option<Run>,
    ) -> Result<()> {
        let (lease, now) = (lease.clone(), self.now());
        let reading = Reading { event, found, disposition, run };
        self.write(move |db| complete::event(db, &lease, &reading, now)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.read(claim::next_due).await
    }

    async fn put_rest(&self, rest: Rest) -> Result<()> {
        self.write(move |db| rests::put(db, &rest)).await
    }

    async fn end_rest(&self, connection: &ConnectionId, subject: Option<&str>) -> Result<bool> {
        let (connection, subject, now) = (connection.clone(), subject.map(str::to_owned), self.now());
        self.write(move |db| rests::end(db, &connection, subject.as_deref(), now)).await
    }

    async fn next_trial(&self, connection: &ConnectionId, subject: &str) -> Result<()> {
        let (connection, subject, now) = (connection.clone(), subject.to_owned(), self.now());
        self.write(move |db| rests::next_trial(db, &connection, &subject, now)).await
    }

    async fn rests(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Rest>> {
        let workspace = workspace.cloned();
        self.read(move |db| rests::list(db, workspace.as_ref())).await
    }

    async fn parked(&self, workspace: &WorkspaceId) -> Result<Vec<Parked>> {
        let workspace = workspace.clone();
        self.read(move |db| parked::list(db, &workspace)).await
    }

    async fn parked_groups(&self, workspace: &WorkspaceId) -> Result<Vec<ParkedGroup>> {
        let workspace = workspace.clone();
        self.read(move |db| parked::groups(db, &workspace)).await
    }

    async fn parked_of(&self, cause: &ParkedCause, limit: u32) -> Result<Vec<Parked>> {
        let cause = cause.clone();
        self.read(move |db| parked::of(db, &cause, limit)).await
    }

    async fn discard_parked(&self, key: &RecordKey) -> Result<bool> {
        let (key, now) = (key.clone(), self.now());
        self.write(move |db| parked::discard(db, &key, now)).await
    }

    async fn retry_parked(&self, key: &RecordKey, priority: Priority) -> Result<bool> {
        let (key, now) = (key.clone(), self.now());
        self.write(move |db| parked::retry(db, &key, priority, now)).await
    }

    async fn erase(&self, workspace: &WorkspaceId, person: Person, only_look: bool) -> Result<Erasure> {
        let (workspace, now) = (workspace.clone(), self.now());
        self.write(move |db| erase::person(db, &workspace, &person, only_look, now)).await
    }

    async fn put_alert_rules(&self, workspace: &WorkspaceId, rules: AlertRules) -> Result<()> {
        let workspace = workspace.clone();
        self.write(move |db| alerts::put_rules(db, &workspace, &rules)).await
    }

    async fn alerts(&self, workspace: &WorkspaceId) -> Result<AlertMemory> {
        let workspace = workspace.clone();
        self.read(move |db| alerts::memory(db, &workspace)).await
    }

    async fn put_alerts(&self, workspace: &WorkspaceId, round: AlertRound) -> Result<()> {
        let (workspace, now) = (workspace.clone(), self.now());
        self.write(move |db| alerts::put_round(db, &workspace, &round, now)).await
    }

    async fn add_usage(&self, usage: Vec<Usage>) -> Result<()> {
        self.write(move |db| usage::add(db, &usage)).await
    }

    async fn usage(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<Vec<Usage>> {
        let workspace = workspace.clone();
        self.read(move |db| usage::since(db, &workspace, since)).await
    }

    async fn put_budget(&self, budget: DailyBudget) -> Result<()> {
        self.write(move |db| usage::put_budget(db, &budget)).await
    }

    async fn budget(&self, workspace: &WorkspaceId) -> Result<Option<DailyBudget>> {
        let workspace = workspace.clone();
        self.read(move |db| usage::budget(db, &workspace)).await
    }

    async fn put_partner_windows(&self, windows: Vec<PartnerWindow>) -> Result<()> {
        self.write(move |db| usage::put_windows(db, &windows)).await
    }

    async fn partner_windows(&self, connection: &ConnectionId) -> Result<Vec<PartnerWindow>> {
        let connection = connection.clone();
        self.read(move |db| usage::windows(db, &connection)).await
    }

    async fn link(
        &self,
        connection: &ConnectionId,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>> {
        let (connection, entity, record) = (connection.clone(), entity.to_owned(), record.clone());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::find(db, owner.connection, &entity, side, &record)
        })
        .await
    }

    async fn links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Link>> {
        let (connection, entity, after) = (connection.clone(), entity.to_owned(), after.cloned());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::page(db, owner.connection, &entity, after.as_ref(), limit)
        })
        .await
    }

    async fn child_links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        parent: &RecordId,
    ) -> Result<Vec<Link>> {
        let (connection, entity, parent) = (connection.clone(), entity.to_owned(), parent.clone());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::of_parent(db, owner.connection, &entity, &parent)
        })
        .await
    }

    async fn occurring(
        &self,
        connection: &ConnectionId,
        entity: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<RecordId>> {
        let (connection, entity) = (connection.clone(), entity.to_owned());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            links::occurring(db, owner.connection, &entity, from, until)
        })
        .await
    }

    async fn put_run(&self, run: Run) -> Result<()> {
        self.write(move |db| match run.connection.workspace_of_highlevel() {
            Some(workspace) => runs::insert_of_highlevel(db, &workspace, &run),
            None => runs::insert(db, &configuration::owner(db, &run.connection)?, &run),
        })
        .await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>> {
        let id = id.clone();
        self.read(move |db| runs::run(db, &id)).await
    }

    async fn workspace_of_run(&self, id: &RunId) -> Result<Option<WorkspaceId>> {
        let id = id.clone();
        self.read(move |db| runs::workspace_of(db, &id)).await
    }

    async fn found_by_walk(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<u64> {
        let workspace = workspace.clone();
        self.read(move |db| runs::found_by_walk(db, &workspace, since)).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>> {
        self.read(move |db| runs::list(db, &filter)).await
    }

    async fn put_recording(&self, recording: NewRecording) -> Result<()> {
        self.write(move |db| {
            let owner = configuration::owner(db, &recording.connection)?;
            recordings::insert(db, owner.connection, &recording)
        })
        .await
    }

    async fn recording(&self, run: &RunId) -> Result<Option<NewRecording>> {
        let run = run.clone();
        self.read(move |db| recordings::find(db, &run)).await
    }

    async fn conflict(&self, id: i64) -> Result<Option<StoredConflict>> {
        self.read(move |db| conflicts::find(db, id)).await
    }

    async fn unsettled_conflicts(&self, key: &RecordKey) -> Result<Vec<StoredConflict>> {
        let key = key.clone();
        self.read(move |db| {
            let owner = configuration::owner(db, &key.connection)?;
            conflicts::unsettled(db, owner.connection, &key)
        })
        .await
    }

    async fn decide_conflict(
        &self,
        seen: &StoredConflict,
        resolution: Option<Resolution>,
    ) -> Result<StoredConflict> {
        let (seen, now) = (seen.clone(), self.now());
        self.write(move |db| conflicts::decide(db, &seen, resolution, now)).await
    }

    async fn deletion(&self, id: i64) -> Result<Option<Deletion>> {
        self.read(move |db| deletions::find(db, id)).await
    }

    async fn deletion_of(
        &self,
        connection: &ConnectionId,
        entity: &str,
        highlevel: &RecordId,
    ) -> Result<Option<Deletion>> {
        let (connection, entity, highlevel) = (connection.clone(), entity.to_owned(), highlevel.clone());
        self.read(move |db| deletions::of_pair(db, &connection, &entity, &highlevel)).await
    }

    async fn deletions(&self, filter: DeletionFilter) -> Result<Vec<Deletion>> {
        self.read(move |db| deletions::list(db, &filter)).await
    }

    async fn decide_deletion(
        &self,
        id: i64,
        from: &[DeletionState],
        to: DeletionState,
        by: &str,
        priority: Priority,
    ) -> Result<Deletion> {
        let (from, by, now) = (from.to_vec(), by.to_owned(), self.now());
        self.write(move |db| deletions::decide(db, id, &from, to, (&by, priority), now)).await
    }

    async fn begin_deletion(&self, seen: &Deletion, kept: Sealed) -> Result<Deletion> {
        let (seen, now) = (seen.clone(), self.now());
        self.write(move |db| deletions::begin(db, &seen, kept.clone(), now)).await
    }

    async fn put_delete_policies(
        &self,
        connection: &ConnectionId,
        entity: &str,
        policies: DeletePolicies,
    ) -> Result<()> {
        let (connection, entity) = (connection.clone(), entity.to_owned());
        self.write(move |db| deletions::put_policies(db, &connection, &entity, &policies)).await
    }

    async fn delete_policies(&self, connection: &ConnectionId, entity: &str) -> Result<DeletePolicies> {
        let (connection, entity) = (connection.clone(), entity.to_owned());
        self.read(move |db| deletions::policies(db, &connection, &entity)).await
    }

    async fn conflicts(&self, filter: ConflictFilter) -> Result<Vec<StoredConflict>> {
        self.read(move |db| conflicts::list(db, &filter)).await
    }

    async fn begin_review(
        &self,
        connection: &ConnectionId,
        walk: Option<Cursor>,
        basis: String,
    ) -> Result<Review> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::begin(db, (owner.connection, &id), walk.as_ref(), &basis, now)
        })
        .await
    }

    async fn renew_matches(&self, connection: &ConnectionId, limit: u32) -> Result<u64> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::renew(db, owner.connection, limit, now)
        })
        .await
    }

    async fn review(&self, connection: &ConnectionId) -> Result<Option<Review>> {
        let id = connection.clone();
        self.read(move |db| matching::review(db, &id)).await
    }

    async fn put_matches(
        &self,
        connection: &ConnectionId,
        walk: u32,
        page: Vec<FoundMatch>,
        cursor: Cursor,
    ) -> Result<()> {
        let id = connection.clone();
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::put_page(db, (owner.connection, &id), walk, &page, &cursor)
        })
        .await
    }

    async fn hold(
        &self,
        connection: &ConnectionId,
        basis: String,
        found: FoundMatch,
    ) -> Result<Option<Match>> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::hold(db, (owner.connection, &id), &basis, &found, now)
        })
        .await
    }

    async fn approve_matches(
        &self,
        connection: &ConnectionId,
        buckets: std::collections::BTreeSet<MatchBucket>,
    ) -> Result<Review> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::approve(db, (owner.connection, &id), &buckets, now)
        })
        .await
    }

    async fn release_matches(&self, connection: &ConnectionId, basis: String, limit: u32) -> Result<u64> {
        let (id, now) = (connection.clone(), self.now());
        self.write(move |db| {
            let owner = configuration::owner(db, &id)?;
            matching::release(db, (owner.connection, &id), &basis, limit, now)
        })
        .await
    }

    async fn match_counts(&self, connection: &ConnectionId) -> Result<Vec<MatchCount>> {
        let id = connection.clone();
        self.read(move |db| matching::counts(db, configuration::owner(db, &id)?.connection)).await
    }

    async fn matches(&self, filter: MatchFilter) -> Result<Vec<Match>> {
        self.read(move |db| {
            let owner = configuration::owner(db, &filter.connection)?;
            matching::list(db, owner.connection, &filter)
        })
        .await
    }

    async fn cursor(&self, connection: &ConnectionId, stream: &str) -> Result<Option<Cursor>> {
        let (connection, stream) = (connection.clone(), stream.to_owned());
        self.read(move |db| kv::cursor(db, &connection, &stream)).await
    }

    async fn put_cursor(&self, cursor: Cursor) -> Result<()> {
        self.write(move |db| {
            let owner = configuration::owner(db, &cursor.connection)?;
            kv::put_cursor(db, owner.connection, &cursor)
        })
        .await
    }

    async fn seen(&self, workspace: &WorkspaceId, stream: &str) -> Result<Vec<Seen>> {
        let (workspace, stream) = (workspace.clone(), stream.to_owned());
        self.read(move |db| seen::all(db, configuration::workspace_pk(db, &workspace)?, &stream)).await
    }

    async fn seen_of(
        &self,
        workspace: &WorkspaceId,
        stream: &str,
        record: &RecordId,
    ) -> Result<Option<Seen>> {
        let (workspace, stream, record) = (workspace.clone(), stream.to_owned(), record.clone());
        self.read(move |db| seen::one(db, configuration::workspace_pk(db, &workspace)?, &stream, &record))
            .await
    }

    async fn put_seen(&self, workspace: &WorkspaceId, stream: &str, page: SeenPage) -> Result<u64> {
        let (workspace, stream, now) = (workspace.clone(), stream.to_owned(), self.now());
        self.write(move |db| {
            let workspace = configuration::workspace_pk(db, &workspace)?;
            seen::put(db, workspace, &stream, &page.seen, &page.gone)?;
            for (connection, mark) in &page.marks {
                let found = Found { marks: vec![mark.clone()], ..Found::default() };
                ingest::mark(db, connection, &found, Priority::Sweep, None, now)?;
            }
            ingest::deliver(db, &page.deliveries, Some(workspace), None, now)
        })
        .await
    }

    async fn state_get(&self, connection: &ConnectionId, key: &str) -> Result<Option<(Vec<u8>, u64)>> {
        let (connection, key) = (connection.clone(), key.to_owned());
        self.read(move |db| kv::get(db, &connection, &key)).await
    }

    async fn state_set(
        &self,
        connection: &ConnectionId,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<u64> {
        let (connection, key) = (connection.clone(), key.to_owned());
        self.write(move |db| {
            let owner = configuration::owner(db, &connection)?;
            kv::set(db, owner.connection, &key, expected, &value)
        })
        .await
    }

    async fn state_delete(&self, connection: &ConnectionId, key: &str) -> Result<()> {
        let (connection, key) = (connection.clone(), key.to_owned());
        self.write(move |db| {
            let owner = configuration::owner(db, &connection)?;
            kv::delete(db, owner.connection, &key)
        })
        .await
    }

    async fn state_keys(&self, connection: &ConnectionId, prefix: &str) -> Result<Vec<String>> {
        let (connection, prefix) = (connection.clone(), prefix.to_owned());
        self.read(move |db| kv::keys(db, &connection, &prefix)).await
    }

    async fn deliver(&self, deliveries: Vec<NewDelivery>) -> Result<u64> {
        let now = self.now();
        self.write(move |db| ingest::deliver(db, &deliveries, None, None, now)).await
    }

    async fn claim_deliveries(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedDelivery>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        let demand = Demand { now, limit, per_workspace };
        self.write(move |db| claim::deliveries(db, &lease, &turns, &demand)).await
    }

    async fn complete_delivery(&self, lease: &Lease, completion: DeliveryCompletion) -> Result<()> {
        let (lease, now) = (lease.clone(), self.now());
        self.write(move |db| complete::delivery(db, &lease, &completion, now)).await
    }

    async fn journal_intent(&self, slot: JournalSlot) -> Result<()> {
        if torture::breaks(torture::NO_JOURNAL) {
            return Ok(());
        }
        let now = self.now();
        self.write(move |db| complete::intent(db, &slot, now)).await
    }

    async fn journal_result(
        &self,
        lease: &Lease,
        delivery: DeliveryId,
        position: u32,
        result: String,
        record: Option<RecordId>,
        changed: Vec<Counted>,
    ) -> Result<()> {
        if torture::breaks(torture::NO_JOURNAL) {
            return Ok(());
        }
        torture::point("before-result");
        let (lease, now) = (lease.clone(), self.now());
        let answer = complete::Answer { delivery, position, result, record, changed };
        self.write(move |db| complete::answer(db, &lease, &answer, now)).await
    }

    async fn journalled(
        &self,
        connection: &ConnectionId,
        operation: &str,
        record: &RecordId,
    ) -> Result<bool> {
        let (connection, operation, record) = (connection.clone(), operation.to_owned(), record.clone());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            journal::created(db, owner.connection, &operation, &record)
        })
        .await
    }

    async fn own_write(
        &self,
        connection: &ConnectionId,
        operations: &[&str],
        record: &RecordId,
        kind: &str,
        since: Timestamp,
        once: bool,
    ) -> Result<OwnWrite> {
        let operations: Vec<String> = operations.iter().map(ToString::to_string).collect();
        let (connection, record, kind) = (connection.clone(), record.clone(), kind.to_owned());
        let look = move |db: &rusqlite::Connection| {
            let owner = configuration::owner(db, &connection)?;
            journal::own_write(db, owner.connection, &operations, &record, &kind, since, once)
        };
        // To look costs no commit.
        if once { self.write(look).await } else { self.read(look).await }
    }

    async fn may_write(&self, connection: &ConnectionId, limit: WriteLimit) -> Result<()> {
        let (connection, now) = (connection.clone(), self.now());
        self.read(move |db| writes::check(db, &configuration::owner(db, &connection)?, &limit, now)).await
    }

    async fn write_locally(
        &self,
        connection: &ConnectionId,
        write: LocalWrite,
        slot: Option<JournalSlot>,
    ) -> Result<u64> {
        let (connection, now) = (connection.clone(), self.now());
        self.write(move |db| complete::local(db, &connection, &write, slot.as_ref(), now)).await
    }

    async fn put_destination(&self, destination: Destination) -> Result<()> {
        self.write(move |db| messages::put_destination(db, &destination)).await
    }

    async fn destinations(&self, workspace: &WorkspaceId) -> Result<Vec<Destination>> {
        let workspace = workspace.clone();
        self.read(move |db| messages::destinations(db, &workspace)).await
    }

    async fn destination(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Destination>> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.read(move |db| messages::destination(db, &workspace, &name)).await
    }

    async fn remove_destination(&self, workspace: &WorkspaceId, name: &str) -> Result<bool> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.write(move |db| messages::remove_destination(db, &workspace, &name)).await
    }

    async fn claim_messages(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        limits: MessageLimits,
    ) -> Result<Vec<ClaimedMessage>> {
        let (lease, turns) = (lease.clone(), self.turns.clone());
        self.write(move |db| claim::messages(db, &lease, &turns, now, limit, limits)).await
    }

    async fn complete_message(
        &self,
        lease: &Lease,
        id: &str,
        disposition: Disposition,
        stop: Option<String>,
    ) -> Result<()> {
        let (lease, id, now) = (lease.clone(), id.to_owned(), self.now());
        self.write(move |db| complete::message(db, &lease, &id, &disposition, stop.as_deref(), now)).await
    }

    async fn waiting(&self, connection: &ConnectionId) -> Result<u64> {
        let connection = connection.clone();
        self.read(move |db| {
            let scope = Scope::Connection(configuration::owner(db, &connection)?.connection);
            Ok(dirty::waiting(db, scope)?.count)
        })
        .await
    }

    async fn counts(&self, workspace: Option<&WorkspaceId>) -> Result<Counts> {
        let (workspace, now) = (workspace.cloned(), self.now());
        self.read(move |db| {
            let scope = match &workspace {
                None => Scope::All,
                Some(id) => Scope::Workspace(configuration::workspace_pk(db, id)?),
            };
            counts::counts(db, scope, now)
        })
        .await
    }

    async fn counts_of(&self, connection: &ConnectionId) -> Result<Counts> {
        let (connection, now) = (connection.clone(), self.now());
        self.read(move |db| {
            let owner = configuration::owner(db, &connection)?;
            counts::counts(db, Scope::Connection(owner.connection), now)
        })
        .await
    }

    async fn expire(&self, now: Timestamp, retention: Duration) -> Result<u64> {
        let mut total = 0;
        for term in self.read(move |db| expire::terms(db, retention)).await? {
            loop {
                let changed = self.write(move |db| expire::some(db, now, term)).await?;
                total += changed;
                if changed == 0 {
                    break;
                }
            }
        }
        loop {
            let changed = self.write(move |db| expire::some_counts(db, now)).await?;
            total += changed;
            if changed == 0 {
                return Ok(total);
            }
        }
    }

    async fn probe(&self) -> Result<()> {
        self.writer.probe().await
    }
}

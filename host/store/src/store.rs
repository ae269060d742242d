//! The trait: what any engine must do, and what it must do in one transaction.

#![allow(clippy::wildcard_imports, reason = "the trait speaks of nearly every type of the model")]

use std::time::Duration;

use async_trait::async_trait;
use contactor_sync::DeletePolicies;
use jiff::Timestamp;

use crate::automation::*;
use crate::error::StoreError;
use crate::model::*;
use crate::vault::{KeyId, Sealed, WrappedKey};

type Result<T> = std::result::Result<T, StoreError>;

/// How long a de-duplication key is remembered at least: HighLevel repeats a webhook for up to three days.
pub const DEDUPLICATION: Duration = Duration::from_hours(4 * 24);

/// How many events are held for a location that no workspace is bound to. They do nothing: once one is bound they show what had come, and
/// for that the newest hundred are enough.
pub const HELD_OF_LOCATION: u32 = 100;

/// How many events are held in all: with the largest bodies (256 KiB) a quarter of a GiB, whatever strangers' locations send.
pub const HELD: u32 = 1_000;

/// A transactional store. Every method is one transaction that is durable when it answers; none relies on the memory of
/// this process. Instants are kept to the microsecond.
///
/// A method that names a connection or a workspace which does not exist answers `NotFound`, unless it asks for one.
/// [`conformance`](crate::conformance) holds an engine to every promise made here.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ------------------------------------------------------------------------------------------------------ configuration

    /// Creates a workspace. Events that were held for its location become its events, in state `Ignored`: they are kept to be
    /// looked at. `Conflict` when its id or location is taken.
    async fn create_workspace(&self, workspace: Workspace) -> Result<()>;
    /// Changes name, country, time zone and retention.
    async fn update_workspace(&self, workspace: Workspace) -> Result<()>;
    /// One workspace.
    async fn workspace(&self, id: &WorkspaceId) -> Result<Option<Workspace>>;
    /// The workspace bound to a location.
    async fn workspace_of(&self, location: &LocationId) -> Result<Option<Workspace>>;
    /// Sets what none of a workspace's connectors may do.
    async fn set_policy(&self, workspace: &WorkspaceId, policy: Policy) -> Result<()>;
    /// All workspaces, by id.
    async fn workspaces(&self) -> Result<Vec<Workspace>>;

    /// Records an installed component. Installing the same digest again approves it and makes it the newest, if it is approved now, and
    /// changes nothing otherwise.
    async fn install_connector(&self, connector: InstalledConnector) -> Result<()>;
    /// All installed components, newest first.
    async fn connectors(&self) -> Result<Vec<InstalledConnector>>;

    /// Writes a connection (by id). `Conflict` when it exists in another workspace or its webhook address is taken. The address of one that
    /// exists stays: [`put_webhook_address`](Self::put_webhook_address) gives it another one. One that gets another component is listed among its rollouts as adopted, with what it had before; a rollout that was running ends.
    async fn put_connection(&self, connection: Connection) -> Result<()>;
    /// Changes only the mapping. `NotFound` when there is no such connection.
    async fn set_mapping(&self, id: &ConnectionId, mapping: serde_json::Value) -> Result<()>;
    /// Changes only the state, with the reason for the admin.
    async fn set_connection_state(
        &self,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<String>,
    ) -> Result<()>;
    /// Changes the state if it is `from` now, and answers whether it was: what stopped a connection meanwhile had another reason.
    async fn exchange_connection_state(
        &self,
        id: &ConnectionId,
        from: ConnectionState,
        to: ConnectionState,
        reason: Option<String>,
        cause: Option<StopCause>,
    ) -> Result<bool>;
    /// Pauses a connection because of a mass change, unless it is not enabled any more: whoever stopped it before had another
    /// reason, which allowing more changes must not undo. Answers whether it was paused now.
    async fn stop_mass_change(&self, id: &ConnectionId, reason: String) -> Result<bool>;
    /// One connection.
    async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>>;
    /// The connection whose webhook address has a token of this hash.
    async fn connection_by_webhook(&self, hash: SecretHash) -> Result<Option<Connection>>;
    /// Gives a connection another webhook address: what its token is recognised by, and the token sealed as the credential
    /// [`ConnectionId::webhook_address`], both or nothing. The former one is nobody's from then on. `Conflict` when the address is
    /// taken, `KeyRetired` as for [`put_credential`](Self::put_credential).
    async fn put_webhook_address(&self, id: &ConnectionId, hash: SecretHash, sealed: Sealed) -> Result<()>;
    /// Tokens that an earlier version kept in the clear, until [`put_webhook_address`](Self::put_webhook_address) is called for their
    /// connections.
    async fn unsealed_webhooks(&self) -> Result<Vec<UnsealedWebhook>>;
    /// The connections of a workspace, or all.
    async fn connections(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Connection>>;

    // ------------------------------------------------------------------------------------------------------------- people

    /// Makes a user. `Conflict` when the id is taken.
    async fn create_user(&self, user: User) -> Result<()>;
    /// Changes what is said of a user.
    async fn update_user(&self, id: &UserId, change: UserChange) -> Result<()>;
    /// One user.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;
    /// All users, by id.
    async fn users(&self) -> Result<Vec<User>>;
    /// Gives a user a role in a workspace, in the place of the one that the user has there. `Invalid` for that of a platform admin.
    async fn put_member(&self, member: Member) -> Result<()>;
    /// Takes a user's role in a workspace away; answers whether there was one.
    async fn remove_member(&self, workspace: &WorkspaceId, user: &UserId) -> Result<bool>;
    /// The users of a workspace with their roles, by id.
    async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<(User, Role)>>;
    /// A user's roles, by workspace.
    async fn members_of(&self, user: &UserId) -> Result<Vec<Member>>;
    /// Makes a token. `NotFound` also when the one that it was made with is revoked.
    async fn create_token(&self, token: Token) -> Result<()>;
    /// One token.
    async fn token(&self, id: &TokenId) -> Result<Option<Token>>;
    /// The tokens of a user, or all, the newest first.
    async fn tokens(&self, user: Option<&UserId>) -> Result<Vec<Token>>;
    /// Revokes a token, those that were made with it, and so on; answers how many were revoked by that.
    async fn revoke_token(&self, id: &TokenId) -> Result<u64>;
    /// Notes that a token was used.
    async fn touch_token(&self, id: &TokenId) -> Result<()>;
    /// A token with all that decides what it opens, as of one moment.
    async fn bearer(&self, id: &TokenId) -> Result<Option<Bearer>>;

    /// The user that an identity was bound to.
    async fn identified(&self, identity: &Identity) -> Result<Option<UserId>>;
    /// Binds an identity to a user. `Conflict` when it is another user's, or the user has another one at this provider.
    async fn bind_identity(&self, identity: &Identity, user: &UserId) -> Result<()>;
    /// Forgets the identities of a user and ends the sessions; answers whether there was one. `NotFound` when there is no such user.
    async fn unbind_identities(&self, user: &UserId) -> Result<bool>;
    /// Begins a session of a user, who keeps at most so many: the oldest end. `NotFound` when the user does not exist or is disabled.
    async fn begin_session(&self, session: Session, most: u32) -> Result<()>;
    /// A session with all that decides what it opens, as of one moment. Whether its time is over, the caller decides. The sessions of
    /// a user who is switched off have ended.
    async fn logged_in(&self, id: &SessionId) -> Result<Option<LoggedIn>>;
    /// Notes that a session was used.
    async fn touch_session(&self, id: &SessionId) -> Result<()>;
    /// Ends a session; answers whether there was one.
    async fn end_session(&self, id: &SessionId) -> Result<bool>;

    /// Appends an entry to the audit log, in the order of the commits; answers its place.
    async fn append_audit(&self, entry: NewAudit) -> Result<i64>;
    /// Changes that were asked for, newest first. The log forgets nothing.
    async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditedChange>>;
    /// Follows the whole chain of the audit log, and looks for a hash that was noted earlier: without one a tail that was cut off cannot
    /// be missed.
    async fn verify_audit(&self, noted: Option<AuditHash>) -> Result<AuditVerdict>;

    /// Writes a sealed credential under its name (`<workspace>` for HighLevel, `<connection>/<field>` for a partner). `KeyRetired` when
    /// its key is no data key that is in use: it has to be sealed anew.
    async fn put_credential(&self, name: &str, sealed: Sealed) -> Result<()>;
    /// Reads a sealed credential.
    async fn credential(&self, name: &str) -> Result<Option<Sealed>>;

    // ------------------------------------------------------------------------------------------------- grants of HighLevel

    /// Stores the first pair of a grant, or that of a new consent: then links, cursors and parked work stay, and whatever was
    /// under way for the old pair comes too late.
    async fn put_grant(&self, consented: Consented) -> Result<OAuthGrant>;
    /// One grant. Its pair is the credential [`GrantId::pair`].
    async fn grant(&self, id: &GrantId) -> Result<Option<OAuthGrant>>;
    /// All grants, by id.
    async fn grants(&self) -> Result<Vec<OAuthGrant>>;
    /// Grants that are to be renewed by now, that nobody renews, and that need no consent; the longest overdue first.
    async fn due_grants(&self, now: Timestamp, limit: u32) -> Result<Vec<OAuthGrant>>;
    /// Gives leave to renew a grant of this generation to one process until its time is over. What opens the courier's letter is
    /// stored with it ([`GrantId::courier`]), unless that of an earlier lease without outcome is still needed.
    async fn lease_grant(&self, request: LeaseRequest) -> Result<Leased>;
    /// Stores the next pair, in one transaction with the end of the lease. False, and nothing happens, when generation or fence
    /// is another one by now.
    async fn renew_grant(&self, id: &GrantId, generation: u64, fence: u64, pair: NewPair) -> Result<bool>;
    /// Notes that an attempt brought no pair and ends the lease. The pair stays. False as with
    /// [`renew_grant`](Self::renew_grant).
    async fn not_renewed(&self, ended: NotRenewed) -> Result<bool>;
    /// Brings a grant's next attempt forward to `now`.
    async fn try_grant(&self, id: &GrantId, now: Timestamp) -> Result<()>;
    /// Notes that somebody was sent to the consent page; forgets those who did not come back.
    async fn begin_consent(&self, flow: ConsentFlow) -> Result<()>;
    /// Takes a consent that was begun and has not expired. It can be taken once.
    async fn end_consent(&self, state: &str, now: Timestamp) -> Result<Option<ConsentFlow>>;
    /// Notes where the app is installed, as far as what is known is not newer; answers the locations for which that changed.
    async fn put_installations(&self, told: Vec<Installation>) -> Result<Vec<LocationId>>;
    /// What is known of installations, by location.
    async fn installations(&self) -> Result<Vec<Installation>>;
    // -------------------------------------------------------------------------------------------------------------- vault

    /// Every data key, those in use and the retired ones.
    async fn data_keys(&self) -> Result<DataKeys>;
    /// The data key with this id; `None` once it was retired, nothing was sealed with it any more, and it was forgotten.
    async fn data_key(&self, id: &KeyId) -> Result<Option<StoredDataKey>>;
    /// The data key that seals what is a workspace's. The workspace need not exist yet.
    async fn data_key_of(&self, workspace: &WorkspaceId) -> Result<Option<StoredDataKey>>;
    /// Takes a data key into use, unless its workspace has one by now. Answers the one in use: of several that are made at the same
    /// time one counts.
    async fn add_data_key(&self, key: WrappedKey) -> Result<StoredDataKey>;
    /// Takes a data key into use in the place of another one, which only opens from then on; unless something else took that place
    /// meanwhile. Answers the one in use.
    async fn replace_data_key(&self, retired: &KeyId, key: WrappedKey) -> Result<StoredDataKey>;
    /// Exchanges the wrapping of data keys that are still wrapped as they were found. Answers how many were.
    async fn rewrap_data_keys(&self, keys: Vec<Rewrapped>) -> Result<u64>;
    /// Asks for new data keys: those in use are of an earlier generation from then on. Answers the new generation.
    async fn begin_key_generation(&self) -> Result<u64>;
    /// How much of everything is sealed with each key.
    async fn key_uses(&self) -> Result<Vec<KeyUse>>;
    /// What of a kind is sealed with a key, at most `limit` rows behind `after`; fewer when they are large. Empty at the end.
    async fn sealed_with(
        &self,
        key: &KeyId,
        kind: SealedKind,
        after: Option<SealedAt>,
        limit: u32,
    ) -> Result<Vec<SealedRow>>;
    /// Puts what was sealed anew in the place of what it was made from; what was changed meanwhile is left alone. Answers how much was
    /// exchanged. `KeyRetired`, and nothing is, when a new key is not in use.
    async fn reseal(&self, rows: Vec<Resealed>) -> Result<u64>;

    // ------------------------------------------------------------------------------------------------------------- events

    /// Appends an event, its marks and its de-duplication key, all or nothing. The answer comes after the commit.
    ///
    /// Without a connection the marks go to every connection of the workspace that is not `Disabled`: one that is paused, or
    /// waits for a reconnect, finds them later. Without a workspace the one that is bound to the location is taken, if one is
    /// bound by now. An event that then marks nothing, and that no connector has to read, is `Ignored` at once.
    ///
    /// An event that finds no workspace is held, and the oldest held ones make room for it: those of its location beyond
    /// [`HELD_OF_LOCATION`], and of all beyond [`HELD`]. What goes is forgotten with its key. No event of a workspace ever goes for another.
    ///
    /// All marks of a record are one row; those of both sides meet in it once the record is linked. A mark does not shorten
    /// the back-off of a record that failed, unless it is `Interactive`.
    async fn append_event(&self, event: NewEvent) -> Result<Accepted>;
    /// Marks records dirty without an event (sweep, backfill, operator), and moves a cursor of the same connection in the
    /// same transaction. Works for a connection in any state; what is marked waits until it is enabled.
    async fn mark(
        &self,
        connection: &ConnectionId,
        marks: Vec<Mark>,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()> {
        self.mark_found(connection, Found { marks, ..Found::default() }, priority, cursor).await
    }
    /// As [`mark`](Self::mark), with whatever else a connector told besides.
    async fn mark_found(
        &self,
        connection: &ConnectionId,
        found: Found,
        priority: Priority,
        cursor: Option<Cursor>,
    ) -> Result<()>;
    /// One event with its body.
    async fn event(&self, seq: EventSeq) -> Result<Option<Event>>;
    /// Events of a workspace, newest first.
    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>>;

    // --------------------------------------------------------------------------------------------------------------- work

    /// Takes or renews the lease on every free or expired shard for `ttl`. A renewal by the same owner keeps its token. What
    /// was claimed in a shard under another token can be claimed again at once.
    ///
    /// A process names itself by something that no other process uses (host, process id and a random part): whoever holds
    /// the name of an owner holds its lease.
    async fn acquire_lease(&self, owner: &str, ttl: Duration) -> Result<Lease>;
    /// Gives the lease up, so that another host need not wait for its end. Does nothing when it is not held any more.
    async fn release_lease(&self, lease: &Lease) -> Result<()>;
    /// How much is claimed under this lease.
    async fn claims(&self, lease: &Lease) -> Result<u64>;
    /// Gives back whatever is claimed under this lease, and answers how much that was: for a caller that has nothing in flight, so
    /// that no claim outlives the task that it was given to.
    async fn free_claims(&self, lease: &Lease) -> Result<u64>;

    /// Claims dirty records that are due, by priority and then by age, of enabled connections; at most `limit`
    /// in all, and never so many that a workspace has more than `per_workspace` in flight under this lease. Background work
    /// (sweep, backfill) leaves a quarter of that to live work. A claimed record is not given out again under the same lease, and is given out again under the next.
    ///
    /// Within a priority, connections take turns: however many records of one wait, the next call serves another first. The
    /// cost does not grow with the number of records that wait. A linked record is never given out twice at the same time,
    /// whichever side's id it was marked by. `Fenced` when the lease covers no shard any more.
    async fn claim_records(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedRecord>>;
    /// Claims partner webhooks that their connector has to read, oldest first within a connection; enabled connections take
    /// turns. `Fenced` when the lease covers no shard any more.
    async fn claim_events(&self, lease: &Lease, now: Timestamp, limit: u32) -> Result<Vec<ClaimedEvent>>;
    /// Ends a run: disposition, link, conflicts, run and the states of the events behind it, all or nothing.
    ///
    /// - `Done` and `Parked` end the events behind the claim: the newest becomes `Applied` or `Parked`, older ones
    ///   `Superseded`. Marks that arrived during the run keep the record dirty. `Retry` ends nothing.
    /// - A link takes the place of `claim.link`. What waits under the partner's id of a linked record waits under HighLevel's
    ///   from then on.
    /// - Links of `children` are written and those of `unlinked` go; a child that was linked under another parent moves. A
    ///   child's partner id is unique within its parent.
    /// - The records of `marks` are dirty afterwards, as urgent as the claim was.
    /// - A parked entry of the record is taken off the list by `Done`.
    /// - A conflict that waits for a person (without a winner) is listed once, however many runs meet it.
    /// - What became of conflicts that waited is noted with the run; a decision that was made during the run waits for the next.
    /// - A deletion is stored; one about which a person decided during the run stays as it is. A link that is in use again ends the
    ///   deletions of its records. [`claim_records`](Self::claim_records) marks a record whose second look is due.
    ///
    /// # Errors
    ///
    /// Nothing was written in any of these cases. `Fenced` when the lease, or the claim, is no longer ours. `Conflict` when
    /// one of the two records is linked to another one; it names both. `Invalid` when conflicts come, or end, without a run.
    async fn complete_record(&self, lease: &Lease, completion: Completion) -> Result<()>;
    /// Keeps conflicts whose losing value is about to be overwritten, so that it can be found even if the run comes to no end. The
    /// run that completes with them, or the next one that meets them, does not list them again. `Fenced` as above.
    async fn note_conflicts(&self, lease: &Lease, noted: NotedConflicts) -> Result<()>;
    /// How many linked records a connection changed at this instant or later, and what a person allowed.
    async fn guarded(&self, connection: &ConnectionId, since: Timestamp) -> Result<Guarded>;
    /// The linked records that a connection changed last.
    async fn changed(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Changed>>;
    /// Whether a record was counted on a side at this instant or later: changing it again makes the count no larger.
    async fn was_changed(
        &self,
        connection: &ConnectionId,
        side: Side,
        record: &RecordId,
        since: Timestamp,
    ) -> Result<bool>;
    /// Lets a connection change so many more records without counting them, and enables it if it is paused, all or nothing.
    async fn allow_changes(&self, connection: &ConnectionId, allowance: Allowance) -> Result<()>;
    /// Ends the reading of a partner's webhook: what it told, its run and its state, all or nothing. `Done` without marks and
    /// deliveries makes it `Ignored`. `Parked` lists it under [`WEBHOOK_ENTITY`], from where it can be retried. Only `Done` uses
    /// what was found. `Fenced` when the lease, or the claim, is no longer ours: nothing was written.
    async fn complete_event(
        &self,
        lease: &Lease,
        event: EventSeq,
        found: Found,
        disposition: Disposition,
        run: Option<Run>,
    ) -> Result<()>;
    /// When the next dirty record, unread event, delivery or message is due, if any waits unclaimed for an enabled connection.
    async fn next_due(&self) -> Result<Option<Timestamp>>;

    /// Puts another version of a connector on trial, and counts what the pinned one did shortly before. `Conflict` when one is on trial.
    async fn begin_rollout(&self, new: NewRollout) -> Result<Rollout>;
    /// Changes what a running rollout does; answers whether it was running.
    async fn set_rollout(&self, id: u64, mode: RolloutMode, share: u8) -> Result<bool>;
    /// Adds to the counts of a rollout, if it is running. The newest [`KEPT_DIFFERENCES`] differences are kept.
    async fn count_rollout(&self, id: u64, news: RolloutNews) -> Result<()>;
    /// Ends a running rollout; answers whether it was running. Adopting pins its version, its grants and its settings, all or nothing.
    async fn end_rollout(&self, id: u64, end: RolloutEnd, reason: String) -> Result<bool>;
    /// Pins what the connection had before its present component, which was adopted, with the grants and settings of then, all or
    /// nothing; answers the rollout that this takes back. None when nothing is known to be before it.
    async fn roll_back(&self, connection: &ConnectionId, reason: String) -> Result<Option<Rollout>>;
    /// The rollouts of a connection, the newest first.
    async fn rollouts(&self, connection: &ConnectionId, limit: u32) -> Result<Vec<Rollout>>;
    /// The rollout of a connection that is running.
    async fn running_rollout(&self, connection: &ConnectionId) -> Result<Option<Rollout>>;
    /// How runs in shadow differed, the newest first.
    async fn rollout_differences(&self, id: u64) -> Result<Vec<ShadowDifference>>;

    /// Leaves work of a connection alone, in the place of the rest of the same subject. Claims keep to it: see [`Rest`].
    async fn put_rest(&self, rest: Rest) -> Result<()>;
    /// Ends a rest, and what was put off because of it is due at once; answers whether there was one.
    async fn end_rest(&self, connection: &ConnectionId, subject: Option<&str>) -> Result<bool>;
    /// What was tried of a resting subject told nothing about it: another may be tried at once.
    async fn next_trial(&self, connection: &ConnectionId, subject: &str) -> Result<()>;
    /// The rests of a workspace, or all, also those whose time has come.
    async fn rests(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Rest>>;

    /// Parked records and webhooks of a workspace, newest first.
    async fn parked(&self, workspace: &WorkspaceId) -> Result<Vec<Parked>>;
    /// What is parked in a workspace by its cause, the largest group first.
    async fn parked_groups(&self, workspace: &WorkspaceId) -> Result<Vec<ParkedGroup>>;
    /// The entries of one cause, oldest first.
    async fn parked_of(&self, cause: &ParkedCause, limit: u32) -> Result<Vec<Parked>>;
    /// Takes an entry off the list for good; answers whether it was there. A webhook, an automation or a message is `Ignored` from
    /// then on; a record is done again when it is marked the next time.
    async fn discard_parked(&self, key: &RecordKey) -> Result<bool>;
    /// Takes an entry off the list and has it done again, a record with this priority; answers whether it was there. A parked
    /// record that is marked again is also done again, and stays listed until a run of it is `Done`.
    async fn retry_parked(&self, key: &RecordKey, priority: Priority) -> Result<bool>;

    /// Forgets a person in a workspace: every row about one of the person's records, and every id, address or number of the person
    /// that others mention; all or nothing. With `only_look` nothing is changed. What was freed is overwritten. Work on what was
    /// changed that is under way is fenced.
    ///
    /// `Several` when what is given leads to more than one contact, nothing says that all are meant, and it is not only looked.
    async fn erase(&self, workspace: &WorkspaceId, person: Person, only_look: bool) -> Result<Erasure>;

    // ------------------------------------------------------------------------------------------------------------- alerts

    /// Sets where a workspace's alerts go.
    async fn put_alert_rules(&self, workspace: &WorkspaceId, rules: AlertRules) -> Result<()>;
    /// The rules, the alerts that are open or ended within the retention, and when sources were last heard.
    async fn alerts(&self, workspace: &WorkspaceId) -> Result<AlertMemory>;
    /// Keeps what came of looking at a workspace, and hands its messages over, all or nothing. Fails as
    /// [`LocalWrite::Send`] does.
    async fn put_alerts(&self, workspace: &WorkspaceId, round: AlertRound) -> Result<()>;

    // -------------------------------------------------------------------------------------------------------------- quota

    /// Adds calls to what is counted already; those of a connection that is gone are left out. Hours older than two weeks are
    /// forgotten by [`expire`](Self::expire).
    async fn add_usage(&self, usage: Vec<Usage>) -> Result<()>;
    /// What a workspace's connections used since this hour, the oldest first.
    async fn usage(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<Vec<Usage>>;
    /// Keeps what HighLevel said is left of a location's day.
    async fn put_budget(&self, budget: DailyBudget) -> Result<()>;
    /// What was kept.
    async fn budget(&self, workspace: &WorkspaceId) -> Result<Option<DailyBudget>>;
    /// Keeps what was used of partners' quotas, each in the place of what was kept of it; those of a connection that is gone are
    /// left out.
    async fn put_partner_windows(&self, windows: Vec<PartnerWindow>) -> Result<()>;
    /// What was kept of a connection's; nothing when there is no such connection.
    async fn partner_windows(&self, connection: &ConnectionId) -> Result<Vec<PartnerWindow>>;

    // -------------------------------------------------------------------------------------------------------------- links

    /// The link of a record, by either side's id.
    async fn link(
        &self,
        connection: &ConnectionId,
        entity: &str,
        side: Side,
        record: &RecordId,
    ) -> Result<Option<Link>>;
    /// The links of a contact's children of one entity, by HighLevel's id.
    async fn child_links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        parent: &RecordId,
    ) -> Result<Vec<Link>>;
    /// The contacts that have children of an entity, with a link in use, which take place within a window; its end is outside.
    async fn occurring(
        &self,
        connection: &ConnectionId,
        entity: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<RecordId>>;
    /// A connection's links of one entity in the order of HighLevel's ids, after the given one.
    async fn links(
        &self,
        connection: &ConnectionId,
        entity: &str,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Link>>;

    // --------------------------------------------------------------------------------------------------------------- runs

    /// Writes a run that belongs to no dirty record (a poll, a sweep, a check). `Conflict` when its id is taken.
    async fn put_run(&self, run: Run) -> Result<()>;
    /// One run with its calls.
    async fn run(&self, id: &RunId) -> Result<Option<Run>>;
    /// The workspace of a run, if there is such a run: cheaper than the run itself.
    async fn workspace_of_run(&self, id: &RunId) -> Result<Option<WorkspaceId>>;
    /// Runs without their calls, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>>;
    /// Contacts of a workspace whose change a partner was told since this time only because a walk over HighLevel found it: no webhook
    /// had announced it, and nobody had asked for it.
    async fn found_by_walk(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<u64>;
    /// Keeps what a connector was given and answered in a run, in the place of what was kept of it. Recordings are forgotten after seven
    /// days, or sooner with the runs, and of each connection those beyond the newest 64 MiB. One whose data key is forgotten already is not
    /// kept.
    async fn put_recording(&self, recording: NewRecording) -> Result<()>;
    /// What was kept of a run.
    async fn recording(&self, run: &RunId) -> Result<Option<NewRecording>>;
    /// Conflicts of a workspace: those that nobody decided first, then those that wait for a run, then the others; each newest first.
    async fn conflicts(&self, filter: ConflictFilter) -> Result<Vec<StoredConflict>>;
    /// One conflict.
    async fn conflict(&self, id: i64) -> Result<Option<StoredConflict>>;
    /// The conflicts of a record that wait for a person or for a run, the oldest first.
    async fn unsettled_conflicts(&self, key: &RecordKey) -> Result<Vec<StoredConflict>>;
    /// Keeps what a person decided about a conflict, in the place of a decision that still waits, and has the record done again with
    /// priority `Interactive`, all or nothing. Without a resolution a decision that waits is withdrawn. `Conflict` when the conflict
    /// is not as it was seen any more; nothing was written then.
    async fn decide_conflict(
        &self,
        seen: &StoredConflict,
        resolution: Option<Resolution>,
    ) -> Result<StoredConflict>;

    // --------------------------------------------------------------------------------------------------------- match report

    /// Begins a review: until it ends, records that are not linked wait for the approval of their bucket. With the cursor of a walk
    /// over HighLevel's contacts a report begins anew: nothing is approved, and what an earlier report listed is in none any more:
    /// `renew_matches` clears it. Without one, a review that is open stays as it is, and one that has ended is refused: its lists would
    /// be taken for those of the new one.
    async fn begin_review(
        &self,
        connection: &ConnectionId,
        walk: Option<Cursor>,
        basis: String,
    ) -> Result<Review>;
    /// Clears what an earlier report listed, at most so many records of it, and answers how many: HighLevel's are forgotten, as the walk
    /// meets them again, the partner's are marked to be looked at again. In pages, so that no single commit holds up the others, and
    /// after a crash it goes on where it was. 0 means that none are left.
    async fn renew_matches(&self, connection: &ConnectionId, limit: u32) -> Result<u64>;
    /// The review of a connection, also one that has ended.
    async fn review(&self, connection: &ConnectionId) -> Result<Option<Review>>;
    /// Lists what a page of a report's walk found, each record once, and moves its cursor, all or nothing. A page of a walk that is
    /// not the present one changes nothing.
    async fn put_matches(
        &self,
        connection: &ConnectionId,
        walk: u32,
        page: Vec<FoundMatch>,
        cursor: Cursor,
    ) -> Result<()>;
    /// Whether a record that is not linked has to wait: a review is open and its bucket is not approved, or it is one of several that
    /// would be linked with the same counterpart. Then it is listed, and answered as it is listed. An approval counts for the basis
    /// that its report was made with: with another one everything waits, and a review that has ended is open again if records that it
    /// approved are not marked yet. After its end only what competes with a record that was not let go is answered.
    async fn hold(
        &self,
        connection: &ConnectionId,
        basis: String,
        found: FoundMatch,
    ) -> Result<Option<Match>>;
    /// Approves buckets. When everything that would be written is approved, the review ends.
    async fn approve_matches(
        &self,
        connection: &ConnectionId,
        buckets: std::collections::BTreeSet<MatchBucket>,
    ) -> Result<Review>;
    /// Marks records of approved buckets dirty with priority `Backfill`, each once and at most so many of them; answers how many. 0
    /// means that none are left, or that they were approved for another basis.
    async fn release_matches(&self, connection: &ConnectionId, basis: String, limit: u32) -> Result<u64>;
    /// What a report lists, added up by bucket.
    async fn match_counts(&self, connection: &ConnectionId) -> Result<Vec<MatchCount>>;
    /// Records that a report lists.
    async fn matches(&self, filter: MatchFilter) -> Result<Vec<Match>>;
    // ---------------------------------------------------------------------------------------------------------- deletions

    /// One deletion.
    async fn deletion(&self, id: i64) -> Result<Option<Deletion>>;
    /// The newest deletion of a pair, by HighLevel's id, unless it ended.
    async fn deletion_of(
        &self,
        connection: &ConnectionId,
        entity: &str,
        highlevel: &RecordId,
    ) -> Result<Option<Deletion>>;
    /// Deletions of a workspace, newest first.
    async fn deletions(&self, filter: DeletionFilter) -> Result<Vec<Deletion>>;
    /// A person decides about a deletion that is in one of the states `from`: its record is done again with this priority,
    /// all or nothing. `Conflict` when it is in another state; nothing was written then.
    async fn decide_deletion(
        &self,
        id: i64,
        from: &[DeletionState],
        to: DeletionState,
        by: &str,
        priority: Priority,
    ) -> Result<Deletion>;
    /// Notes that a run is about to act by the deletion's policy, and keeps what is needed to undo it. `Conflict` when a person
    /// decided since it was read: then the run must not act. `KeyRetired` when its key is not in use any more.
    async fn begin_deletion(&self, seen: &Deletion, kept: Sealed) -> Result<Deletion>;
    /// Sets what is done to one record of an entity when the other one is gone.
    async fn put_delete_policies(
        &self,
        connection: &ConnectionId,
        entity: &str,
        policies: DeletePolicies,
    ) -> Result<()>;
    /// What is done; nothing unless it was set.
    async fn delete_policies(&self, connection: &ConnectionId, entity: &str) -> Result<DeletePolicies>;

    // -------------------------------------------------------------------------------------------------------- cursors, kv

    /// A cursor.
    async fn cursor(&self, connection: &ConnectionId, stream: &str) -> Result<Option<Cursor>>;
    /// Moves a cursor without marking anything.
    async fn put_cursor(&self, cursor: Cursor) -> Result<()>;

    /// What the last walk over a stream of a workspace saw, by record.
    async fn seen(&self, workspace: &WorkspaceId, stream: &str) -> Result<Vec<Seen>>;
    /// What was last seen of one record of a stream.
    async fn seen_of(&self, workspace: &WorkspaceId, stream: &str, record: &RecordId)
    -> Result<Option<Seen>>;
    /// Stores what a page of a walk showed, all or nothing; answers how many of the deliveries were new.
    async fn put_seen(&self, workspace: &WorkspaceId, stream: &str, page: SeenPage) -> Result<u64>;

    /// A connector's state: value and version.
    async fn state_get(&self, connection: &ConnectionId, key: &str) -> Result<Option<(Vec<u8>, u64)>>;
    /// Compare-and-set; `expected` 0 means that the key must not exist. `Conflict` when the version differs. Answers the new
    /// version; a version is never given twice, so a key that was removed and made again is not mistaken for the old one.
    async fn state_set(
        &self,
        connection: &ConnectionId,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<u64>;
    /// Removes a key.
    async fn state_delete(&self, connection: &ConnectionId, key: &str) -> Result<()>;
    /// Keys with a prefix, in order.
    async fn state_keys(&self, connection: &ConnectionId, prefix: &str) -> Result<Vec<String>>;

    // -------------------------------------------------------------------------------------------------------- automations

    /// Stores events that no webhook and no poll carries; answers how many of them were new.
    async fn deliver(&self, deliveries: Vec<NewDelivery>) -> Result<u64>;
    /// Claims deliveries and timers that are due, of enabled connections, which take turns; a workspace has at most
    /// `per_workspace` in flight. Those of one contact, or of one partner's record that is not linked, are given out one after
    /// the other, in the order in which they came; one that was retried or parked does not change that order, but a parked
    /// one keeps nobody waiting. `Fenced` when the lease covers no shard any more.
    async fn claim_deliveries(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        per_workspace: u32,
    ) -> Result<Vec<ClaimedDelivery>>;
    /// Ends an attempt at a delivery: its state and its run, all or nothing. `Done` forgets the journal, but for what was
    /// created. `Parked` lists it under [`AUTOMATION_ENTITY`], from where it can be retried; its journal stays.
    /// `Fenced` when the lease, or the claim, is no longer ours: nothing was written.
    async fn complete_delivery(&self, lease: &Lease, completion: DeliveryCompletion) -> Result<()>;
    /// Notes a writing call before it is made, and the reads before it. `Fenced` when the claim is no longer ours, `Limited` when
    /// it is one too many of its [`WriteLimit`]: then the call must not be made.
    async fn journal_intent(&self, slot: JournalSlot) -> Result<()>;
    /// Notes the answer of a writing call, the id of the record that it created, and the linked records that it changed, which are
    /// counted with it. `Fenced` as above.
    async fn journal_result(
        &self,
        lease: &Lease,
        delivery: DeliveryId,
        position: u32,
        result: String,
        record: Option<RecordId>,
        changed: Vec<Counted>,
    ) -> Result<()>;
    /// Whether a handler of this connection's workspace is known to have created this record.
    async fn journalled(&self, connection: &ConnectionId, operation: &str, record: &RecordId)
    -> Result<bool>;
    /// Whether a handler of this connection wrote a record by one of these calls, in a delivery of this kind that was begun at
    /// `since` or later. With `once`, a handler's write is answered with `Yes` one time only.
    async fn own_write(
        &self,
        connection: &ConnectionId,
        operations: &[&str],
        record: &RecordId,
        kind: &str,
        since: Timestamp,
        once: bool,
    ) -> Result<OwnWrite>;
    /// Whether a connection may write a record once more: `Limited`, with who wrote it how often, when not. Runs of records that
    /// changed something are counted when they are completed, handlers' calls when they are noted. A person who has something
    /// parked done again begins the count anew.
    async fn may_write(&self, connection: &ConnectionId, limit: WriteLimit) -> Result<()>;
    /// Makes a change of the store itself, and notes call and answer in the same transaction, if there is a journal. The
    /// answer is noted as `{"Ok": null}`, or with the new version of a state. Nothing is noted when it fails.
    async fn write_locally(
        &self,
        connection: &ConnectionId,
        write: LocalWrite,
        slot: Option<JournalSlot>,
    ) -> Result<u64>;

    /// Makes or replaces a destination.
    async fn put_destination(&self, destination: Destination) -> Result<()>;
    /// The destinations of a workspace, by name.
    async fn destinations(&self, workspace: &WorkspaceId) -> Result<Vec<Destination>>;
    /// One destination.
    async fn destination(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Destination>>;
    /// Removes a destination and its messages; answers whether it was there.
    async fn remove_destination(&self, workspace: &WorkspaceId, name: &str) -> Result<bool>;
    /// Claims messages that are due: equal parts to all destinations, which take turns, and of each the oldest first. Those of a
    /// destination that was stopped wait. `Fenced` as above.
    async fn claim_messages(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: u32,
        limits: MessageLimits,
    ) -> Result<Vec<ClaimedMessage>>;
    /// Ends an attempt at a message; with a reason its destination is stopped. `Parked` lists it under [`MESSAGE_ENTITY`].
    /// `Fenced` as above.
    async fn complete_message(
        &self,
        lease: &Lease,
        id: &str,
        disposition: Disposition,
        stop: Option<String>,
    ) -> Result<()>;

    // ---------------------------------------------------------------------------------------------------------- operation

    /// How many dirty records of a connection wait or run: [`Counts::dirty`] alone, which is asked for every page of a walk.
    async fn waiting(&self, connection: &ConnectionId) -> Result<u64>;
    /// Counts for a workspace, or for all.
    async fn counts(&self, workspace: Option<&WorkspaceId>) -> Result<Counts>;
    /// Counts for one connection.
    async fn counts_of(&self, connection: &ConnectionId) -> Result<Counts>;
    /// Forgets what is past its time: events, runs, conflicts that ended and messages as the workspace says, or else as given, held
    /// events as given, de-duplication keys not before [`DEDUPLICATION`]; until then an event stays without its body. What was kept to
    /// undo a deletion goes with its window, and what two records agreed on after 60 days, if one of them is gone; that it is gone
    /// stays known. What waits for a run or for a person is kept, but a decision about a deletion that no run carried out within
    /// [`DECISIONS`] counts no more: a person is asked again, or the pair is given up if the record was to be kept. A data key that
    /// nothing is sealed with goes an hour after it was retired. Works in several transactions, so that webhooks need not wait. Answers the number of rows removed or emptied.
    async fn expire(&self, now: Timestamp, retention: Duration) -> Result<u64>;
    /// A write that proves that the store can commit, for health. After `Failed` it is the one call that tries the disk again,
    /// and its success ends that state.
    async fn probe(&self) -> Result<()>;
}

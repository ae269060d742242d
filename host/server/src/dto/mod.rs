//! What the admin API says and hears. These types are the contract with scripts and consoles: they are written apart from
//! the storage model, so that a table can change without a client noticing. The `contactor` command reads the same types.

mod action;
mod alerts;
mod audit;
mod catalogue;
mod conflict;
mod connection;
mod connector;
mod deletion;
mod destination;
mod draft;
mod emit;
mod erasure;
mod error;
mod guard;
mod health;
mod history;
mod mapping;
mod matching;
mod oauth;
mod parked;
mod people;
mod preview;
mod quota;
mod record;
mod replay;
mod rollout;
mod run;
mod secret;
mod session;
mod story;
mod sync;
mod vault;
mod workspace;

pub use action::{ActionCall, ActionReport, ActionRequest};
pub use alerts::{Alert, AlertKind, AlertRules, Alerts};
pub use audit::{AuditEntry, AuditPhase, AuditQuery, AuditReport, AuditVerifyQuery};
pub use catalogue::{CatalogueEntry, CatalogueKind, CatalogueQuery, CatalogueWay};
pub use conflict::{
    Conflict, ConflictDecision, ConflictQuery, ConflictReport, ConflictState, ResolveAnswer, ResolveConflict,
    ResolvePreview,
};
pub use connection::{
    CheckReport, Connection, ConnectionState, EnableConnection, NotKept, Schedule, Setting,
};
pub use connector::{Connector, InspectReport, Repeatable, ScopeRequest};
pub use deletion::{
    DecideDeletion, DecideDeletions, DeletePolicies, DeletePolicy, DeletePolicyQuery, DeleteThen, Deletion,
    DeletionPreview, DeletionQuery, DeletionState, PlannedCall, PreviewDeletion, SetDeletePolicies,
};
pub use destination::{Destination, DestinationKind, PutDestination};
pub use draft::{DraftField, DraftRecord, DraftReport, DraftTotals, MappingDraft};
pub use emit::SampleAnswer;
pub use erasure::{EraseRequest, Erasure};
pub use error::{ErrorBody, ErrorDetail};
pub use guard::{AllowRequest, ChangedRecord, GuardReport};
pub use health::{Counts, Health};
pub use history::{
    Event, EventDetail, EventQuery, EventState, LimitQuery, Link, LinkState, Timeline, TimelineEntry,
    TimelineKind, TimelineQuery,
};
pub use mapping::{
    MappingRow, MappingRowQuery, MappingTrial, Policy, RowOrigin, SetMappingPolicy, SetMappingRow,
    TrialProblem, TrialReport, TrialRow,
};
pub use matching::{
    ApproveMatch, BucketReport, Match, MatchBucket, MatchQuery, MatchReport, StartMatch, SyncEstimate,
};
pub use oauth::{Consent, GrantState, HighLevelGrant, Installation, NewConsent, RenewGrant};
pub use parked::{Parked, ParkedGroup, ParkedGroupDetail, ReleaseAnswer, Rest, RetryAllQuery, RetryAnswer};
pub use people::{
    Grant, IssuedToken, Member, NewToken, NewUser, PutMember, RevokeAnswer, Role, Token, TokenQuery, User,
    Whoami,
};
pub use preview::{PlannedChange, PlannedConflict, PreviewItem, PreviewReport, PreviewRequest, Verdict};
pub use quota::{HighLevelQuota, PartnerQuota, Priority, Quota, QuotaUse};
pub use record::{RecordRef, Side};
pub use replay::{
    Parting, RecordingSummary, ReplayCall, ReplayReport, ReplayedCall, ReplayedLog, ReplayedOutcome,
};
pub use rollout::{
    Ask, OnTrial, Permission, Rollout, RolloutMode, RolloutQuery, RolloutState, ShadowDifference, Tally,
    Upgrade, UpgradePlan, UpgradeQuery, Version, WorkspacePolicy,
};
pub use run::{
    Call, FailureClass, FieldChange, FieldRemark, RemarkReason, Run, RunCause, RunKind, RunOutcome, RunQuery,
};
pub use secret::Secret;
pub use session::Session;
pub use story::{FieldJoin, FieldMoment, FieldStory, MomentKind, StoryQuery};
pub use sync::{FirstSync, SyncProgress, SyncRequest};
pub use vault::{
    FormerKey, KeyStep, RotateKeys, RotateRequest, SealedCount, SealedKind, Unopenable, VaultStatus,
};
pub use workspace::{NewWorkspace, Workspace, WorkspaceSettings, WorkspaceToken};

/// Makes a plain enum of the API from the enum of the same variants that the host works with, and back.
macro_rules! mirror {
    ($api:ty, $own:ty, [$($variant:ident),+ $(,)?]) => {
        impl From<$own> for $api {
            fn from(own: $own) -> Self {
                match own {
                    $(<$own>::$variant => Self::$variant,)+
                }
            }
        }

        impl From<$api> for $own {
            fn from(api: $api) -> Self {
                match api {
                    $(<$api>::$variant => Self::$variant,)+
                }
            }
        }
    };
}
pub(crate) use mirror;

//! What admins and operators do: workspaces, connectors, connections, syncs, and looking at what happened.

mod actions;
mod audit;
mod check;
mod conflicts;
mod connections;
mod connectors;
pub(crate) mod deletes;
mod emit;
mod erase;
mod grants;
mod history;
mod mapping;
mod matching;
mod parked;
mod people;
mod quota;
mod rollouts;
mod rules;
mod scopes;
pub(crate) mod secrets;
mod sync;
mod template;
mod tokens;
mod webhook_address;
mod why;
mod workspaces;

pub use actions::{ActionCall, ActionReport};
pub use check::CheckReport;
pub use conflicts::{ConflictPreview, ConflictReport, ConflictView, Resolve};
pub use connections::{AskView, ConnectionView, EnableConnection, Endpoint, OnTrial, SettingView};
pub use connectors::{ConnectorView, InspectReport, RepeatableView, ScopeRequest, inspect};
pub use deletes::{
    DeletionDecision, DeletionPreview, DeletionView, PlannedCall, PolicyChange, WaitingDeletions,
    WantedPolicy,
};
pub(crate) use grants::interfaces;
pub use history::{Timeline, TimelineEntry, TimelineKind, TimelinePage};
pub use mapping::{
    DraftField, DraftRecord, DraftReport, DraftTotals, MappingRow, MappingTrial, RowOrigin, TrialProblem,
    TrialReport, TrialRow,
};
pub(crate) use mapping::{is_known, of_contact, of_definition};
pub(crate) use matching::basis;
pub use matching::{BucketReport, MatchReport, SyncEstimate};
pub use parked::{ParkedAction, ParkedGroupView, Released, Unsure};
pub use people::{NewUser, UserView};
pub use quota::{HighLevelQuota, PartnerQuota, QuotaUse, QuotaView};
pub use rollouts::{NewUpgrade, RolloutView, UpgradePlan, VersionView};
pub use sync::FirstSync;
pub use tokens::{IssuedToken, NewToken, TOKEN_DAYS};
pub use why::WhyField;
pub use workspaces::NewWorkspace;
pub(crate) use workspaces::check_id;

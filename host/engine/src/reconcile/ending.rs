//! What a run comes to, from its plan to the commit.

use contactor_store::{
    ConflictEnd, Deletion, Disposition, FailureClass, FieldChange, FieldRemark, Link, Mark, RecordId,
    RunOutcome,
};
use contactor_sync::ConflictRecord;

/// How a run ended, before it is written down.
pub(crate) struct Ending {
    /// Nobody needs to read of it.
    pub(super) quiet: bool,
    pub(super) disposition: Disposition,
    pub(super) outcome: RunOutcome,
    pub(super) class: Option<FailureClass>,
    pub(super) summary: String,
    pub(super) link: Option<Link>,
    /// The link or tombstone whose place the new one takes.
    pub(super) replaces: Option<Link>,
    /// Links of child records to write, and those that go.
    pub(super) children: Vec<Link>,
    pub(super) unlinked: Vec<Link>,
    /// Other records that are dirty now.
    pub(super) marks: Vec<Mark>,
    pub(super) conflicts: Vec<ConflictRecord>,
    /// Conflicts that waited and are over.
    pub(super) ended: Vec<ConflictEnd>,
    /// What is waited for, or was done, because a record of the pair is gone.
    pub(super) deletion: Option<Deletion>,
    pub(super) changes: Vec<FieldChange>,
    /// Fields that were left as they were, with the reason.
    pub(super) remarks: Vec<FieldRemark>,
    pub(super) ids: (Option<RecordId>, Option<RecordId>),
}

impl Ending {
    pub(super) fn done(outcome: RunOutcome, summary: impl Into<String>) -> Self {
        Self {
            disposition: Disposition::Done,
            outcome,
            class: None,
            summary: summary.into(),
            quiet: false,
            link: None,
            replaces: None,
            children: Vec::new(),
            unlinked: Vec::new(),
            marks: Vec::new(),
            conflicts: Vec::new(),
            ended: Vec::new(),
            deletion: None,
            changes: Vec::new(),
            remarks: Vec::new(),
            ids: (None, None),
        }
    }

    pub(super) fn between(mut self, highlevel: Option<RecordId>, partner: Option<RecordId>) -> Self {
        self.ids = (highlevel, partner);
        self
    }
}

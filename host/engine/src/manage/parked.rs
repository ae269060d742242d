//! What a person must look at: by its cause, with what probably mends it, to be done again or to be let go.

use contactor_store::{
    AUTOMATION_ENTITY, ConnectionId, FailureClass, MESSAGE_ENTITY, Parked, ParkedCause, ParkedGroup,
    Priority, RecordKey, WEBHOOK_ENTITY, WorkspaceId,
};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::journal::digest;

/// Entries that are released at a time.
const PAGE: u32 = 500;
/// Releases at the same time: their commits are one.
const AT_ONCE: usize = 64;

/// Everything that is parked for one cause.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedGroupView {
    /// A short name, the same for the same cause.
    pub id: String,
    /// The cause and its counts.
    pub group: ParkedGroup,
    /// What probably mends it.
    pub fix: String,
}

/// How much of everything was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Entries that are done again, or were let go.
    pub released: u64,
    /// Entries of calls that may have happened, which are not done again without being asked for.
    pub left_out: u64,
}

/// What is done about calls that may have happened when everything is done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsure {
    /// They stay parked: doing one of them twice shows.
    LeaveOut,
    /// They are done once more.
    Repeat,
}

/// What a person decided about parked entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedAction {
    /// Do it again, from the state that both sides are in now.
    Retry,
    /// Do nothing about it.
    Discard,
}

impl Engine {
    /// Every parked entry of a workspace, newest first.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn parked(&self, workspace: &WorkspaceId) -> Result<Vec<Parked>, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().parked(workspace).await?)
    }

    /// What is parked in a workspace by its cause, the largest group first.
    ///
    /// # Errors
    /// No such workspace.
    pub async fn parked_groups(&self, workspace: &WorkspaceId) -> Result<Vec<ParkedGroupView>, EngineError> {
        self.workspace(workspace).await?;
        Ok(self.store().parked_groups(workspace).await?.into_iter().map(view).collect())
    }

    /// One group with its oldest entries.
    ///
    /// # Errors
    /// No such workspace or group; a group is gone when its last entry is.
    pub async fn parked_group(
        &self,
        workspace: &WorkspaceId,
        id: &str,
        limit: u32,
    ) -> Result<(ParkedGroupView, Vec<Parked>), EngineError> {
        let groups = self.parked_groups(workspace).await?;
        let group = groups.into_iter().find(|group| group.id == id).ok_or_else(|| {
            let hint = format!("; `contactor parked list {workspace}` shows those there are");
            EngineError::NotFound { what: "parked group", id: id.to_owned(), hint }
        })?;
        let entries = self.store().parked_of(&group.group.of, limit).await?;
        Ok((group, entries))
    }

    /// Has all entries of a group done again, or lets them go; answers how many they were.
    ///
    /// # Errors
    /// As [`parked_group`](Self::parked_group).
    pub async fn release_group(
        &self,
        workspace: &WorkspaceId,
        id: &str,
        action: ParkedAction,
    ) -> Result<u64, EngineError> {
        let (group, _) = self.parked_group(workspace, id, 0).await?;
        let ParkedGroup { of, count, .. } = group.group;
        // One record is what a person waits for; thousands are not to keep others waiting.
        let priority = if count == 1 { Priority::Interactive } else { Priority::Sweep };
        if action == ParkedAction::Retry {
            self.end_rest(&of.connection, &of.entity).await?;
        }
        let released = self.release_cause(&of, count, action, priority).await?;
        self.wake().wake();
        Ok(released)
    }

    /// Has everything that is parked of a connection done again, or lets it go; answers how much it was. Called again it releases
    /// what is parked by then: nothing, or what a call that was cut off left. A call that may have happened is done again only where that
    /// is asked for; to let it go repeats nothing.
    ///
    /// Released records have the priority of a sweep: nobody waits for each of thousands, and the guard against mass changes counts
    /// them.
    ///
    /// # Errors
    /// No such connection.
    pub async fn release_all(
        &self,
        id: &ConnectionId,
        action: ParkedAction,
        unsure: Unsure,
    ) -> Result<Released, EngineError> {
        let connection = self.stored(id).await?;
        let groups = self.store().parked_groups(&connection.workspace).await?;
        let mut answer = Released::default();
        for ParkedGroup { of, count, .. } in groups.into_iter().filter(|group| group.of.connection == *id) {
            if action == ParkedAction::Retry {
                if of.class == FailureClass::Unsure && unsure == Unsure::LeaveOut {
                    answer.left_out += count;
                    continue;
                }
                self.end_rest(id, &of.entity).await?;
            }
            answer.released += self.release_cause(&of, count, action, Priority::Sweep).await?;
        }
        self.wake().wake();
        Ok(answer)
    }

    /// The same of one cause, at most so many entries: what is parked again meanwhile is not done a third time.
    async fn release_cause(
        &self,
        of: &ParkedCause,
        count: u64,
        action: ParkedAction,
        priority: Priority,
    ) -> Result<u64, EngineError> {
        let mut released = 0;
        while released < count {
            let page = self.store().parked_of(of, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let done = futures_util::stream::iter(page)
                .map(|entry| async move { self.release(&entry.key, action, priority).await })
                .buffer_unordered(AT_ONCE);
            released += done.try_fold(0, async |sum, done| Ok(sum + u64::from(done))).await?;
            self.wake().wake();
        }
        Ok(released)
    }

    /// Has a parked entry done again; answers whether it was parked.
    ///
    /// # Errors
    /// No such connection.
    pub async fn retry_parked(&self, key: &RecordKey) -> Result<bool, EngineError> {
        self.end_rest(&key.connection, &key.entity).await?;
        let found = self.release(key, ParkedAction::Retry, Priority::Interactive).await?;
        self.wake().wake();
        Ok(found)
    }

    /// Takes a parked entry off the list without doing anything about it; answers whether it was parked.
    ///
    /// # Errors
    /// No such connection.
    pub async fn discard_parked(&self, key: &RecordKey) -> Result<bool, EngineError> {
        self.release(key, ParkedAction::Discard, Priority::Interactive).await
    }

    async fn release(
        &self,
        key: &RecordKey,
        action: ParkedAction,
        priority: Priority,
    ) -> Result<bool, EngineError> {
        Ok(match action {
            ParkedAction::Retry => self.store().retry_parked(key, priority).await?,
            ParkedAction::Discard => self.store().discard_parked(key).await?,
        })
    }
}

fn view(group: ParkedGroup) -> ParkedGroupView {
    let ParkedCause { connection, entity, class, cause } = &group.of;
    let key = serde_json::json!([connection, entity, class, cause]);
    let id = hex::encode(digest(&key))[..8].to_owned();
    let fix = fix(connection, entity, *class);
    ParkedGroupView { id, group, fix }
}

/// What probably mends a cause, in words for the admin.
fn fix(connection: &ConnectionId, entity: &str, class: FailureClass) -> String {
    let (workspace, connector) = connection.as_str().split_once('/').unwrap_or((connection.as_str(), ""));
    let record = match entity {
        WEBHOOK_ENTITY => "webhook",
        AUTOMATION_ENTITY => "event",
        MESSAGE_ENTITY => "message",
        _ => "record",
    };
    match class {
        FailureClass::Transient | FailureClass::Quota => format!(
            "the other system did not answer for too long: when it works again, retry the group; nothing is wrong with the {record}s"
        ),
        FailureClass::Guard => format!(
            "look what was about to be changed (`contactor guard show {workspace} {connector}`), allow it, then retry the group"
        ),
        FailureClass::Auth => format!(
            "connect it anew with `contactor connection enable {workspace} {connector}`, then retry the group"
        ),
        FailureClass::Config if entity == MESSAGE_ENTITY => {
            format!(
                "correct the destination with `contactor destination add {workspace} …`, then retry the group"
            )
        }
        FailureClass::Config => format!(
            "correct the mapping (`contactor mapping show {workspace} {connector}`) or a setting, then retry the group"
        ),
        FailureClass::Data if entity == AUTOMATION_ENTITY => format!(
            "correct the rule or the record that it works on (`contactor connection show {workspace} {connector}`), then retry the group"
        ),
        FailureClass::Data => format!(
            "correct the values in the {record}s, on either side: a change is tried at once; or change the mapping row that writes \
             them (`contactor mapping show {workspace} {connector}`) and retry the group"
        ),
        FailureClass::Unsure => {
            "look at the other system whether it was done: then retry the group to have it done once more, or discard it".to_owned()
        }
        FailureClass::Loop => {
            "find out who writes the record again and again, switch that off, then retry the group".to_owned()
        }
        FailureClass::Conflict => format!(
            "decide which of the two {record}s is meant, merge or delete the other one, then retry the group"
        ),
        FailureClass::Denied => format!(
            "grant what is missing: `contactor connection check {workspace} {connector}` names it; then retry the group"
        ),
        FailureClass::GuestBug => format!(
            "the connector {connector} failed: install a version that does not, then retry the group; its author needs the run \
             (`contactor runs show`)"
        ),
        FailureClass::Host => format!(
            "this host failed, not the {record}s: its log says why (the operators' part); when that is mended, retry the group"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_fix_and_names_a_command_that_exists() {
        let connection = ConnectionId::new("acme/prefinery");
        for class in FailureClass::ALL {
            for entity in ["contact", WEBHOOK_ENTITY, AUTOMATION_ENTITY, MESSAGE_ENTITY] {
                let fix = fix(&connection, entity, class);
                assert!(fix.contains("retry the group"), "{fix}");
                assert!(!fix.contains("  "), "{fix}");
            }
        }
    }
}

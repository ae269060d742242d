//! What something is sealed for.

use super::KeyId;
use super::aead::Binding;
use crate::model::{ConnectionId, RunId, WorkspaceId};

/// What something is sealed for: it opens for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    workspace: WorkspaceId,
    connection: Option<ConnectionId>,
    name: String,
}

impl Purpose {
    /// A credential under the name that the store knows it by: `<workspace>/<connector>/<field>` is one of a connection, whatever
    /// is shorter is the workspace's.
    pub fn credential(workspace: &WorkspaceId, name: &str) -> Self {
        let connection =
            name.rsplit_once('/').map(|(before, _)| before).filter(|before| before.contains('/'));
        Self {
            workspace: workspace.clone(),
            connection: connection.map(ConnectionId::new),
            name: name.to_owned(),
        }
    }

    /// The credential with this name, whose workspace is the name's first part.
    pub fn of_credential(name: &str) -> Self {
        let workspace = name.split('/').next().unwrap_or(name);
        Self::credential(&WorkspaceId::new(workspace), name)
    }

    /// The recording of a run.
    pub fn recording(workspace: &WorkspaceId, connection: &ConnectionId, run: &RunId) -> Self {
        Self::of_connection(workspace, connection, format!("recording/{run}"))
    }

    /// What an undo of a deletion needs.
    pub fn undo(workspace: &WorkspaceId, connection: &ConnectionId, deletion: i64) -> Self {
        Self::of_connection(workspace, connection, format!("{connection}/deletion/{deletion}"))
    }

    fn of_connection(workspace: &WorkspaceId, connection: &ConnectionId, name: String) -> Self {
        Self { workspace: workspace.clone(), connection: Some(connection.clone()), name }
    }

    /// The workspace whose data key seals it.
    pub fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same name, but of no connection.
    #[cfg(test)]
    pub(super) fn of_no_connection(self) -> Self {
        Self { connection: None, ..self }
    }

    /// The associated data.
    pub(super) fn binding(&self, key: &KeyId) -> Binding {
        Binding::of("contactor secret 2")
            .and(self.workspace.as_str())
            .and_perhaps(self.connection.as_ref().map(ConnectionId::as_str))
            .and(&self.name)
            .and_key(key)
    }

    /// The associated data of hosts that had no data keys.
    pub(super) fn binding_as_before(&self, key: &KeyId) -> Binding {
        Binding::of("contactor credential 1").and(self.workspace.as_str()).and(&self.name).and_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_name_says_whose_it_is() {
        for (name, connection) in [
            ("acme", None),
            ("acme/destination:team", None),
            ("acme/prefinery/auth", Some("acme/prefinery")),
            ("acme/prefinery/webhook", Some("acme/prefinery")),
        ] {
            let purpose = Purpose::of_credential(name);
            assert_eq!(purpose.workspace().as_str(), "acme", "{name}");
            assert_eq!(purpose.connection.as_ref().map(ConnectionId::as_str), connection, "{name}");
            assert_eq!(purpose, Purpose::credential(&WorkspaceId::new("acme"), name));
        }
    }
}

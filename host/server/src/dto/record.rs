//! Naming one record.

use contactor_store as own;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror;

/// A side of the synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// HighLevel.
    Highlevel,
    /// The connection's partner.
    Partner,
}

mirror!(Side, own::Side, [Highlevel, Partner]);
mirror!(Side, contactor_sync::Side, [Highlevel, Partner]);

/// A record of a connection, by one side's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRef {
    /// The kind of record.
    #[schema(example = "contact")]
    pub entity: String,
    /// Whose id follows.
    pub side: Side,
    /// The id.
    pub record: String,
}

impl RecordRef {
    /// The record as the store addresses it.
    pub(crate) fn of(self, connection: own::ConnectionId) -> own::RecordKey {
        own::RecordKey {
            connection,
            entity: self.entity,
            side: self.side.into(),
            record: own::RecordId::new(self.record),
        }
    }
}

impl From<&own::RecordKey> for RecordRef {
    fn from(own: &own::RecordKey) -> Self {
        Self { entity: own.entity.clone(), side: own.side.into(), record: own.record.to_string() }
    }
}

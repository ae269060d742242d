//! Fields that a system accepts and does not keep: told once, and shown with their connection from then on.
//!
//! Kept like what a walk has seen. A field that the mapping writes no more is not shown, and a changed mapping is told anew.

use contactor_store::{Connection, RecordId, Seen, SeenPage, Side};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::manage::MappingRow;

/// A field that a system does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotKept {
    /// The system.
    pub side: Side,
    /// Its field.
    pub field: String,
    /// When that was first seen under the present mapping.
    pub since: Timestamp,
}

/// What is told once.
pub(crate) fn about(side: Side, field: &str) -> String {
    format!("dropped:{}", name(side, field))
}

fn name(side: Side, field: &str) -> String {
    let side = if side == Side::Highlevel { "highlevel" } else { "partner" };
    format!("{side}.{field}")
}

fn stream(connection: &Connection) -> String {
    format!("dropped:{}", connection.id)
}

impl Engine {
    /// Keeps in view that a system does not keep a field.
    pub(crate) async fn note_dropped(&self, connection: &Connection, side: Side, field: &str) {
        let remark = Seen {
            record: RecordId::new(name(side, field)),
            parent: RecordId::new(self.now().to_string()),
            fingerprint: String::new(),
        };
        let page = SeenPage { seen: vec![remark], ..SeenPage::default() };
        if let Err(error) = self.store().put_seen(&connection.workspace, &stream(connection), page).await {
            tracing::warn!(connection = %connection.id, %error, "a field that is not kept is not noted");
        }
    }

    /// The fields of a connection that a system does not keep.
    pub(crate) async fn not_kept(&self, connection: &Connection) -> Result<Vec<NotKept>, EngineError> {
        let seen = self.store().seen(&connection.workspace, &stream(connection)).await?;
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.mapping(&connection.id).await?;
        Ok(seen.iter().filter_map(|one| shown(one, &rows)).collect())
    }
}

fn shown(seen: &Seen, rows: &[MappingRow]) -> Option<NotKept> {
    let (side, field) = seen.record.as_str().split_once('.')?;
    let side = if side == "highlevel" { Side::Highlevel } else { Side::Partner };
    let is_mapped = |row: &MappingRow| {
        let own = if side == Side::Highlevel { &row.row.highlevel } else { &row.row.partner };
        own == field && !row.row.off
    };
    let since = seen.parent.as_str().parse().ok()?;
    rows.iter().any(is_mapped).then(|| NotKept { side, field: field.to_owned(), since })
}

#[cfg(test)]
mod tests {
    use contactor_sync::{FieldType, RowSpec};

    use super::*;
    use crate::manage::RowOrigin;

    #[test]
    fn a_field_is_shown_while_the_mapping_writes_it() {
        let seen = |record: &str| Seen {
            record: RecordId::new(record),
            parent: RecordId::new("2026-11-26T12:00:00Z"),
            fingerprint: String::new(),
        };
        let row = MappingRow {
            entity: "contact".to_owned(),
            origin: RowOrigin::Connector,
            row: RowSpec::new("companyName", "profile.company", FieldType::Text),
        };
        let rows = [row.clone()];
        let own = shown(&seen("highlevel.companyName"), &rows).unwrap();
        assert_eq!((own.side, own.field.as_str()), (Side::Highlevel, "companyName"));
        assert_eq!(shown(&seen("partner.profile.company"), &rows).unwrap().field, "profile.company");
        assert_eq!(shown(&seen("highlevel.profile.company"), &rows), None);
        let off = MappingRow { row: RowSpec { off: true, ..row.row.clone() }, ..row };
        assert_eq!(shown(&seen("highlevel.companyName"), &[off]), None);
    }
}

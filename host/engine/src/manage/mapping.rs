//! Mapping without code: the rows that count, rows of the admin's own, and what becomes of sample values.

mod draft;
mod fields;
mod trial;

use contactor_manifest::Manifest;
use contactor_store::{Connection, ConnectionId, Pinned};
use contactor_sync::{Policy, RowSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::template::pair;
use crate::active::{compile_mappings, default_rows, owner_of};
use crate::engine::Engine;
use crate::error::EngineError;

pub use draft::{DraftField, DraftRecord, DraftReport, DraftTotals};
pub(super) use fields::{check_custom_fields, of_highlevel, of_partner};
pub(crate) use fields::{is_known, of_contact, of_definition};
pub use trial::{MappingTrial, TrialProblem, TrialReport, TrialRow};

/// Who wrote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowOrigin {
    /// The connector's author, in the manifest.
    Connector,
    /// The admin.
    Admin,
}

/// A row that counts, or one that the admin has switched off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingRow {
    /// The entity.
    pub entity: String,
    /// Who wrote it.
    pub origin: RowOrigin,
    /// The row: fields, direction, expressions, tables, policy; `off` when it does not count.
    pub row: RowSpec,
}

impl Engine {
    /// The rows of a connection, entity by entity: those that count, and those that the admin has switched off.
    ///
    /// # Errors
    /// No such connection.
    pub async fn mapping(&self, id: &ConnectionId) -> Result<Vec<MappingRow>, EngineError> {
        let connection = self.stored(id).await?;
        let manifest = self.manifest_of(&connection).await?;
        let effective = compile_mappings(&manifest, &connection.mapping)?;
        let own = own_rows(&connection.mapping)?;
        let mut rows = Vec::new();
        for (entity, mapping) in &effective {
            for row in mapping.rows() {
                let is_own = own.iter().any(|(of, own)| of == entity && own.key() == row.key());
                let origin = if is_own { RowOrigin::Admin } else { RowOrigin::Connector };
                rows.push(MappingRow { entity: entity.clone(), origin, row: row.clone() });
            }
        }
        let off = own.into_iter().filter(|(_, row)| row.off);
        rows.extend(off.map(|(entity, row)| MappingRow { entity, origin: RowOrigin::Admin, row }));
        Ok(rows)
    }

    /// Writes a row of the admin's, in place of the one that joins the same two fields. Both fields have to be there: the
    /// partner's in the manifest, HighLevel's among its own or the location's custom fields. Types that are left out are those of
    /// the fields.
    ///
    /// # Errors
    /// No such connection, a field that does not exist (with those that do), an expression that cannot be compiled, or rows that
    /// contradict each other. Nothing is stored then.
    pub async fn set_mapping_row(
        &self,
        id: &ConnectionId,
        entity: &str,
        row: Value,
    ) -> Result<Vec<MappingRow>, EngineError> {
        let _changing = self.changing(id).await;
        let mut connection = self.stored(id).await?;
        let manifest = self.manifest_of(&connection).await?;
        let row = self.checked_row(&connection, &manifest, entity, row).await?;
        let before = compile_mappings(&manifest, &connection.mapping)?;
        let rows = rows_of(&mut connection.mapping, entity);
        rows.retain(|old| pair(old) != pair(&row));
        rows.push(row);
        let workspace = self.workspace(&connection.workspace).await?;
        let after = compile_mappings(&manifest, &connection.mapping)?;
        // The row's own field was looked up; its expressions may name others.
        check_custom_fields(self, &workspace, &before, &after).await?;
        self.store_mapping(connection).await?;
        self.mapping(id).await
    }

    /// Chooses who wins when both sides changed a field. The rest of the row, the connector's or the admin's own, stays as it is; it
    /// is the admin's from then on.
    ///
    /// # Errors
    /// No such connection or row, or a policy that does not fit the field. Nothing is stored then.
    pub async fn set_mapping_policy(
        &self,
        id: &ConnectionId,
        entity: &str,
        (highlevel, partner): (&str, &str),
        policy: Policy,
    ) -> Result<Vec<MappingRow>, EngineError> {
        let rows = self.mapping(id).await?;
        let of_entity = || rows.iter().filter(|row| row.entity == entity && !row.row.off);
        let found = of_entity().find(|row| row.row.highlevel == highlevel && row.row.partner == partner);
        let Some(found) = found else {
            let known: Vec<_> =
                of_entity().map(|row| format!("{} {}", row.row.highlevel, row.row.partner)).collect();
            return Err(EngineError::NotFound {
                what: "mapping row",
                id: format!("{entity} {highlevel} {partner}"),
                hint: format!("; the rows that count are: {}", known.join(", ")),
            });
        };
        if found.row.is_set() {
            return Err(EngineError::Invalid(format!(
                "mapping row {}: sets are merged element by element and have no conflicts, so a policy would decide nothing",
                found.row.key()
            )));
        }
        let row = serde_json::to_value(RowSpec { policy, ..found.row.clone() })
            .map_err(|error| EngineError::Invalid(format!("mapping row: {error}")))?;
        self.set_mapping_row(id, entity, row).await
    }

    /// Takes a row of the admin's away; the connector's own counts again, if it has one.
    ///
    /// # Errors
    /// No such connection, or no such row.
    pub async fn unset_mapping_row(
        &self,
        id: &ConnectionId,
        entity: &str,
        highlevel: &str,
        partner: &str,
    ) -> Result<Vec<MappingRow>, EngineError> {
        let _changing = self.changing(id).await;
        let mut connection = self.stored(id).await?;
        let rows = rows_of(&mut connection.mapping, entity);
        let before = rows.len();
        rows.retain(|row| pair(row) != (Some(highlevel), Some(partner)));
        if rows.len() == before {
            return Err(EngineError::NotFound {
                what: "mapping row of the admin's",
                id: format!("{entity} {highlevel}={partner}"),
                hint: "; a row of the connector's is left out with `contactor mapping set … --off`"
                    .to_owned(),
            });
        }
        if rows.is_empty()
            && let Value::Object(mapping) = &mut connection.mapping
        {
            mapping.remove(entity);
        }
        self.store_mapping(connection).await?;
        self.mapping(id).await
    }

    /// A row whose fields are there, with their types filled in.
    async fn checked_row(
        &self,
        connection: &Connection,
        manifest: &Manifest,
        entity: &str,
        mut row: Value,
    ) -> Result<Value, EngineError> {
        if manifest.entity(entity).is_none() && owner_of(manifest, entity).is_none() {
            let known: Vec<_> = manifest.entities.iter().map(|entity| entity.name.as_str()).collect();
            return Err(EngineError::Invalid(format!(
                "mapping: {} has no `{entity}`; it has {}",
                manifest.connector.id,
                known.join(", ")
            )));
        }
        let (Some(highlevel), Some(partner)) = pair(&row) else {
            return Err(EngineError::Invalid("mapping: a row names a field of each side".to_owned()));
        };
        let (highlevel, partner) = (highlevel.to_owned(), partner.to_owned());
        let field = of_partner(manifest, entity, &partner)?;
        let workspace = self.workspace(&connection.workspace).await?;
        let own_type = of_highlevel(self, &workspace, entity, &highlevel).await?;
        let default = default_rows(manifest, entity)
            .into_iter()
            .find(|row| row.partner == partner && row.highlevel == highlevel);
        if let Value::Object(members) = &mut row {
            // As the connector joins them, or else as the fields are.
            let types = default.map_or((own_type.unwrap_or(field.kind), field.kind), |row| {
                (row.highlevel_type, row.partner_type)
            });
            for (name, kind) in [("highlevel_type", types.0), ("partner_type", types.1)] {
                members.entry(name).or_insert(serde_json::to_value(kind).unwrap_or_default());
            }
        }
        let parsed: RowSpec = serde_json::from_value(row.clone())
            .map_err(|error| EngineError::Invalid(format!("mapping row {highlevel}={partner}: {error}")))?;
        fields::check_direction(&parsed, &field, entity)?;
        Ok(row)
    }

    /// Stores rows that compile together with the connector's; the connection keeps its state.
    async fn store_mapping(&self, connection: Connection) -> Result<(), EngineError> {
        let id = connection.id.clone();
        let secrets = self.credentials().partner(&connection.workspace, &connection.id).await?;
        self.load_with(connection.clone(), secrets.clone()).await?;
        if let Some(rollout) = self.store().running_rollout(&id).await? {
            let Pinned { digest, grants, settings } = rollout.candidate;
            let on_trial = Connection { digest, grants, settings, ..connection.clone() };
            self.load_with(on_trial, secrets).await.map_err(|error| {
                EngineError::Conflict(format!("the version of {id} that is on trial cannot use it: {error}"))
            })?;
        }
        self.store().set_mapping(&id, connection.mapping).await?;
        self.forget(&id);
        Ok(())
    }
}

/// The admin's rows of an entity, to be changed.
fn rows_of<'m>(mapping: &'m mut Value, entity: &str) -> &'m mut Vec<Value> {
    if !mapping.is_object() {
        *mapping = Value::Object(Map::new());
    }
    let rows = &mut mapping[entity];
    if !rows.is_array() {
        *rows = Value::Array(Vec::new());
    }
    match rows {
        Value::Array(rows) => rows,
        // Made a list two lines above.
        _ => unreachable!("a list"),
    }
}

/// The admin's rows, entity by entity.
fn own_rows(mapping: &Value) -> Result<Vec<(String, RowSpec)>, EngineError> {
    let mut own = Vec::new();
    for (entity, rows) in mapping.as_object().into_iter().flatten() {
        let rows: Vec<RowSpec> = serde_json::from_value(rows.clone())
            .map_err(|error| EngineError::Invalid(format!("mapping of `{entity}`: {error}")))?;
        own.extend(rows.into_iter().map(|row| (entity.clone(), row)));
    }
    Ok(own)
}

//! Why a field of a record has its value: gathers what the store knows, and has the story told.

use std::collections::{BTreeMap, BTreeSet};

use contactor_store::{
    ConflictFilter, Connection, Event, EventSeq, Link, RecordId, Run, RunFilter, RunKind, Side,
    StoredConflict, Workspace, WorkspaceId,
};
use jiff::SignedDuration;

use super::MappingRow;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reconcile::children::Kind;
use crate::story::{FieldStory, Known, Pair, tell};

/// Runs of one id that a story goes back.
const DEPTH: u32 = 500;
/// Runs of automations and actions that are read with their calls, and events that are looked up.
const READ: usize = 200;
/// Characters of the list of fields in an error.
const LIST: usize = 1_500;

/// Which field of which record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyField {
    /// The record, by HighLevel's id or a partner's.
    pub record: RecordId,
    /// The field, by HighLevel's name or a partner's.
    pub field: String,
    /// Only this connector; all connections of the workspace if absent.
    pub connector: Option<String>,
    /// At most this many moments.
    pub limit: u32,
}

/// A connection with its rows and the record's link.
struct Connected {
    connection: Connection,
    partner: String,
    rows: Vec<MappingRow>,
    links: Vec<Link>,
}

impl Engine {
    /// Why a field of a record has its value.
    ///
    /// # Errors
    /// No such workspace, connection, record or field; the message says which there are.
    pub async fn why(&self, workspace: &WorkspaceId, ask: WhyField) -> Result<FieldStory, EngineError> {
        let workspace = self.workspace(workspace).await?;
        let connections = self.asked(&workspace, ask.connector.as_deref()).await?;
        let mut sides = Vec::new();
        for connection in connections {
            sides.push(self.side(connection).await?);
        }
        let pairs = pairs_of(&workspace, &sides, &ask)?;
        self.find_links(&mut sides, &ask.record).await?;
        let ids: BTreeSet<RecordId> = sides
            .iter()
            .flat_map(|side| &side.links)
            .flat_map(|link| [link.highlevel_id.clone(), link.partner_id.clone()])
            .chain([ask.record.clone()])
            .collect();
        let (runs, more) = self.runs_of(&workspace, &ids).await?;
        if runs.is_empty() && sides.iter().all(|side| side.links.is_empty()) {
            return Err(self.unknown_record(&workspace, &ask.record));
        }
        let side = if pairs.iter().any(|(_, row)| row.row.highlevel == ask.field) {
            Side::Highlevel
        } else {
            Side::Partner
        };
        let pairs: Vec<Pair> = pairs
            .into_iter()
            .filter(|(_, row)| side == Side::Partner || row.row.highlevel == ask.field)
            .map(|(at, row)| Pair {
                connection: sides[at].connection.id.clone(),
                partner: sides[at].partner.clone(),
                link: sides[at].links.iter().find(|link| link.entity == row.entity).cloned(),
                row,
            })
            .collect();
        let custom = pairs.iter().any(|pair| pair.row.row.highlevel.starts_with("customFields."));
        let keys = if custom { self.custom_keys(&workspace).await } else { BTreeMap::new() };
        let known = Known {
            side,
            events: self.events_of(&runs).await?,
            conflicts: self.conflicts_of(&workspace, &ids).await?,
            field: ask.field,
            pairs,
            runs,
            keys,
            kept_since: self.kept_since(&workspace),
            more,
            limit: ask.limit as usize,
        };
        Ok(tell(&known))
    }

    async fn asked(
        &self,
        workspace: &Workspace,
        connector: Option<&str>,
    ) -> Result<Vec<Connection>, EngineError> {
        let all = self.store().connections(Some(&workspace.id)).await?;
        let Some(connector) = connector else { return Ok(all) };
        let known: Vec<_> = all.iter().map(|connection| connection.connector.clone()).collect();
        let found: Vec<_> = all.into_iter().filter(|one| one.connector == connector).collect();
        if found.is_empty() {
            return Err(EngineError::NotFound {
                what: "connection",
                id: format!("{}/{connector}", workspace.id),
                hint: format!("; the workspace has {}", list(&known)),
            });
        }
        Ok(found)
    }

    async fn side(&self, connection: Connection) -> Result<Connected, EngineError> {
        let rows = self.mapping(&connection.id).await?;
        // Lists of children have stories of their own: a field of theirs is one of many.
        let of_record =
            |row: &MappingRow| Kind::of_list(&row.entity).is_none() && Kind::of_entity(&row.entity).is_none();
        let partner = self.manifest_of(&connection).await?.partner.name;
        let rows = rows.into_iter().filter(of_record).collect();
        Ok(Connected { connection, partner, rows, links: Vec::new() })
    }

    /// Finds the record's links by the given id, and the others by HighLevel's.
    async fn find_links(&self, sides: &mut [Connected], record: &RecordId) -> Result<(), EngineError> {
        let mut wanted = vec![(Side::Partner, record.clone()), (Side::Highlevel, record.clone())];
        for round in 0..2 {
            for one in sides.iter_mut() {
                let entities: BTreeSet<&str> = one.rows.iter().map(|row| row.entity.as_str()).collect();
                for entity in entities {
                    for (side, id) in &wanted {
                        let link = self.store().link(&one.connection.id, entity, *side, id).await?;
                        if let Some(link) = link.filter(|link| !one.links.contains(link)) {
                            one.links.push(link);
                        }
                    }
                }
            }
            if round == 0 {
                let found = sides.iter().flat_map(|side| &side.links);
                wanted = found.map(|link| (Side::Highlevel, link.highlevel_id.clone())).collect();
            }
        }
        Ok(())
    }

    /// The runs of a record under any of its ids, newest first; those of automations and actions with their calls.
    async fn runs_of(
        &self,
        workspace: &Workspace,
        ids: &BTreeSet<RecordId>,
    ) -> Result<(Vec<Run>, bool), EngineError> {
        let mut runs: Vec<Run> = Vec::new();
        let mut more = false;
        for id in ids {
            let filter = RunFilter {
                workspace: Some(workspace.id.clone()),
                record: Some(id.clone()),
                limit: DEPTH,
                ..RunFilter::default()
            };
            let found = self.store().runs(filter).await?;
            more |= found.len() == DEPTH as usize;
            runs.extend(found);
        }
        runs.sort_by(|a, b| b.id.cmp(&a.id));
        runs.dedup_by(|a, b| a.id == b.id);
        let called = |run: &&mut Run| matches!(run.kind, RunKind::Automation | RunKind::Action);
        for run in runs.iter_mut().filter(called).take(READ) {
            if let Some(full) = self.store().run(&run.id).await? {
                *run = full;
            }
        }
        Ok((runs, more))
    }

    async fn events_of(&self, runs: &[Run]) -> Result<BTreeMap<EventSeq, Event>, EngineError> {
        let telling =
            |run: &&Run| !run.changes.is_empty() || !run.calls.is_empty() && run.kind != RunKind::Reconcile;
        let numbers: BTreeSet<EventSeq> =
            runs.iter().filter(telling).filter_map(|run| run.event).take(READ).collect();
        let mut events = BTreeMap::new();
        for seq in numbers {
            events.extend(self.store().event(seq).await?.map(|event| (seq, event)));
        }
        Ok(events)
    }

    async fn conflicts_of(
        &self,
        workspace: &Workspace,
        ids: &BTreeSet<RecordId>,
    ) -> Result<Vec<StoredConflict>, EngineError> {
        let mut conflicts = Vec::new();
        for id in ids {
            let filter = ConflictFilter {
                workspace: workspace.id.clone(),
                connection: None,
                record: Some(id.clone()),
                open: false,
                limit: DEPTH,
            };
            conflicts.extend(self.store().conflicts(filter).await?);
        }
        Ok(conflicts)
    }

    /// HighLevel's custom fields by id. Without them the story lacks what automations wrote to one; it is told all the same.
    async fn custom_keys(&self, workspace: &Workspace) -> BTreeMap<String, String> {
        let Ok(definitions) = self.custom_fields(workspace, &self.location(workspace)).await else {
            return BTreeMap::new();
        };
        definitions.iter().filter_map(|one| Some((one.id.clone(), one.key()?.to_owned()))).collect()
    }

    /// What happened before is forgotten.
    pub(crate) fn kept_since(&self, workspace: &Workspace) -> jiff::Timestamp {
        let days = self.kept_days(workspace);
        let age = SignedDuration::from_hours(24 * i64::from(days));
        self.now().saturating_sub(age).unwrap_or(jiff::Timestamp::MIN).max(workspace.created_at)
    }

    fn unknown_record(&self, workspace: &Workspace, record: &RecordId) -> EngineError {
        let days = self.kept_days(workspace);
        EngineError::NotFound {
            what: "record",
            id: record.to_string(),
            hint: format!(
                " is linked in {id}, and no run that is kept ({days} days) worked on it; `contactor runs list --workspace {id}` \
                 shows records with their ids, HighLevel's or a partner's",
                id = workspace.id
            ),
        }
    }
}

/// The rows that join the field, with the place of their connection.
fn pairs_of(
    workspace: &Workspace,
    sides: &[Connected],
    ask: &WhyField,
) -> Result<Vec<(usize, MappingRow)>, EngineError> {
    let rows = || sides.iter().enumerate().flat_map(|(at, side)| side.rows.iter().map(move |row| (at, row)));
    let is_it = |row: &MappingRow| row.row.highlevel == ask.field || row.row.partner == ask.field;
    let found: Vec<_> =
        rows().filter(|(_, row)| is_it(row) && !row.row.off).map(|(at, row)| (at, row.clone())).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let hint = if rows().any(|(_, row)| is_it(row)) {
        "; its row is switched off, so it is not copied: `contactor mapping unset` brings the connector's own back".to_owned()
    } else {
        let joined: Vec<String> = sides
            .iter()
            .map(|side| {
                let rows = side.rows.iter().filter(|row| !row.row.off);
                let rows: Vec<_> = rows.map(|row| row.row.key().to_string()).collect();
                format!("{} joins {}", side.connection.id, list(&rows))
            })
            .collect();
        let joined = if joined.is_empty() { "there is no connection".to_owned() } else { joined.join("; ") };
        format!("; {}", crate::recorder::cut(joined, LIST))
    };
    Err(EngineError::NotFound {
        what: "mapped field",
        id: format!("{} in {}", ask.field, workspace.id),
        hint,
    })
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

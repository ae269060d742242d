//! Which lists of child records a connection keeps, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use contactor_manifest::{Manifest, Support};
use contactor_sync::{Child, Condition, Context, Direction, Fingerprint, Mapping, Side, list_fingerprint};

use super::plan::whole_fields;
use crate::error::EngineError;

/// A kind of child record that HighLevel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Note,
    Appointment,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Task, Self::Note, Self::Appointment];

    /// The entity's name.
    pub(crate) fn entity(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Note => "note",
            Self::Appointment => "appointment",
        }
    }

    /// The list's name: the entity of its dirty records.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Task => "tasks",
            Self::Note => "notes",
            Self::Appointment => "appointments",
        }
    }

    /// The kind of this entity.
    pub(crate) fn of_entity(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.entity() == name)
    }

    /// The kind whose list has this name.
    pub(crate) fn of_list(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.list() == name)
    }
}

/// Where the partner keeps a contact's children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In a field of its contact: an array of objects.
    Field(String),
    /// As records of their own, which are found by `contact_id`.
    Records,
    /// It keeps none: only the list as a whole is shown, for example as a count.
    Nowhere,
}

/// One list of a connection.
#[derive(Clone, Debug)]
pub(crate) struct ChildList {
    pub(crate) kind: Kind,
    pub(crate) home: Home,
    pub(crate) direction: Direction,
    pub(crate) include: Option<Arc<Condition>>,
    /// Rows of the children; none when the partner keeps no children.
    pub(crate) children: Option<Mapping>,
    /// Rows of the list as a whole.
    pub(crate) whole: Option<Mapping>,
}

impl ChildList {
    /// Whether children travel to HighLevel.
    pub(crate) fn flows_to_highlevel(&self) -> bool {
        self.children.is_some() && self.direction.flows_from(Side::Partner)
    }

    /// Fingerprint of everything that HighLevel's list offers to the partner: child by child, and as a whole.
    pub(crate) fn highlevel_print(&self, children: &[Child], context: &Context) -> Fingerprint {
        let side = Side::Highlevel;
        let each = self.children.as_ref().map(|mapping| list_fingerprint(mapping, side, children, context));
        let whole = self.whole.as_ref();
        let whole =
            whole.map(|mapping| mapping.fingerprint(side, &whole_fields(self.kind, children), context));
        let prints: Vec<_> = [each, whole].iter().flatten().map(|print| print.as_str().to_owned()).collect();
        Fingerprint::from_stored(prints.join("+"))
    }
}

/// The lists that a connector keeps, by their names.
pub(crate) fn compile(
    manifest: &Manifest,
    mappings: &BTreeMap<String, Mapping>,
) -> Result<BTreeMap<String, ChildList>, EngineError> {
    let mut lists = BTreeMap::new();
    for kind in Kind::ALL {
        let Some(entity) =
            manifest.entity(kind.entity()).filter(|entity| entity.support != Support::Unsupported)
        else {
            continue;
        };
        let home = match (&entity.projected_into, entity.support) {
            (Some(field), _) => Home::Field(field.clone()),
            (None, Support::Native) => Home::Records,
            (None, _) => Home::Nowhere,
        };
        let children = mappings.get(kind.entity()).filter(|_| home != Home::Nowhere).cloned();
        let whole = mappings.get(kind.list()).cloned();
        if children.is_none() && whole.is_none() {
            continue;
        }
        let direction = match entity.direction {
            // Bookings follow rules that no partner knows: they are made in HighLevel.
            _ if kind == Kind::Appointment => Direction::ToPartner,
            contactor_manifest::Direction::Both => Direction::Both,
            contactor_manifest::Direction::ToPartner => Direction::ToPartner,
            contactor_manifest::Direction::ToHighlevel => Direction::ToHighlevel,
        };
        let include = entity.include.as_deref().map(Condition::compile).transpose();
        let include = include
            .map_err(|reason| EngineError::Invalid(format!("`include` of `{}`: {reason}", entity.name)))?;
        let list = ChildList { kind, home, direction, include: include.map(Arc::new), children, whole };
        lists.insert(kind.list().to_owned(), list);
    }
    Ok(lists)
}

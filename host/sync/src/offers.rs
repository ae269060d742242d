//! What one side's record offers to the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::canonical::canonical;
use crate::expression::Record;
use crate::mapping::Row;
use crate::{CanonicalError, Context, FieldType, Fields, RowKey, Side, Value};

/// What one side offers, row by row.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Offers {
    /// The canonical value of every row that leaves this side, in the type of the other side's field.
    pub values: BTreeMap<RowKey, Value>,
    /// The rows whose value could not be offered.
    pub problems: Vec<FieldProblem>,
}

/// One row that was left out, and why. The other rows of the record go on.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("field `{field}` of {side} is left out of the sync until this is put right (row {row}): {problem}")]
pub struct FieldProblem {
    /// The side whose value is at fault.
    pub side: Side,
    /// The row.
    pub row: RowKey,
    /// The field on that side.
    pub field: String,
    /// What is wrong.
    pub problem: Problem,
}

/// Why a row's value could not be offered.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Problem {
    /// The record's value is not of the field's type.
    #[error("{0}")]
    Canonical(#[from] CanonicalError),
    /// The mapping's expression failed for this record.
    #[error("the mapping's expression `{expression}` failed: {reason}")]
    Expression {
        /// The expression as the mapping has it.
        expression: String,
        /// What the evaluation said.
        reason: String,
    },
}

/// What a side shows in one row.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// What it offers to the other side; in a row that does not leave this side, what it holds.
    pub(crate) offered: Result<Value, Problem>,
    /// Its own field: canonical in its own type, or as it is when that fails.
    pub(crate) held: Value,
}

impl Shown {
    /// What a record that does not exist shows.
    pub(crate) fn nothing() -> Self {
        Self { offered: Ok(Value::Null), held: Value::Null }
    }

    pub(crate) fn of(row: &Row, side: Side, record: &Arc<Record>, context: &Context) -> Self {
        let spec = &row.spec;
        let own_type = spec.field_type(side);
        let raw = record.fields.get(spec.field(side)).unwrap_or(&Value::Null);
        let (held, fault) = match canonical(own_type, raw, context) {
            Ok(value) => (value, None),
            Err(fault) => (raw.clone(), Some(fault)),
        };

        // The elements of a set that cannot be read would be lost when the set is written.
        let fault = match fault {
            Some(fault) if spec.is_set() => return Self { offered: Err(fault.into()), held },
            fault => fault,
        };
        if !spec.direction.flows_from(side) {
            return Self { offered: Ok(held.clone()), held };
        }

        let target = spec.field_type(side.other());
        let offered = match (row.expression(side), fault) {
            (Some(expression), _) => expression
                .evaluate(record, &held)
                .map_err(|reason| Problem::Expression { expression: expression.source().to_owned(), reason })
                .and_then(|value| Ok(canonical(target, &value, context)?)),
            (None, Some(fault)) => Err(fault.into()),
            (None, None) => convert(own_type, target, &held, context),
        };
        Self { offered, held }
    }
}

fn convert(from: FieldType, to: FieldType, held: &Value, context: &Context) -> Result<Value, Problem> {
    if from == to { Ok(held.clone()) } else { Ok(canonical(to, held, context)?) }
}

/// A record in the form that expressions read.
pub(crate) fn record(fields: &Fields, context: &Context) -> Arc<Record> {
    Arc::new(Record::new(fields.clone(), context.clone()))
}

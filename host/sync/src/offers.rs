//! What one side's record offers to the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::canonical::{canonical, shown};
use crate::expression::Record;
use crate::mapping::Row;
use crate::{CanonicalError, Context, Fields, RowKey, Side, Value};

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
    #[error("the mapping's expression `{expression}` failed for the value {value}: {reason}")]
    Expression {
        /// The expression as the mapping has it.
        expression: String,
        /// The value of the row's own field, shortened.
        value: String,
        /// What the evaluation said.
        reason: String,
    },
}

/// What becomes of one row's value on its way to the other side.
#[derive(Clone, Debug, PartialEq)]
pub struct RowView {
    /// The row.
    pub row: RowKey,
    /// The field that it leaves.
    pub source: String,
    /// The field that it would be written to.
    pub target: String,
    /// The source's own value, as it is.
    pub raw: Value,
    /// The value of the expression and the table, before it was made canonical in the target's type; none when it failed.
    pub computed: Option<Value>,
    /// What would be written, or why nothing is.
    pub result: Result<Value, Problem>,
}

/// What a side shows in one row.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// What it offers to the other side; in a row that does not leave this side, what it holds.
    pub(crate) offered: Result<Value, Problem>,
    /// What was computed before it was made canonical in the other side's type.
    pub(crate) computed: Option<Value>,
    /// Its own field: canonical in its own type, or as it is when that fails.
    pub(crate) held: Value,
}

impl Shown {
    /// What a record that does not exist shows.
    pub(crate) fn nothing() -> Self {
        Self { offered: Ok(Value::Null), computed: None, held: Value::Null }
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
            Some(fault) if spec.is_set() => return Self { offered: Err(fault.into()), computed: None, held },
            fault => fault,
        };
        if !spec.direction.flows_from(side) {
            return Self { offered: Ok(held.clone()), computed: None, held };
        }

        let target = spec.field_type(side.other());
        let computed = match (row.expression(side), fault) {
            (Some(expression), _) => {
                expression.evaluate(record, &held).map_err(|reason| Problem::Expression {
                    expression: expression.source().to_owned(),
                    value: shown(&held),
                    reason,
                })
            }
            (None, Some(fault)) => Err(fault.into()),
            (None, None) => Ok(held.clone()),
        };
        let computed = computed.map(|value| spec.values.apply(side, value));
        let is_own = row.expression(side).is_none() && spec.values.table(side).is_empty();
        let offered = match &computed {
            Err(problem) => Err(problem.clone()),
            // What was made canonical in this type already stays what it is.
            Ok(value) if is_own && own_type == target => Ok(value.clone()),
            Ok(value) => canonical(target, value, context).map_err(Problem::from),
        };
        Self { offered, computed: computed.ok(), held }
    }
}

/// A record in the form that expressions read.
pub(crate) fn record(fields: &Fields, context: &Context) -> Arc<Record> {
    Arc::new(Record::new(fields.clone(), context.clone()))
}

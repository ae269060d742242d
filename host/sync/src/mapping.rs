//! The compiled mapping of one connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use crate::consent::{self, DND};
use crate::expression::{CompileError, Expression};
use crate::fingerprint::Hasher;
use crate::offers::{FieldProblem, Offers, RowView, Shown, record};
use crate::{Context, FieldType, Fields, Fingerprint, Policy, RowKey, RowSpec, Side, Value};

/// A mapping that cannot work, found before it meets a record. Whoever wrote the row has to change it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MappingError {
    /// A row without a field name.
    #[error(
        "mapping row {row}: a row joins a HighLevel field and a partner field; one of the names is empty"
    )]
    NoField {
        /// The row.
        row: RowKey,
    },
    /// Two rows for one pair of fields.
    #[error("mapping row {row} appears twice; keep one of the two")]
    Duplicate {
        /// The row.
        row: RowKey,
    },
    /// An expression that cannot be compiled.
    #[error("mapping row {row}: the expression for {target}, `{expression}`, is not valid: {reason}")]
    Expression {
        /// The row.
        row: RowKey,
        /// The side that the expression's value is written to.
        target: Side,
        /// The expression.
        expression: String,
        /// What the compiler said.
        reason: String,
    },
    /// Two rows would write different values to one field.
    #[error(
        "mapping rows {first} and {second} both write `{field}` of {target}, so neither could keep it; join them in one \
         row with an expression, or give one of them the other direction"
    )]
    TwoWriters {
        /// The field.
        field: String,
        /// Whose field it is.
        target: Side,
        /// The earlier row.
        first: RowKey,
        /// The later row.
        second: RowKey,
    },
    /// [`Policy::Stricter`] on something other than a consent flag.
    #[error(
        "mapping row {row}: the policy `stricter` is for yes-or-no fields, and HighLevel's field is not `boolean`"
    )]
    StricterNeedsBoolean {
        /// The row.
        row: RowKey,
    },
}

/// The rows of one connection, checked and compiled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mapping {
    rows: Arc<[Row]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: RowKey,
    pub(crate) spec: RowSpec,
    to_partner: Option<Arc<Expression>>,
    to_highlevel: Option<Arc<Expression>>,
}

impl Row {
    fn compile(mut spec: RowSpec) -> Result<Self, MappingError> {
        if spec.highlevel == DND && spec.highlevel_type == FieldType::Boolean {
            // Not for a row to choose.
            spec.policy = Policy::Stricter;
        }
        let key = spec.key();
        if spec.highlevel.trim().is_empty() || spec.partner.trim().is_empty() {
            return Err(MappingError::NoField { row: key });
        }
        if spec.policy == Policy::Stricter && spec.highlevel_type != FieldType::Boolean {
            return Err(MappingError::StricterNeedsBoolean { row: key });
        }
        let expression = |source: Side| -> Result<Option<Arc<Expression>>, MappingError> {
            let Some(text) = spec.expression(source) else { return Ok(None) };
            let compiled =
                Expression::compile(text).map_err(|CompileError(reason)| MappingError::Expression {
                    row: key.clone(),
                    target: source.other(),
                    expression: text.to_owned(),
                    reason,
                })?;
            Ok(Some(Arc::new(compiled)))
        };
        let (to_partner, to_highlevel) = (expression(Side::Highlevel)?, expression(Side::Partner)?);
        Ok(Self { key, spec, to_partner, to_highlevel })
    }

    /// The expression over the record of `side`.
    pub(crate) fn expression(&self, side: Side) -> Option<&Expression> {
        match side {
            Side::Highlevel => self.to_partner.as_deref(),
            Side::Partner => self.to_highlevel.as_deref(),
        }
    }

    /// The fields of `side` that decide what it offers in this row.
    pub(crate) fn reads(&self, side: Side) -> BTreeSet<String> {
        let mut names = BTreeSet::from([self.spec.field(side).to_owned()]);
        if let Some(expression) = self.expression(side).filter(|_| self.spec.direction.flows_from(side)) {
            names.extend(expression.fields().iter().cloned());
        }
        names
    }

    /// Whether the record does not say what the row reads: only the partner's leaves out what is unknown.
    pub(crate) fn is_unknown(&self, side: Side, record: &Fields) -> bool {
        let mentions = |name: &String| {
            record.contains_key(name)
                || record.keys().any(|known| is_within(known, name) || is_within(name, known))
        };
        side == Side::Partner && !self.reads(side).iter().all(mentions)
    }

    /// Whether another value of the row's own field on `side` is always another offer: nothing is computed, looked up or cut.
    pub(crate) fn carries_all(&self, side: Side) -> bool {
        self.expression(side).is_none()
            && self.spec.values.table(side).is_empty()
            && self.spec.highlevel_type == self.spec.partner_type
    }

    /// Whether both rows, which write one field, always write the same value to it or merge theirs in.
    fn agrees_with(&self, other: &Self, source: Side) -> bool {
        if self.spec.is_set() && other.spec.is_set() {
            return true;
        }
        let target = source.other();
        let same_source = match (self.expression(source), other.expression(source)) {
            (Some(own), Some(its)) => own.source() == its.source() && !own.reads_own_field(),
            _ => false,
        };
        same_source
            && self.spec.field_type(target) == other.spec.field_type(target)
            && self.spec.values.table(source) == other.spec.values.table(source)
    }
}

impl Mapping {
    /// Checks and compiles rows; rows that are switched off are skipped.
    pub fn compile(specs: Vec<RowSpec>) -> Result<Self, MappingError> {
        let rows: Vec<Row> =
            specs.into_iter().filter(|spec| !spec.off).map(Row::compile).collect::<Result<_, _>>()?;
        let mut seen = BTreeSet::new();
        if let Some(row) = rows.iter().find(|row| !seen.insert(&row.key)) {
            return Err(MappingError::Duplicate { row: row.key.clone() });
        }
        for source in [Side::Highlevel, Side::Partner] {
            one_writer_per_field(&rows, source)?;
        }
        Ok(Self { rows: rows.into() })
    }

    /// The rows as they were written; that of `dnd` has the policy [`Policy::Stricter`] in any case.
    pub fn rows(&self) -> impl Iterator<Item = &RowSpec> {
        self.rows.iter().map(|row| &row.spec)
    }

    /// What a record of `side` offers to the other side.
    pub fn offers(&self, side: Side, fields: &Fields, context: &Context) -> Offers {
        let record = record(fields, context);
        let mut offers = Offers::default();
        for row in self.leaving(side) {
            match Shown::of(row, side, &record, context).offered {
                Ok(value) => {
                    offers.values.insert(row.key.clone(), value);
                }
                Err(problem) => offers.problems.push(FieldProblem {
                    side,
                    row: row.key.clone(),
                    field: row.spec.field(side).to_owned(),
                    problem,
                }),
            }
        }
        offers
    }

    /// What becomes of a record of `side`, row by row, for a person who tries a mapping out.
    pub fn explain(&self, side: Side, fields: &Fields, context: &Context) -> Vec<RowView> {
        let record = record(fields, context);
        self.leaving(side)
            .map(|row| {
                let shown = Shown::of(row, side, &record, context);
                RowView {
                    row: row.key.clone(),
                    source: row.spec.field(side).to_owned(),
                    target: row.spec.field(side.other()).to_owned(),
                    raw: fields.get(row.spec.field(side)).cloned().unwrap_or(Value::Null),
                    computed: shown.computed,
                    result: shown.offered,
                }
            })
            .collect()
    }

    /// The names of the fields of `side` that a merge looks at: every row's own field and what the expressions over
    /// this side's record mention. A snapshot that lacks one of them is not enough to merge with.
    ///
    /// An expression that reaches into a JSON field (`address.city`) is listed as it is written.
    pub fn inputs(&self, side: Side) -> BTreeSet<String> {
        self.rows.iter().flat_map(|row| row.reads(side)).collect()
    }

    /// Whether a field of `side` says what a person agreed to: HighLevel's own fields for it, whatever the rows say, and those that a
    /// row for consent joins or computes with.
    pub fn is_consent(&self, side: Side, field: &str) -> bool {
        if side == Side::Highlevel && consent::is_consent(field) {
            return true;
        }
        let is_for_consent =
            |row: &&Row| row.spec.policy == Policy::Stricter || consent::is_consent(&row.spec.highlevel);
        let names_it = |name: &String| is_within(name, field) || is_within(field, name);
        self.rows.iter().filter(is_for_consent).any(|row| row.reads(side).iter().any(names_it))
    }

    /// The partner's record with every field that a merge looks at: what it does not mention is empty. For records that are known to
    /// be whole.
    pub(crate) fn whole(&self, record: &Fields) -> Fields {
        let mut whole = record.clone();
        for row in self.rows.iter().filter(|row| row.is_unknown(Side::Partner, record)) {
            for name in row.reads(Side::Partner) {
                whole.entry(name).or_insert(Value::Null);
            }
        }
        whole
    }

    /// Fingerprint of what a record of `side` offers: equal for two records if and only if they offer the same, however
    /// their fields are ordered or spelt. A value that cannot be made canonical counts as it is.
    pub fn fingerprint(&self, side: Side, fields: &Fields, context: &Context) -> Fingerprint {
        let record = record(fields, context);
        let shown: BTreeMap<&RowKey, Shown> =
            self.leaving(side).map(|row| (&row.key, Shown::of(row, side, &record, context))).collect();
        let mut hasher = Hasher::new("contactor record 1");
        for (key, shown) in shown {
            hasher.text(key.as_str());
            match &shown.offered {
                Ok(value) => {
                    hasher.text("offers");
                    hasher.value(value);
                }
                Err(_) => {
                    hasher.text("holds");
                    hasher.value(&shown.held);
                }
            }
        }
        hasher.finish()
    }

    pub(crate) fn compiled(&self) -> &[Row] {
        &self.rows
    }

    fn leaving(&self, side: Side) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.spec.direction.flows_from(side))
    }
}

/// Whether a field is this one or a part of it. An expression may read a group of fields (`customFields`) or into one
/// (`address.city`).
pub(crate) fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn one_writer_per_field(rows: &[Row], source: Side) -> Result<(), MappingError> {
    let target = source.other();
    let mut writers: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.spec.direction.flows_from(source)) {
        let field = row.spec.field(target);
        let first = *writers.entry(field).or_insert(row);
        if first.key != row.key && !first.agrees_with(row, source) {
            return Err(MappingError::TwoWriters {
                field: field.to_owned(),
                target,
                first: first.key.clone(),
                second: row.key.clone(),
            });
        }
    }
    Ok(())
}

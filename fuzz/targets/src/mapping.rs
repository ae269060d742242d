//! Rows of a mapping as an admin writes them: they compile or say why not, every row offers a value or a problem, and what is offered
//! decides the fingerprint.
//!
//! Input: a line with the rows as a JSON array, then a record as a JSON object.

use contactor_sync::{Base, Context, Fields, Mapping, RowSpec, Side, View, merge, settle};

use crate::input::{fields, texts};

pub(crate) fn run(input: &[u8]) {
    let Some(([rows], record)) = texts::<1>(input) else { return };
    let Ok(rows) = serde_json::from_str::<Vec<RowSpec>>(rows) else { return };
    let (record, context) = (fields(record), Context::of_country("US"));
    let mapping = match Mapping::compile(rows.into_iter().take(16).collect()) {
        Ok(mapping) => mapping,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let rows: Vec<RowSpec> = mapping.rows().cloned().collect();
    assert!(Mapping::compile(rows.clone()).is_ok(), "rows that were taken are taken again");
    for side in [Side::Highlevel, Side::Partner] {
        let offers = mapping.offers(side, &record, &context);
        let leaving = rows.iter().filter(|row| row.direction.flows_from(side)).count();
        assert_eq!(offers.values.len() + offers.problems.len(), leaving, "every row that leaves {side}");
        let print = mapping.fingerprint(side, &record, &context);
        assert_eq!(mapping.fingerprint(side, &record, &context), print);
        assert_eq!(mapping.explain(side, &record, &context).len(), leaving);
        let _ = mapping.inputs(side);
    }
    created(&mapping, record, &context);
}

/// A record that is nowhere else is created there, and its own side is left alone.
fn created(mapping: &Mapping, record: Fields, context: &Context) {
    let highlevel = View::new(record);
    let Ok(merged) = merge(mapping, None, Some(&highlevel), None, context) else { return };
    assert!(merged.to_highlevel.is_empty() && merged.conflicts.is_empty());
    let base = settle(mapping, None, &merged, &highlevel.fields, &merged.to_partner, context);
    let stored: Base = serde_json::from_str(&serde_json::to_string(&base).unwrap()).unwrap();
    assert_eq!(stored, base, "as it is stored");
}

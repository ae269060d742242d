//! Expressions of mappings and rules: they compile or say why not, end within their budget, and the same values give the same result.
//!
//! Input: a line with the expression, then the record as a JSON object. libFuzzer's time limit for one input holds the budget to what
//! it is for.

use contactor_sync::{Context, check_expression, evaluate};

use crate::input::{fields, texts};

/// Bytes that a result may have as JSON: 256 KiB, in which every one may have to be escaped.
const MOST: usize = 2 * 1024 * 1024;

pub(crate) fn run(input: &[u8]) {
    let Some(([expression], record)) = texts::<1>(input) else { return };
    let (record, context) = (fields(record), Context::of_country("US"));
    let checked = check_expression(expression);
    let result = evaluate(expression, record.clone(), &context);
    // Compared as text: a number need not equal itself.
    assert_eq!(format!("{:?}", evaluate(expression, record, &context)), format!("{result:?}"));
    match (checked, result) {
        (Err(reason), result) => assert_eq!(result, Err(reason), "what cannot be compiled is not evaluated"),
        (Ok(()), Ok(value)) => assert!(value.to_json().to_string().len() <= MOST),
        // A reason is kept with the run, and read by a person.
        (Ok(()), Err(reason)) => assert!(!reason.is_empty() && reason.len() <= 2_000, "{reason}"),
    }
}

//! `rules`: expressions of an admin's settings, in the language of the mapping. They see what the connector gives them. And what
//! they hand to an action, held against its schema.

use contactor_runtime::bindings::rules::Host;
use contactor_runtime::bindings::types::{Error, FieldProblem, NamedValue, Value};

use super::{Direct, errors};
use crate::convert;
use crate::operations::schema;

impl Host for Direct {
    async fn evaluate(&mut self, expression: String, fields: Vec<NamedValue>) -> Result<Value, Error> {
        let fields = convert::fields_from_wit(&fields);
        let value = contactor_sync::evaluate(&expression, fields, &self.run.active.context);
        value
            .map(|value| convert::value_to_wit(&value))
            .map_err(|reason| errors::invalid(&expression, reason))
    }

    async fn check_input(&mut self, action: String, input: String) -> Result<(), Error> {
        let declared = self.run.active.manifest.action(&action);
        let declared = declared.ok_or_else(|| Error::NotFound(format!("the action {action}")))?;
        let input = serde_json::from_str(&input).map_err(|error| errors::invalid("", error.to_string()))?;
        let problems = schema::check(&declared.input, &input).map_err(|why| {
            Error::Other(format!("{action}: its schema cannot be used: {why}; this is its author's to mend"))
        })?;
        if problems.is_empty() {
            return Ok(());
        }
        let problem = |found: schema::Problem| FieldProblem { field: found.path, problem: found.problem };
        Err(Error::Invalid(problems.into_iter().map(problem).collect()))
    }
}

//! `rules`: expressions of an admin's settings, in the language of the mapping. They see what the connector gives them.

use contactor_runtime::bindings::rules::Host;
use contactor_runtime::bindings::types::{Error, NamedValue, Value};

use super::{Direct, errors};
use crate::convert;

impl Host for Direct {
    async fn evaluate(&mut self, expression: String, fields: Vec<NamedValue>) -> Result<Value, Error> {
        let fields = convert::fields_from_wit(&fields);
        let value = contactor_sync::evaluate(&expression, fields, &self.run.active.context);
        value
            .map(|value| convert::value_to_wit(&value))
            .map_err(|reason| errors::invalid(&expression, reason))
    }
}

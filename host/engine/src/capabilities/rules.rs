//! `rules`: expressions of an admin's settings, in the language of the mapping. They see what the connector gives them.
//!
//! A connector may ask thousands of times, with the costliest expression there is. So an evaluation runs neither on the guest's
//! fiber, whose stack is small, nor on the runtime's workers, and only a few run at the same time.

use std::sync::{Arc, LazyLock};

use contactor_runtime::bindings::rules::Host;
use contactor_runtime::bindings::types::{Error, NamedValue, Value};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Direct, errors};
use crate::convert;

/// Most bytes of the fields of one evaluation, all together: what an expression may read of them is less.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// One core at least stays free for everything else, unless there is only one.
static EVALUATIONS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(cores.saturating_sub(1).max(1)))
});

/// Bytes of a field, its name included.
fn size(field: &NamedValue) -> usize {
    let value = match &field.value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Texts(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
        Value::Empty | Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => size_of::<Value>(),
    };
    field.name.len() + value
}

impl Host for Direct {
    async fn evaluate(&mut self, expression: String, fields: Vec<NamedValue>) -> Result<Value, Error> {
        let bytes: usize = fields.iter().map(size).sum();
        if bytes > MOST_BYTES {
            let reason = format!("the fields hold {bytes} bytes, at most {MOST_BYTES} are allowed");
            return Err(errors::invalid(&expression, reason));
        }
        let Ok(permit) = Arc::clone(&*EVALUATIONS).acquire_owned().await else {
            unreachable!("the semaphore is never closed")
        };
        let context = self.run.active.context.clone();
        let evaluation = spawn_blocking(move || {
            // Held until the work ends, also when the call was given up by then.
            let _permit = permit;
            let value = contactor_sync::evaluate(&expression, convert::fields_from_wit(&fields), &context);
            (expression, value)
        });
        match evaluation.await {
            Ok((_, Ok(value))) => Ok(convert::value_to_wit(&value)),
            Ok((expression, Err(reason))) => Err(errors::invalid(&expression, reason)),
            Err(fault) => Err(errors::invalid("an expression", fault.to_string())),
        }
    }
}

//! `rules`: expressions of an admin's settings, in the language of the mapping. They see what the connector gives them. And what
//! they hand to an action, held against its schema.
//!
//! A connector may ask thousands of times, with the costliest expression there is. So an evaluation runs neither on the guest's
//! fiber, whose stack is small, nor on the runtime's workers, and only a few run at the same time.

use std::sync::{Arc, LazyLock};

use contactor_runtime::bindings::rules::Host;
use contactor_runtime::bindings::types::{Error, FieldProblem, NamedValue, Value};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Direct, errors};
use crate::convert;
use crate::operations::schema;

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

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use contactor_runtime::bindings::types::FieldProblem;

    use super::super::testing::Bench;
    use super::*;

    fn text(name: &str, value: String) -> NamedValue {
        NamedValue { name: name.to_owned(), value: Value::Text(value) }
    }

    fn problem(result: Result<Value, Error>) -> String {
        match result {
            Err(Error::Invalid(problems)) => {
                problems.into_iter().map(|FieldProblem { problem, .. }| problem).collect()
            }
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_evaluation_waits_for_its_place_and_leaves_the_worker_free() {
        let bench = Bench::new().await;
        let mut host = bench.allowed();
        let places = u32::try_from(EVALUATIONS.available_permits()).unwrap();
        let others = EVALUATIONS.acquire_many(places).await.unwrap();

        let mut call = std::pin::pin!(host.evaluate("a|upper".to_owned(), vec![text("a", "x".to_owned())]));
        // A future that never gives the worker back would be ready at once.
        let first = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending()));
        assert!(first.await);
        drop(others);
        assert!(matches!(call.await, Ok(Value::Text(text)) if text == "X"));
    }

    #[tokio::test]
    async fn what_is_too_large_or_nests_too_far_is_refused_with_a_reason() {
        let bench = Bench::new().await;
        let mut host = bench.allowed();
        let large = vec![text("a", "x".repeat(MOST_BYTES))];
        assert!(problem(host.evaluate("a".to_owned(), large).await).contains("at most 2097152"));
        let deep = format!("{}1", "-".repeat(1_990));
        assert!(problem(host.evaluate(deep, vec![]).await).contains("nests more than 32"));
    }
}

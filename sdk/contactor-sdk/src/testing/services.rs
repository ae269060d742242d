//! What a [`MockHost`](super::MockHost) keeps beside HighLevel and the partner: expressions, timers, messages.

use contactor_sync as sync;
use serde_json::Value as Json;

use super::{MockHost, schema};
use crate::notifications::{Message, Notifications};
use crate::rules::Rules;
use crate::timers::{Timer, Timers};
use crate::{Error, NamedValue, Result, Value};

impl Rules for MockHost {
    fn evaluate(&self, expression: &str, fields: &[NamedValue]) -> Result<Value> {
        let values = fields.iter().map(|named| (named.name.clone(), to_sync(&named.value))).collect();
        let context = sync::Context { country: Some("US".to_owned()) };
        sync::evaluate(expression, values, &context)
            .map(|value| Value::from(value.to_json()))
            .map_err(|reason| Error::invalid(expression, reason))
    }

    /// Without a manifest there is no schema, and everything fits.
    fn check_input(&self, action: &str, input: &str) -> Result<()> {
        let Some(manifest) = &self.manifest else { return Ok(()) };
        let declared = manifest.action(action);
        let declared = declared.ok_or_else(|| Error::NotFound(format!("the action {action}")))?;
        let problems = schema::problems(&declared.input, &serde_json::from_str(input)?);
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }
}

impl Timers for MockHost {
    fn set(&self, timer: &Timer) -> Result<()> {
        self.record("timers.set", format!("{:?}, {:?}", timer.name, timer.at), false)?;
        let mut timers = self.timers.borrow_mut();
        timers.retain(|present| present.name != timer.name);
        timers.push(timer.clone());
        Ok(())
    }

    fn cancel(&self, name: &str) -> Result<()> {
        self.record("timers.cancel", format!("{name:?}"), false)?;
        self.timers.borrow_mut().retain(|present| present.name != name);
        Ok(())
    }
}

impl Notifications for MockHost {
    fn send(&self, destination: &str, message: &Message) -> Result<()> {
        self.record("notifications.send", format!("{destination:?}, {:?}", message.title), true)?;
        if !self.destinations.iter().any(|known| known == destination) {
            return Err(Error::NotFound(format!("destination {destination}")));
        }
        self.messages.borrow_mut().push((destination.to_owned(), message.clone()));
        Ok(())
    }
}

fn to_sync(value: &Value) -> sync::Value {
    match value {
        Value::Empty => sync::Value::Null,
        Value::Text(text) => sync::Value::Text(text.clone()),
        Value::Integer(number) => sync::Value::Integer(*number),
        Value::Number(number) => sync::Value::Number(*number),
        Value::Boolean(yes) => sync::Value::Boolean(*yes),
        Value::Texts(texts) => sync::Value::Set(texts.iter().cloned().collect()),
        Value::Json(text) => serde_json::from_str::<Json>(text)
            .map_or_else(|_| sync::Value::Text(text.clone()), sync::Value::from_json),
    }
}

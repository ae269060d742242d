//! What the control API does to PheedLoop's double.

use serde_json::json;

use super::{Body, Done, no_route, overlay};
use crate::http::Call;
use crate::pheedloop::{EventAct, EventConfig, PheedLoop};

pub(super) fn answer(double: &PheedLoop, call: &Call, parts: &[&str], mut body: Body) -> Done {
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("POST", ["act"]) => double.act(body.all::<EventAct>()?),
        ("POST", ["emit"]) => double.emit(&body.need::<String>("trigger")?),
        ("POST", ["load"]) => {
            let event: String = body.take("event")?.unwrap_or_else(|| double.first_event());
            Ok(json!({"ids": double.load(&event, body.need("count")?)?}))
        }
        ("PUT", ["settings"]) => {
            if let Some(guesses) = body.0.remove("guesses") {
                double.set_guesses(overlay(&double.guesses(), guesses)?);
            }
            body.nothing_left()
        }
        ("POST", ["events"]) => {
            double.add_event(body.all::<EventConfig>()?);
            nothing
        }
        ("POST", ["revoke"]) => {
            double.revoke_key();
            nothing
        }
        _ => Err(no_route(call)),
    }
}

//! What the control API does to Referrizer's double.

use serde_json::json;

use super::{Body, Done, no_route, overlay};
use crate::http::Call;
use crate::referrizer::{AccountAct, Referrizer};

pub(super) fn answer(double: &Referrizer, call: &Call, parts: &[&str], mut body: Body) -> Done {
    match (call.method.as_str(), parts) {
        ("POST", ["act"]) => double.act(body.all::<AccountAct>()?),
        ("POST", ["emit"]) => double.emit(&body.need::<String>("trigger")?),
        ("POST", ["load"]) => Ok(json!({"ids": double.load(body.need("count")?)})),
        ("PUT", ["settings"]) => {
            if let Some(guesses) = body.0.remove("guesses") {
                double.set_guesses(overlay(&double.guesses(), guesses)?);
            }
            body.nothing_left()
        }
        ("POST", ["revoke"]) => {
            double.revoke_token();
            Ok(json!({}))
        }
        _ => Err(no_route(call)),
    }
}

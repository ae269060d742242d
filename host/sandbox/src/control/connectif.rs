//! What the control API does to Connectif's double.

use serde_json::json;

use super::{Body, Done, no_route, overlay, read};
use crate::connectif::{AccountAct, Connectif, CustomField};
use crate::http::Call;

pub(super) fn answer(double: &Connectif, call: &Call, parts: &[&str], mut body: Body) -> Done {
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("POST", ["act"]) => double.act(body.all::<AccountAct>()?),
        ("POST", ["emit"]) => double.emit(&body.need::<String>("trigger")?),
        ("POST", ["load"]) => Ok(json!({"ids": double.load(body.need("count")?)})),
        ("PUT", ["settings"]) => {
            if let Some(scopes) = body.take("scopes")? {
                double.set_scopes(scopes);
            }
            if let Some(limit) = body.0.remove("limit") {
                double.set_limit(read(limit)?);
            }
            if let Some(lag) = body.take("write_lag")? {
                double.set_write_lag(lag);
            }
            if let Some(guesses) = body.0.remove("guesses") {
                double.set_guesses(overlay(&double.guesses(), guesses)?);
            }
            body.nothing_left()
        }
        ("POST", ["fields"]) => {
            double.add_custom_field(body.all::<CustomField>()?);
            nothing
        }
        ("POST", ["release"]) => {
            double.release();
            nothing
        }
        ("POST", ["revoke"]) => {
            double.revoke_key();
            nothing
        }
        _ => Err(no_route(call)),
    }
}

//! What the control API does to Prefinery's double.

use serde_json::json;

use super::{Body, Done, no_route, overlay};
use crate::http::Call;
use crate::prefinery::{Prefinery, ProjectAct};

pub(super) fn answer(double: &Prefinery, call: &Call, parts: &[&str], mut body: Body) -> Done {
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("POST", ["act"]) => {
            let project = body.take("project")?.unwrap_or_else(|| double.first_project());
            double.act(project, body.all::<ProjectAct>()?)
        }
        ("POST", ["emit"]) => {
            let project = body.take("project")?.unwrap_or_else(|| double.first_project());
            double.emit(project, &body.need::<String>("trigger")?)
        }
        ("POST", ["load"]) => {
            let project = body.take("project")?.unwrap_or_else(|| double.first_project());
            Ok(json!({"ids": double.load(project, body.need("count")?)?}))
        }
        ("PUT", ["settings"]) => {
            if let Some(limited) = body.take("limited")? {
                double.set_limited(limited);
            }
            if let Some(visibility) = body.take("visibility")? {
                double.set_visibility(visibility);
            }
            if let Some(guesses) = body.0.remove("guesses") {
                double.set_guesses(overlay(&double.guesses(), guesses)?);
            }
            body.nothing_left()
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

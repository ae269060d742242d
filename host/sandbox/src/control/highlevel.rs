//! What the control API does to HighLevel's double.

use serde_json::{Value, json};

use super::{Body, Done, no_route, overlay, read};
use crate::highlevel::{HighLevel, LocationConfig, PersonAct};
use crate::http::Call;

pub(super) fn answer(double: &HighLevel, call: &Call, parts: &[&str], mut body: Body) -> Done {
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("POST", ["act"]) => {
            let location = body.take("location")?.unwrap_or_else(|| double.first_location());
            double.act(&location, body.all::<PersonAct>()?)
        }
        ("POST", ["emit"]) => {
            let location: String = body.take("location")?.unwrap_or_else(|| double.first_location());
            let event: String = body.need("event")?;
            double.emit(&location, &event, body.take("body")?.unwrap_or_default())
        }
        ("POST", ["load"]) => {
            let location: String = body.take("location")?.unwrap_or_else(|| double.first_location());
            Ok(json!({"ids": double.load(&location, body.need("count")?)?}))
        }
        ("PUT", ["settings"]) => {
            if let Some(limits) = body.0.remove("limits") {
                let base = double.limits().unwrap_or_default();
                double.set_limits(if limits.is_null() { None } else { Some(overlay(&base, limits)?) });
            }
            if let Some(lag) = body.take("search_lag")? {
                double.set_search_lag(lag);
            }
            if let Some(habits) = body.0.remove("habits") {
                double.set_habits(overlay(&double.habits(), habits)?);
            }
            body.nothing_left()
        }
        ("POST", ["refresh-index"]) => {
            double.refresh_index();
            nothing
        }
        ("POST", ["locations"]) => {
            double.add_location(body.all::<LocationConfig>()?);
            nothing
        }
        ("POST", ["active"]) => {
            let location: String = body.take("location")?.unwrap_or_else(|| double.first_location());
            double.set_active(&location, body.need("active")?)?;
            nothing
        }
        ("POST", ["authorize"]) => {
            let client: String = body.take("client_id")?.unwrap_or_else(|| double.app().client_id);
            let location: Option<String> = match body.0.remove("location") {
                None => Some(double.first_location()),
                Some(Value::Null) => None,
                Some(other) => Some(read(other)?),
            };
            Ok(json!({"code": double.authorize(&client, location.as_deref())?}))
        }
        ("POST", ["uninstall"]) => {
            let app: String = body.take("app")?.unwrap_or_else(|| double.app().id);
            let location: String = body.take("location")?.unwrap_or_else(|| double.first_location());
            double.uninstall(&app, &location)?;
            nothing
        }
        ("POST", ["revoke"]) => {
            double.revoke_token(&body.need::<String>("token")?);
            nothing
        }
        _ => Err(no_route(call)),
    }
}

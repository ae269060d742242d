//! What the control API does to 123FormBuilder's double.

use serde_json::json;

use super::{Body, Done, no_route, overlay, read};
use crate::SandboxError;
use crate::formbuilder::{FormAct, FormBuilder};
use crate::http::Call;

pub(super) async fn answer(double: &FormBuilder, call: &Call, parts: &[&str], mut body: Body) -> Done {
    let nothing = Ok(json!({}));
    match (call.method.as_str(), parts) {
        ("POST", ["act"]) => {
            let form = body.take("form")?.unwrap_or_else(|| double.first_form());
            double.act(form, body.all::<FormAct>()?)
        }
        ("POST", ["emit"]) => {
            let form = body.take("form")?.unwrap_or_else(|| double.first_form());
            double.emit(form, &body.need::<String>("trigger")?)
        }
        ("POST", ["load"]) => {
            let form = body.take("form")?.unwrap_or_else(|| double.first_form());
            Ok(json!({"ids": double.load(form, body.need("count")?)?}))
        }
        ("POST", ["webhook"]) => {
            let form = body.take("form")?.unwrap_or_else(|| double.first_form());
            let address: String = body.need("address")?;
            let address = address.parse();
            let address =
                address.map_err(|error| SandboxError::Instruction(format!("`address`: {error}")))?;
            double.add_webhook(form, address).await?;
            nothing
        }
        ("PUT", ["settings"]) => {
            if let Some(calls) = body.0.remove("daily_quota") {
                double.set_daily_quota(read(calls)?);
            }
            if let Some(guesses) = body.0.remove("guesses") {
                double.set_guesses(overlay(&double.guesses(), guesses)?);
            }
            body.nothing_left()
        }
        ("POST", ["expire"]) => {
            double.expire_tokens();
            nothing
        }
        ("POST", ["revoke"]) => {
            double.revoke_login();
            nothing
        }
        _ => Err(no_route(call)),
    }
}

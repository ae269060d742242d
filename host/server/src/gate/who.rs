//! Who asks: by the host's own token, by a token of a user, or by the cookie of a session.

use std::time::Instant;

use axum::response::{IntoResponse, Response};
use contactor_engine::{Caller, EngineError, SessionRefused, TokenRefused};
use http::{HeaderMap, Method, header};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::record::Change;
use super::refusal::{Refusal, refuse};
use super::session;
use crate::app::App;
use crate::cookies::{self, SESSION};
use crate::error::ApiError;

/// Why nobody is known to ask.
pub(super) enum Unknown {
    Refused(TokenRefused),
    /// A cookie that opens nothing.
    Ended(SessionRefused),
    /// A good cookie, and a request that another site may have made the browser send.
    Foreign(Box<Caller>, &'static str),
    Failed(EngineError),
}

impl Unknown {
    pub(super) async fn into_response(self, app: &App, change: Option<Change>) -> Response {
        let (kind, refusal, token, caller) = match self {
            Self::Failed(error) => return ApiError::from(error).into_response(),
            Self::Refused(refused) => {
                let refusal = Refusal { error: ApiError::unauthorized(&refused), why: refused.to_string() };
                (refused.kind(), refusal, refused.token().cloned(), None)
            }
            Self::Ended(refused) => {
                let refusal = Refusal { error: ApiError::logged_out(&refused), why: refused.to_string() };
                ("session", refusal, None, None)
            }
            Self::Foreign(caller, why) => {
                let error = ApiError::forbidden(format!("refused with a cookie alone: {why}"));
                ("cookie", Refusal { error, why: why.to_owned() }, None, Some(caller))
            }
        };
        metrics::counter!("contactor_admin_refused_total").increment(1);
        if let Ok(untold) = app.gate.lines.take(kind, Instant::now()) {
            tracing::warn!(why = refusal.why, untold, "a request of the admin API was refused");
        }
        let change = change.map(|mut change| {
            match &caller {
                Some(caller) => change.by(caller),
                None => change.with(token.as_ref()),
            }
            change
        });
        refuse(app, change, refusal).await
    }
}

/// Who asks.
pub(super) async fn who(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller, Unknown> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(cookie) = cookies::get(headers, SESSION)
    {
        return logged_in(app, method, headers, &cookie).await;
    }
    let Some(shown) = bearer(headers) else { return Err(Unknown::Refused(TokenRefused::Unknown)) };
    // Compared without stopping at the first difference.
    if bool::from(shown.ct_eq(app.config.admin_token.expose_secret().as_bytes())) {
        return Ok(Caller::root());
    }
    let Ok(shown) = std::str::from_utf8(shown) else {
        return Err(Unknown::Refused(TokenRefused::Unknown));
    };
    match app.engine.caller(shown).await {
        Ok(found) => found.map_err(Unknown::Refused),
        Err(error) => Err(Unknown::Failed(error.into())),
    }
}

/// Who asks with a session's cookie, if no other site can have made the browser ask.
async fn logged_in(app: &App, method: &Method, headers: &HeaderMap, cookie: &str) -> Result<Caller, Unknown> {
    let known = match app.engine.session(cookie).await {
        Ok(found) => found.map_err(Unknown::Ended)?,
        Err(error) => return Err(Unknown::Failed(error.into())),
    };
    // A host without a provider has no session either.
    let origin = app.engine.login_origin().unwrap_or_default();
    match session::foreign(method, headers, &origin, &known) {
        None => Ok(known.caller),
        Some(why) => Err(Unknown::Foreign(Box::new(known.caller), why)),
    }
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, shown) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn nothing_but_the_whole_token_opens() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        assert!(who(&app, &Method::GET, &with("Bearer fake-admin-token")).await.is_ok());
        assert!(who(&app, &Method::GET, &with("bearer fake-admin-token")).await.is_ok());
        for wrong in
            ["", "Bearer ", "Bearer", "fake-admin-token", "Basic fake-admin-token", "Bearer fake-admin-tok"]
        {
            assert!(
                matches!(who(&app, &Method::GET, &with(wrong)).await, Err(Unknown::Refused(_))),
                "{wrong}"
            );
        }
        assert!(who(&app, &Method::GET, &HeaderMap::new()).await.is_err());
    }
}

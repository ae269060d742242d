//! One exchange: token, quota, request, answer, record. Every operation goes through [`Location::call`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use crate::auth::AccessToken;
use crate::client::Location;
use crate::draft::FieldProblem;
use crate::error::{Error, ErrorKind, Exchange, Wait, classify, trace_id};
use crate::http::Unanswered;
use crate::limiter::{Permit, Refused};
use crate::model::Record;
use crate::operation::Operation;
use crate::quota::{self, Quota};
use crate::recorder::{CallRecord, capped};
use crate::version::ApiVersion;

/// What to send.
pub(crate) struct Call<'a> {
    operation: &'static Operation,
    ids: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<Map<String, Value>>,
}

impl<'a> Call<'a> {
    /// An operation, with an id for each placeholder of its path.
    pub(crate) fn new(operation: &'static Operation, ids: &[&'a str]) -> Self {
        Self { operation, ids: ids.to_vec(), query: Vec::new(), body: None }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(crate) fn query_opt(self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(crate) fn body(mut self, body: Map<String, Value>) -> Self {
        self.body = Some(body);
        self
    }

    /// The error of a call that is not made.
    pub(crate) fn refuse(&self, problems: Vec<FieldProblem>) -> Error {
        Error::new(ErrorKind::NotSendable(problems), Exchange::new(self.operation, self.operation.path))
    }
}

/// A successful answer.
pub(crate) struct Answer {
    value: Value,
    exchange: Exchange,
}

impl Answer {
    /// The value of one member, `null` when it is missing.
    pub(crate) fn take(&mut self, name: &str) -> Value {
        self.value.get_mut(name).map(Value::take).unwrap_or_default()
    }

    /// The record under this name.
    pub(crate) fn record<T: Record>(&mut self, name: &str) -> Result<T, Error> {
        let value = self.take(name);
        T::from_value(value).map_err(|error| self.error(format!("`{name}`: {error}")))
    }

    /// The whole answer as one record, or the record that it wraps under one of these names.
    pub(crate) fn whole<T: Record>(&mut self, wrappers: &[&str]) -> Result<T, Error> {
        let wrapper = wrappers.iter().find(|name| self.value.get(**name).is_some_and(Value::is_object));
        let value = match wrapper {
            Some(name) => self.take(name),
            None => self.value.take(),
        };
        T::from_value(value).map_err(|error| self.error(error.to_string()))
    }

    /// The records under this name. A missing list is an error, and so is a record without an id: taking either for
    /// "there is none" would look like a deletion.
    pub(crate) fn list<T: Record>(&mut self, name: &str) -> Result<Vec<T>, Error> {
        let present = self.value.get(name).is_some();
        match self.take(name) {
            Value::Null if present => Ok(Vec::new()),
            Value::Array(items) => items
                .into_iter()
                .map(|item| T::from_value(item).map_err(|error| self.error(format!("`{name}`: {error}"))))
                .collect(),
            _ => Err(self.error(format!("`{name}` should be a list"))),
        }
    }

    /// Texts under this name; none when it is missing.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        match self.take(name) {
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            _ => None,
        }
    }

    /// The success flag, in its right and its wrong spelling. A missing flag is a success: the status said so.
    pub(crate) fn succeeded(&self) -> Result<(), Error> {
        let flag =
            ["succeeded", "succeded", "success"].iter().find_map(|name| self.value.get(name)?.as_bool());
        if flag == Some(false) {
            let message = "it answered success = false without a reason".to_owned();
            return Err(Error::new(ErrorKind::Rejected { status: 200, message }, self.exchange.clone()));
        }
        Ok(())
    }

    /// An error about this answer.
    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        Error::new(ErrorKind::Decode { problem: problem.into() }, self.exchange.clone())
    }
}

impl Location {
    /// Makes a call. A token that the vendor rejects as invalid is renewed once, and the call made once more.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, Error> {
        let url = self.url(&call).map_err(|problem| call.refuse(vec![problem]))?;
        let exchange = Exchange::new(call.operation, url.path());
        let fail = |kind: ErrorKind| Error::new(kind, exchange.clone());
        // An empty object, too, is a body: the vendor documents one for joining a campaign.
        let body = call.body.as_ref().map(|body| Bytes::from(Value::Object(body.clone()).to_string()));

        if self.holding && exchange.write {
            return Err(self.hold_back(&call, &url, body.as_deref(), exchange.clone()));
        }
        let tokens = &self.shared.tokens;
        let token = tokens.token(&self.id).await.map_err(|error| fail(error.into()))?;
        match self.exchange(&call, &url, body.clone(), &token, exchange.clone()).await {
            Err(error) if matches!(error.kind(), ErrorKind::TokenExpired { .. }) => {
                let token = tokens.refresh(&self.id, &token).await.map_err(|error| fail(error.into()))?;
                self.exchange(&call, &url, body, &token, exchange.clone()).await
            }
            result => result,
        }
    }

    /// Records a write as it would have been sent.
    fn hold_back(&self, call: &Call<'_>, url: &Url, body: Option<&[u8]>, exchange: Exchange) -> Error {
        let error = Error::new(ErrorKind::HeldBack, exchange);
        if let Some(recorder) = &self.recorder {
            recorder.record(CallRecord {
                operation: call.operation.name,
                method: call.operation.method.to_string(),
                path: path_and_query(url),
                write: true,
                status: None,
                quota: None,
                duration: Duration::ZERO,
                waited: Duration::ZERO,
                request_body: body.map(capped),
                response_body: None,
                error: Some(error.kind().to_string()),
                trace_id: None,
            });
        }
        error
    }

    /// One request and its answer, within the quota.
    async fn exchange(
        &self,
        call: &Call<'_>,
        url: &Url,
        body: Option<Bytes>,
        token: &AccessToken,
        mut exchange: Exchange,
    ) -> Result<Answer, Error> {
        let queued = Instant::now();
        let permit = match self.limiter.acquire(self.priority).await {
            Ok(permit) => permit,
            Err(Refused { retry_after, daily }) => {
                return Err(Error::new(ErrorKind::RateLimited { retry_after, daily }, exchange));
            }
        };
        let sent = Instant::now();
        let request = self.request(call, url, body.clone(), token);
        let received = receive(request, self.shared.config.max_answer).await;
        let outcome = received.map(|raw| Raw { body: token.redacted(raw.body), ..raw });

        let mut record = CallRecord {
            operation: call.operation.name,
            method: call.operation.method.to_string(),
            path: path_and_query(url),
            write: exchange.write,
            status: None,
            quota: None,
            duration: sent.elapsed(),
            waited: sent - queued,
            request_body: body.as_deref().map(capped),
            response_body: None,
            error: None,
            trace_id: None,
        };
        let result = outcome.and_then(|raw| {
            record.status = Some(raw.status.as_u16());
            record.quota = Quota::from_headers(&raw.headers);
            record.response_body = Some(capped(&raw.body));
            judge(call.operation, &raw, record.quota.as_ref(), &permit, &mut exchange)
        });
        record.trace_id.clone_from(&exchange.trace_id);
        let result = match result {
            Ok(value) => Ok(Answer { value, exchange }),
            Err(kind) => Err(Error::new(kind, exchange)),
        };
        record.error = result.as_ref().err().map(|error| error.kind().to_string());
        tracing::debug!(
            operation = record.operation, location = %self.id, status = record.status,
            duration_ms = record.duration.as_millis(), error = record.error.as_deref(), "HighLevel call"
        );
        if let Some(recorder) = &self.recorder {
            recorder.record(record);
        }
        result
    }

    fn request(
        &self,
        call: &Call<'_>,
        url: &Url,
        body: Option<Bytes>,
        token: &AccessToken,
    ) -> reqwest::RequestBuilder {
        let shared = &self.shared;
        let mut request = shared
            .http
            .request(call.operation.method.clone(), url.clone())
            .timeout(shared.config.timeout)
            .bearer_auth(token.expose())
            .header("Version", shared.config.version.header(call.operation.part))
            .header(header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        request
    }

    fn url(&self, call: &Call<'_>) -> Result<Url, FieldProblem> {
        let segments = segments(call.operation, &call.ids, self.version())?;
        let mut url = self.shared.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&segments);
        }
        if !call.query.is_empty() {
            // Form encoding: `+` becomes `%2B`, which the vendor asks for in phones, and `@` becomes `%40`.
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

/// Segments that mean an operation of their own where an id is expected. `DELETE …/campaigns/removeAll` would leave every
/// campaign.
const RESERVED: &[&str] =
    &[".", "..", "removeAll", "remove-all", "search", "upsert", "business", "bulk", "tags"];

/// The path's segments, with the ids in their places.
fn segments<'a>(
    operation: &Operation,
    ids: &[&'a str],
    version: ApiVersion,
) -> Result<Vec<&'a str>, FieldProblem>
where
    'static: 'a,
{
    let mut ids = ids.iter();
    let mut segments = Vec::new();
    for segment in operation.path.split('/').skip(1) {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            segments.push(if segment == "removeAll" { version.remove_all_campaigns() } else { segment });
            continue;
        };
        let id = ids.next().copied().unwrap_or_default();
        // The URL's writer drops tabs and line ends: with them a reserved word, or dots, could be spelt around the list.
        if id.trim().is_empty() || id.chars().any(char::is_control) || RESERVED.contains(&id) {
            return Err(FieldProblem::new(name, format!("`{id}` is not an id")));
        }
        segments.push(id);
    }
    Ok(segments)
}

fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// An answer before anybody looked at it.
struct Raw {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

async fn receive(request: reqwest::RequestBuilder, max_answer: usize) -> Result<Raw, ErrorKind> {
    let mut response = request.send().await.map_err(|error| transport(&error))?;
    let mut raw =
        Raw { status: response.status(), headers: std::mem::take(response.headers_mut()), body: Vec::new() };
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
        if raw.body.len() + chunk.len() > max_answer {
            return Err(ErrorKind::Decode { problem: format!("it is longer than {max_answer} bytes") });
        }
        raw.body.extend_from_slice(&chunk);
    }
    Ok(raw)
}

fn transport(error: &reqwest::Error) -> ErrorKind {
    let Unanswered { problem, sent } = Unanswered::of(error);
    ErrorKind::Transport { problem, sent }
}

/// What an answer means; tells the limiter what it says about the quota.
fn judge(
    operation: &Operation,
    raw: &Raw,
    quota: Option<&Quota>,
    permit: &Permit,
    exchange: &mut Exchange,
) -> Result<Value, ErrorKind> {
    permit.answered(quota);
    let json = serde_json::from_slice::<Value>(&raw.body);
    exchange.trace_id = json.as_ref().ok().and_then(trace_id);
    if raw.status.is_success() {
        if raw.body.is_empty() {
            return Ok(Value::Null);
        }
        return json.map_err(|_| ErrorKind::Decode { problem: "it is no JSON".to_owned() });
    }
    let asked = quota::retry_after(&raw.headers, jiff::Timestamp::now());
    let limited = match raw.status {
        StatusCode::TOO_MANY_REQUESTS => permit.refused(quota, asked),
        _ => (Duration::ZERO, false),
    };
    Err(classify(operation, raw.status, &raw.body, Wait { asked, limited }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation;

    #[test]
    fn ids_take_their_places_and_a_trailing_slash_stays() {
        let version = ApiVersion::V20210728;
        assert_eq!(
            segments(&operation::TASKS_GET, &["c", "t"], version).unwrap(),
            ["contacts", "c", "tasks", "t"]
        );
        assert_eq!(segments(&operation::CONTACTS_CREATE, &[], version).unwrap(), ["contacts", ""]);
    }

    #[test]
    fn leaving_all_campaigns_is_spelt_by_the_version() {
        let last =
            |version| *segments(&operation::CAMPAIGNS_REMOVE_ALL, &["c"], version).unwrap().last().unwrap();
        assert_eq!(last(ApiVersion::V20210728), "removeAll");
        assert_eq!(last(ApiVersion::V3), "remove-all");
    }

    #[test]
    fn an_id_cannot_turn_one_operation_into_another() {
        for id in ["", " ", ".", "..", ".\t.", "removeAll", "remove\nAll", "remove-all"] {
            let refused = segments(&operation::CAMPAIGNS_REMOVE, &["c", id], ApiVersion::V20210728);
            assert_eq!(refused.unwrap_err().field, "campaignId", "{id}");
        }
        for id in ["", "..", "search", "upsert"] {
            assert!(segments(&operation::CONTACTS_GET, &[id], ApiVersion::V20210728).is_err(), "{id}");
        }
    }
}

//! The admin API as the commands use it: typed calls, one file per subject, and errors that say whose turn it is.

mod connections;
mod decisions;
mod error;
mod history;
mod host;
mod mapping;
mod oauth;
mod people;
mod sync;
mod workspaces;

use std::time::Duration;

use contactor_highlevel::http::{Options, Unanswered, client};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

pub(crate) use self::error::ClientError;
use self::error::refusal;

/// Longer than the host's own limit for a request of the admin API, so that the host is the one to explain.
const PATIENCE: Duration = Duration::from_secs(150);

type Result<T> = std::result::Result<T, ClientError>;

/// A running host.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

impl Client {
    /// Reaches the host at `base` with its admin token.
    pub(crate) fn new(base: Url, token: SecretString) -> Result<Self> {
        let options = Options { timeout: PATIENCE, ..Options::default() };
        Ok(Self { http: client(&options).map_err(ClientError::Setup)?, base, token })
    }

    /// An address of the host, for others to send to.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T> {
        self.json(self.request(Method::GET, path)).await
    }

    fn of_connection(
        &self,
        method: Method,
        workspace: &str,
        connector: &str,
        rest: &[&str],
    ) -> RequestBuilder {
        let path = [&["workspaces", workspace, "connections", connector], rest].concat();
        self.request(method, &path)
    }

    /// Segments are encoded one by one: an id with a slash stays one segment.
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        self.http.request(method, url).bearer_auth(self.token.expose_secret())
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        let url = response.url().clone();
        response
            .json()
            .await
            .map_err(|error| ClientError::Unexpected { url, what: Unanswered::of(&error).problem })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| ClientError::Unreachable {
            url: self.base.clone(),
            reason: Unanswered::of(&error).problem,
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, url) = (response.status(), response.url().clone());
        let text = response.text().await.unwrap_or_default();
        Err(refusal(status, url, &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_at(base: &str) -> Client {
        Client::new(base.parse().unwrap(), SecretString::from("fake-admin-token")).unwrap()
    }

    #[test]
    fn ids_are_encoded_segment_by_segment() {
        let request =
            client_at("http://127.0.0.1:1/below/").of_connection(Method::GET, "a/b", "c?", &["sync"]);
        let url = request.build().unwrap().url().clone();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/below/api/v1/workspaces/a%2Fb/connections/c%3F/sync");
    }

    #[tokio::test]
    async fn a_host_that_is_not_there_is_reported_with_the_command_that_starts_it() {
        // Bound and dropped: nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = client_at(&base).health().await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }));
        assert!(error.to_string().contains("contactor serve"), "{error}");
    }
}

//! The requests: prepared here, and sent by whoever has to survive them.

use std::fmt;
use std::time::Duration;

use http::header;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::answer::{self, Asked, OAuthError, OAuthErrorKind, TokenSet};
use super::app::{LIST_LOCATIONS, OAuthApp, OPEN_LOCATIONS};
use crate::http::Unanswered;
use crate::ids::LocationId;
use crate::quota;
use crate::redact::Redactor;
use crate::version::ApiVersion;

/// Longest answer that is read. A pair of tokens has some two kilobytes, a page of locations less than this.
const LARGEST: usize = 1024 * 1024;

/// Locations on a page of [`OAuthClient::installed_locations`].
const PAGE: usize = 100;

/// Most pages that are read: an agency of 100,000 locations.
const PAGES: usize = 1_000;

/// Whom a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserType {
    /// A location.
    Location,
    /// An agency.
    Company,
}

/// What is asked of the token endpoint.
#[derive(Debug)]
pub enum TokenRequest<'a> {
    /// Turns the code of a consent into the first pair. Whom it is for, the answer tells.
    Code(&'a SecretString),
    /// Turns a refresh token into the next pair; the token is spent.
    Refresh(&'a SecretString, UserType),
}

/// A request to the token endpoint, complete with its secrets: for another process to send, should this one end meanwhile.
#[derive(Serialize, Deserialize)]
pub struct Prepared {
    url: String,
    version: Option<String>,
    bearer: Option<String>,
    form: Vec<(String, String)>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({})", self.url)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        use secrecy::zeroize::Zeroize;
        self.bearer.zeroize();
        for (_, value) in &mut self.form {
            value.zeroize();
        }
    }
}

/// An answer as it came, tokens and all.
#[derive(Serialize, Deserialize)]
pub struct Answered {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Drop for Answered {
    fn drop(&mut self) {
        use secrecy::zeroize::Zeroize;
        self.body.zeroize();
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answered({}, {} bytes)", self.status, self.body.len())
    }
}

/// A location that an agency could have the app in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledLocation {
    /// Its id.
    pub id: LocationId,
    /// Its name.
    pub name: String,
}

/// The token endpoint and the calls about installations. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    http: reqwest::Client,
    base_url: Url,
    version: ApiVersion,
    timeout: Duration,
    app: OAuthApp,
}

impl OAuthClient {
    /// A client of this app at `base_url`, which is checked as [`HighLevel`](crate::HighLevel)'s is.
    pub fn new(
        http: reqwest::Client,
        config: &crate::Config,
        app: OAuthApp,
    ) -> Result<Self, crate::ConfigError> {
        let base_url = crate::client::base_url(config)?;
        Ok(Self { http, base_url, version: config.version, timeout: config.timeout, app })
    }

    /// Longest time of one request.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Puts a request together.
    pub fn prepare(&self, request: &TokenRequest<'_>) -> Prepared {
        let names = Names::of(self.version);
        let mut form = vec![
            (names.client_id, self.app.client_id.clone()),
            (names.client_secret, self.app.client_secret.expose_secret().to_owned()),
        ];
        match request {
            TokenRequest::Code(code) => form.extend([
                (names.grant_type, "authorization_code".to_owned()),
                ("code", code.expose_secret().to_owned()),
                (names.redirect, self.app.redirect_url.to_string()),
            ]),
            TokenRequest::Refresh(token, user) => form.extend([
                (names.grant_type, "refresh_token".to_owned()),
                (names.refresh_token, token.expose_secret().to_owned()),
                (names.user_type, format!("{user:?}")),
            ]),
        }
        Prepared {
            url: self.url("oauth/token").into(),
            // The first version's endpoint knows no such header; version 3 requires it.
            version: (self.version == ApiVersion::V3).then(|| self.version.as_str().to_owned()),
            bearer: None,
            form: form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    /// Reads the answer to a request.
    ///
    /// # Errors
    /// What the vendor refused, and what that means for the grant.
    pub fn read(&self, answered: &Answered, request: &TokenRequest<'_>) -> Result<TokenSet, OAuthError> {
        let (TokenRequest::Code(secret) | TokenRequest::Refresh(secret, _)) = request;
        let hidden = Redactor::new([*secret, &self.app.client_secret], 4);
        let asked = Asked { hidden: &hidden, scope: None };
        answer::read(answered.status, answered.retry_after, &answered.body, &asked)
    }

    /// Turns a consent's code into the first pair. In this process: a consent that is lost with it is given again.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn exchange(&self, code: &SecretString) -> Result<TokenSet, OAuthError> {
        let request = TokenRequest::Code(code);
        let answered = send(&self.http, &self.prepare(&request), self.timeout).await?;
        self.read(&answered, &request)
    }

    /// Turns an agency's token into one of its locations'.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`NotInstalled`](OAuthErrorKind::NotInstalled) when the agency does not have the app in there, and
    /// [`LacksScope`](OAuthErrorKind::LacksScope) when it consented without [`OPEN_LOCATIONS`].
    pub async fn location_token(
        &self,
        company: &str,
        access: &SecretString,
        location: &LocationId,
    ) -> Result<TokenSet, OAuthError> {
        let path = match self.version {
            ApiVersion::V20210728 => "oauth/locationToken",
            ApiVersion::V3 => "oauth/location-token",
        };
        let form = [("companyId", company), ("locationId", location.as_str())];
        let request = Prepared {
            url: self.url(path).into(),
            version: Some(self.version.as_str().to_owned()),
            bearer: Some(access.expose_secret().to_owned()),
            form: form.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        };
        let answered = send(&self.http, &request, self.timeout).await?;
        let hidden = Redactor::new([access], 4);
        let asked = Asked { hidden: &hidden, scope: Some(OPEN_LOCATIONS) };
        answer::read(answered.status, answered.retry_after, &answered.body, &asked)
    }

    /// The locations in which an agency has the app.
    ///
    /// # Errors
    /// What the vendor refused; [`LacksScope`](OAuthErrorKind::LacksScope) when the agency consented without [`LIST_LOCATIONS`].
    pub async fn installed_locations(
        &self,
        company: &str,
        access: &SecretString,
    ) -> Result<Vec<InstalledLocation>, OAuthError> {
        let mut found = Vec::new();
        let mut token = None::<String>;
        for page in 0..PAGES {
            let json = self.installed_page(company, access, page, token.as_deref()).await?;
            let rows = ["locations", "items"].iter().find_map(|name| json.get(*name)?.as_array());
            let rows = rows.ok_or_else(|| unreadable("it lists no locations"))?;
            let installed = |row: &&Value| row.get("isInstalled").and_then(Value::as_bool).unwrap_or(true);
            found.extend(rows.iter().filter(installed).filter_map(|row| {
                let text = |name: &str| row.get(name).and_then(Value::as_str);
                let id = text("_id").or_else(|| text("id"))?;
                Some(InstalledLocation {
                    id: LocationId::new(id),
                    name: text("name").unwrap_or_default().to_owned(),
                })
            }));
            token = json.pointer("/pagination/nextPageToken").and_then(Value::as_str).map(str::to_owned);
            let more = match self.version {
                ApiVersion::V20210728 => rows.len() == PAGE,
                ApiVersion::V3 => token.is_some(),
            };
            if !more {
                return Ok(found);
            }
        }
        Err(unreadable("its list of locations does not end"))
    }

    async fn installed_page(
        &self,
        company: &str,
        access: &SecretString,
        page: usize,
        token: Option<&str>,
    ) -> Result<Value, OAuthError> {
        let path = match self.version {
            ApiVersion::V20210728 => "oauth/installedLocations",
            ApiVersion::V3 => "oauth/installed-locations",
        };
        let mut url = self.url(path);
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("companyId", company).append_pair("appId", self.app.app_id());
            query.append_pair("isInstalled", "true");
            match (self.version, token) {
                (ApiVersion::V20210728, _) => {
                    query.append_pair("skip", &(page * PAGE).to_string());
                    query.append_pair("limit", &PAGE.to_string());
                }
                (ApiVersion::V3, token) => {
                    query.append_pair("pageSize", &PAGE.to_string());
                    if let Some(token) = token {
                        query.append_pair("pageToken", token);
                    }
                }
            }
        }
        let request = self
            .http
            .get(url)
            .timeout(self.timeout)
            .bearer_auth(access.expose_secret())
            .header("Version", self.version.as_str());
        let answered = receive(request).await?;
        let json = serde_json::from_slice::<Value>(&answered.body).unwrap_or_default();
        if (200..300).contains(&answered.status) {
            return Ok(json);
        }
        let hidden = Redactor::new([access], 4);
        let asked = Asked { hidden: &hidden, scope: Some(LIST_LOCATIONS) };
        Err(answer::refusal(answered.status, answered.retry_after, &json, &asked).into())
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }
}

/// Sends a prepared request, once.
///
/// # Errors
/// [`Unavailable`](OAuthErrorKind::Unavailable) when no answer came.
pub async fn send(
    http: &reqwest::Client,
    prepared: &Prepared,
    timeout: Duration,
) -> Result<Answered, OAuthError> {
    let mut request = http
        .post(&prepared.url)
        .timeout(timeout)
        .header(header::ACCEPT, "application/json")
        .form(&prepared.form);
    if let Some(version) = &prepared.version {
        request = request.header("Version", version);
    }
    if let Some(bearer) = &prepared.bearer {
        request = request.bearer_auth(bearer);
    }
    receive(request).await
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Answered, OAuthError> {
    let mut response = request.send().await.map_err(|error| unsent(&error))?;
    let mut answered = Answered {
        status: response.status().as_u16(),
        retry_after: quota::retry_after(response.headers(), jiff::Timestamp::now()),
        body: Vec::with_capacity(4096),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| unsent(&error))? {
        if answered.body.len() + chunk.len() > LARGEST {
            return Err(unreadable("it is longer than a megabyte"));
        }
        answered.body.extend_from_slice(&chunk);
    }
    Ok(answered)
}

fn unreadable(problem: &str) -> OAuthError {
    OAuthErrorKind::Unreadable { problem: problem.to_owned() }.into()
}

fn unsent(error: &reqwest::Error) -> OAuthError {
    let Unanswered { problem, sent } = Unanswered::of(error);
    OAuthErrorKind::Unavailable { problem, sent }.into()
}

/// How the form's members are spelt.
struct Names {
    client_id: &'static str,
    client_secret: &'static str,
    grant_type: &'static str,
    refresh_token: &'static str,
    redirect: &'static str,
    user_type: &'static str,
}

impl Names {
    const fn of(version: ApiVersion) -> Self {
        match version {
            ApiVersion::V20210728 => Self {
                client_id: "client_id",
                client_secret: "client_secret",
                grant_type: "grant_type",
                refresh_token: "refresh_token",
                redirect: "redirect_uri",
                user_type: "user_type",
            },
            ApiVersion::V3 => Self {
                client_id: "clientId",
                client_secret: "clientSecret",
                grant_type: "grantType",
                refresh_token: "refreshToken",
                redirect: "redirectUri",
                user_type: "userType",
            },
        }
    }
}

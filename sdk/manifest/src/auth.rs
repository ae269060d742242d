//! Ways to authenticate at a partner, as data: the host adds the credential, the connector never sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Template;

/// `[[auth]]`: one way to authenticate.
///
/// The keys that belong to each `kind`:
///
/// | kind | keys | sends |
/// |---|---|---|
/// | `basic` | `user`, `password` | `Authorization: Basic …` of the two |
/// | `bearer` | `token` | `Authorization: Bearer …` |
/// | `header-pair` | `headers` | each of these headers |
/// | `prefixed-header` | `header`, `value` | one header, for example `Authorization: apiKey {id}:{secret}` |
/// | `query` | `parameter`, `value` | one query parameter |
/// | `login` | `login` | a token that a login request answered |
/// | `oauth2` | `oauth2` | `Authorization: Bearer …` of an access token that the host keeps fresh |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Auth {
    /// Its id, which a connection stores.
    pub id: String,
    /// Its name for a person.
    pub title: String,
    /// How the credential is sent.
    #[serde(flatten)]
    pub scheme: Scheme,
    /// What an admin enters.
    #[serde(rename = "credential")]
    pub credentials: Vec<Credential>,
    /// Where the admin finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How a credential is sent. Placeholders are the names of the credential's parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Scheme {
    /// HTTP Basic.
    Basic {
        /// The user name.
        user: Template,
        /// The password; often empty where the user name is a key.
        password: Template,
    },
    /// `Authorization: Bearer …`.
    Bearer {
        /// The token.
        token: Template,
    },
    /// Several headers.
    HeaderPair {
        /// Value by header name.
        headers: BTreeMap<String, Template>,
    },
    /// One header with text around the credential.
    PrefixedHeader {
        /// The header's name.
        header: String,
        /// Its value.
        value: Template,
    },
    /// One query parameter.
    Query {
        /// The parameter's name.
        parameter: String,
        /// Its value, not encoded.
        value: Template,
    },
    /// A login request that answers a token.
    Login {
        /// The request and what to do with its answer.
        login: Login,
    },
    /// OAuth 2.0 with an authorization code.
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// The endpoints.
        oauth2: OAuth2,
    },
}

/// A part of a credential that an admin enters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its name, the placeholder of the scheme.
    pub name: String,
    /// Its name for a person.
    pub title: String,
    /// It is never shown again once entered. True unless said otherwise.
    #[serde(default = "yes")]
    pub secret: bool,
}

/// A login request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Path below the base URL; the method is POST.
    pub path: String,
    /// How the fields are sent.
    #[serde(default)]
    pub body: LoginBody,
    /// The body's fields.
    pub fields: BTreeMap<String, Template>,
    /// Where the answer holds the token (JSON pointer, for example `/token`).
    pub token: String,
    /// How long the token may be used, in seconds. It is fetched anew after that and when the partner refuses it.
    pub lifetime_seconds: u32,
    /// Statuses with which the partner refuses a token that has ended. The host then logs in once more and repeats the request.
    #[serde(default = "unauthorized")]
    pub expired: Vec<u16>,
    /// Where the token goes.
    pub placement: Placement,
}

/// How a login's fields are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginBody {
    /// As a JSON object.
    #[default]
    Json,
    /// As `application/x-www-form-urlencoded`.
    Form,
}

/// Where a token goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// `Authorization: Bearer …`.
    Bearer,
    /// The header of this name.
    Header(String),
    /// The query parameter of this name.
    Query(String),
    /// The query parameter of this name, and for a POST the field of this name in a form body.
    QueryOrForm(String),
}

/// OAuth 2.0 endpoints. The client id and the client secret are the credential's parts `client_id` and `client_secret`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where the admin consents.
    pub authorize_url: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: String,
    /// The partner's scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Use PKCE (RFC 7636). True unless the partner cannot.
    #[serde(default = "yes")]
    pub pkce: bool,
    /// How the client identifies itself at the token endpoint.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
}

/// How an OAuth client identifies itself (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuthentication {
    /// HTTP Basic.
    #[default]
    Basic,
    /// In the request's body.
    Body,
}

impl Auth {
    /// Every placeholder that the scheme uses.
    pub fn placeholders(&self) -> Vec<&str> {
        match &self.scheme {
            Scheme::Basic { user, password } => user.names().chain(password.names()).collect(),
            Scheme::Bearer { token: value }
            | Scheme::PrefixedHeader { value, .. }
            | Scheme::Query { value, .. } => value.names().collect(),
            Scheme::HeaderPair { headers } => headers.values().flat_map(Template::names).collect(),
            Scheme::Login { login } => login.fields.values().flat_map(Template::names).collect(),
            Scheme::OAuth2 { .. } => vec!["client_id", "client_secret"],
        }
    }
}

fn unauthorized() -> Vec<u16> {
    vec![401]
}

fn yes() -> bool {
    true
}

/// `[[auth]]` as it is written: serde cannot refuse unknown keys beside a flattened, tagged enum, so the keys are sorted here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    title: String,
    kind: Kind,
    #[serde(default)]
    credential: Vec<Credential>,
    help: Option<String>,
    user: Option<Template>,
    password: Option<Template>,
    token: Option<Template>,
    headers: Option<BTreeMap<String, Template>>,
    header: Option<String>,
    parameter: Option<String>,
    value: Option<Template>,
    login: Option<Login>,
    oauth2: Option<OAuth2>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Basic,
    Bearer,
    HeaderPair,
    PrefixedHeader,
    Query,
    Login,
    Oauth2,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::HeaderPair => "header-pair",
            Self::PrefixedHeader => "prefixed-header",
            Self::Query => "query",
            Self::Login => "login",
            Self::Oauth2 => "oauth2",
        }
    }

    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Basic => &["user", "password"],
            Self::Bearer => &["token"],
            Self::HeaderPair => &["headers"],
            Self::PrefixedHeader => &["header", "value"],
            Self::Query => &["parameter", "value"],
            Self::Login => &["login"],
            Self::Oauth2 => &["oauth2"],
        }
    }
}

impl TryFrom<Raw> for Auth {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let (id, kind) = (raw.id, raw.kind);
        let given = [
            ("user", raw.user.is_some()),
            ("password", raw.password.is_some()),
            ("token", raw.token.is_some()),
            ("headers", raw.headers.is_some()),
            ("header", raw.header.is_some()),
            ("parameter", raw.parameter.is_some()),
            ("value", raw.value.is_some()),
            ("login", raw.login.is_some()),
            ("oauth2", raw.oauth2.is_some()),
        ];
        let keys = kind.keys();
        let expected = || format!("expected {} for kind `{}`", keys.join(" and "), kind.name());
        if let Some((key, _)) = given.iter().find(|(key, given)| *given && !keys.contains(key)) {
            return Err(format!("auth `{id}`: `{key}` does not belong here, {}", expected()));
        }
        let missing = |key: &str| format!("auth `{id}`: `{key}` is missing, {}", expected());
        let scheme = match kind {
            Kind::Basic => Scheme::Basic {
                user: raw.user.ok_or_else(|| missing("user"))?,
                password: raw.password.unwrap_or_default(),
            },
            Kind::Bearer => Scheme::Bearer { token: raw.token.ok_or_else(|| missing("token"))? },
            Kind::HeaderPair => {
                Scheme::HeaderPair { headers: raw.headers.ok_or_else(|| missing("headers"))? }
            }
            Kind::PrefixedHeader => Scheme::PrefixedHeader {
                header: raw.header.ok_or_else(|| missing("header"))?,
                value: raw.value.ok_or_else(|| missing("value"))?,
            },
            Kind::Query => Scheme::Query {
                parameter: raw.parameter.ok_or_else(|| missing("parameter"))?,
                value: raw.value.ok_or_else(|| missing("value"))?,
            },
            Kind::Login => Scheme::Login { login: raw.login.ok_or_else(|| missing("login"))? },
            Kind::Oauth2 => Scheme::OAuth2 { oauth2: raw.oauth2.ok_or_else(|| missing("oauth2"))? },
        };
        Ok(Self { id, title: raw.title, scheme, credentials: raw.credential, help: raw.help })
    }
}

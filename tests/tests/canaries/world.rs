//! A host in which everything that is a secret is a canary, and those whom it speaks with.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contactor_engine::LOGIN_CALLBACK;
use contactor_manifest::embed;
use contactor_sandbox::highlevel::LocationConfig;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::artefacts;
use contactor_tests::host::{Host, OUTBOUND};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::mail::Mail;
use super::mirror::Mirror;
use super::needles::Canary;

const MANIFEST: &str = include_str!("../../guest-operations/connector.toml");
/// The agency of the double's locations.
pub(crate) const AGENCY: &str = "SandboxCompany000001";

/// Where browsers reach the host, by what its configuration says.
pub(crate) const PUBLIC: &str = "https://host.example";
/// What proves to the identity provider which client the host is.
const OPENID_SECRET: &str = "cnry-openid/+secret=";

/// Destinations of messages over HTTP: the name, which is the beginning of the path as well, and a part of the address that nobody else
/// knows; with a signing key for those that have one.
const RECEIVERS: [(&str, &str, Option<&str>); 3] = [
    ("chat", "cnry-chat-address", None),
    ("hook", "cnry-hook-address", Some("cnry-standard-webhooks-key-32-b!")),
    ("board", "cnry-board-address", Some("cnry-board-webhooks-key-of-32-b!")),
];

/// A scheme of the manifest: the connector that uses it, its section, and its credential.
pub(crate) struct Scheme {
    pub(crate) connector: &'static str,
    section: &'static str,
    /// Parts that are secrets.
    parts: &'static [&'static str],
}

/// Every scheme that the host can do.
pub(crate) const SCHEMES: [Scheme; 6] = [
    Scheme {
        connector: "basic",
        section: "kind = \"basic\"\nuser = \"{user}\"\npassword = \"{password}\"",
        parts: &["user", "password"],
    },
    Scheme { connector: "bearer", section: "kind = \"bearer\"\ntoken = \"{token}\"", parts: &["token"] },
    Scheme {
        connector: "pair",
        section: "kind = \"header-pair\"\nheaders = { X-Key = \"{key}\", X-Proof = \"{proof}\" }",
        parts: &["key", "proof"],
    },
    Scheme {
        connector: "prefixed",
        section: "kind = \"prefixed-header\"\nheader = \"Authorization\"\nvalue = \"apiKey {id}:{secret}\"",
        parts: &["id", "secret"],
    },
    Scheme {
        connector: "query",
        section: "kind = \"query\"\nparameter = \"api_key\"\nvalue = \"{key}\"",
        parts: &["key"],
    },
    Scheme {
        connector: "login",
        section: "kind = \"login\"\nlogin = { path = \"/login\", fields = { user = \"{name}\", pass = \"{pass}\" }, \
                  token = \"/token\", lifetime_seconds = 600, placement = { query = \"session\" } }",
        parts: &["name", "pass"],
    },
];

impl Scheme {
    /// The canary of a part; each with letters that are written differently in different places.
    fn secret(&self, part: &str) -> String {
        format!("cnry-{}-{part}/+&=<{}>", self.connector, self.connector.len() + part.len())
    }

    fn webhook_secret(&self) -> String {
        format!("cnry-{}-signs-webhooks", self.connector)
    }

    /// What it sends to its partner and to nobody else.
    pub(crate) fn canaries(&self) -> Vec<Canary> {
        let canary = |part: &&str| Canary::new(format!("{}: {part}", self.connector), self.secret(part));
        self.parts.iter().map(canary).collect()
    }

    /// The connector that makes each call that it is told to, with this way to authenticate.
    fn component(&self) -> Vec<u8> {
        let credentials: Vec<_> =
            self.parts.iter().map(|part| format!("{{ name = \"{part}\", title = \"{part}\" }}")).collect();
        let manifest = MANIFEST
            .replace("id = \"operations\"", &format!("id = \"{}\"", self.connector))
            .replace(
                "kind = \"bearer\"\ntoken = \"{token}\"\ncredential = [{ name = \"token\", title = \"Access token\" }]",
                &format!("{}\ncredential = [{}]", self.section, credentials.join(", ")),
            )
            .replace(
                "signature = { kind = \"none\" }",
                "signature = { kind = \"hmac-sha256\", header = \"x-signed\", format = \"{signature}\", signed = \"{body}\" }",
            );
        assert!(
            manifest.contains(self.section) && manifest.contains("hmac-sha256"),
            "the manifest has changed"
        );
        embed(&artefacts::component("guest-operations").unwrap(), &manifest).unwrap()
    }
}

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) mirror: Mirror,
    pub(crate) mail: Mail,
    /// What the host answered to anybody.
    pub(crate) answers: Vec<u8>,
    /// What commands printed.
    pub(crate) printed: Vec<u8>,
    /// Secrets that came up on the way.
    pub(crate) met: Vec<Canary>,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let mut config = SandboxConfig::default();
        config.highlevel.limits = None;
        config.highlevel.apps[0].client_secret = "cnry-client/+secret".into();
        config.highlevel.locations[0].private_token = "cnry-of-nobody".into();
        config.highlevel.locations.push(LocationConfig {
            private_token: "cnry-private/+integration=token".to_owned(),
            ..LocationConfig::numbered(2)
        });
        config.highlevel.locations.push(LocationConfig::numbered(3));
        config.identity.client_secret = Some(OPENID_SECRET.to_owned());
        config.prefinery.api_key = "cnry-prefinery/+key".into();
        config.prefinery.projects[0].signing_secret = "cnry-prefinery-signs".into();
        let sandbox = Sandbox::start(config).await.unwrap();
        let mirror = Mirror::start().await;
        mirror.stands_before("highlevel", &sandbox.highlevel_url());
        mirror.stands_before("prefinery", &sandbox.prefinery_url());
        mirror.stands_before("identity", &sandbox.identity().issuer());
        sandbox.identity().answers_at(mirror.url("identity"));
        let back = format!("{PUBLIC}{LOGIN_CALLBACK}");
        sandbox.identity().redirects_to(&back);
        let (mail, port) = Mail::start().await;
        let dir = tempfile::tempdir().unwrap();
        Host::init(dir.path(), &sandbox, "").await.unwrap();
        let app = sandbox.highlevel().app();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n\n{OUTBOUND}\n[highlevel]\nbase-url = \"{}\"\nwebhook-keys = [\"\"\"\n{}\"\"\"]\n\
             timeout = 5\n[highlevel.oauth]\nclient-id = \"{}\"\nclient-secret-file = \"client.secret\"\n\
             redirect-url = \"{PUBLIC}/oauth/highlevel/callback\"\n\
             consent-page = \"{}/v2/oauth/chooselocation\"\n\n[smtp]\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
             user = \"contactor\"\npassword-file = \"smtp.password\"\nfrom = \"Contactor <contactor@example.com>\"\n\n\
             [login.oidc]\nissuer = \"{}\"\nclient-id = \"{}\"\nclient-secret-file = \"oidc.secret\"\n\
             redirect-url = \"{back}\"\n\n\
             [log]\nlevel = \"trace\"\nformat = \"json\"\n",
            mirror.url("highlevel"),
            sandbox.highlevel().webhook_public_key_pem(),
            app.client_id,
            sandbox.highlevel_url(),
            sandbox.identity().issuer(),
            sandbox.identity().client_id(),
        );
        let world = Self {
            dir,
            sandbox,
            mirror,
            mail,
            answers: Vec::new(),
            printed: Vec::new(),
            met: Vec::new(),
            http: contactor_highlevel::http::client(&contactor_highlevel::http::Options::default()).unwrap(),
        };
        std::fs::write(world.path("contactor.toml"), text).unwrap();
        world.keep("client.secret", &app.client_secret);
        world.keep("smtp.password", "cnry-smtp/+password");
        world.keep("oidc.secret", OPENID_SECRET);
        std::fs::remove_file(world.path("admin.token")).unwrap();
        world.keep("admin.token", "cnry-admin-token-0123456789-0123456789");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn keep(&self, name: &str, secret: &str) {
        std::fs::write(self.path(name), secret).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Files that hold a secret because that is what they are for.
    pub(crate) fn is_key_file(path: &Path) -> bool {
        let name = path.file_name().unwrap().to_str().unwrap();
        ["client.secret", "smtp.password", "oidc.secret", "admin.token", "vault.key"].contains(&name)
    }

    /// Everything that is a secret and was there from the beginning or came up since.
    pub(crate) fn canaries(&self) -> Vec<Canary> {
        let mut all = vec![
            Canary::new("HighLevel's private token", "cnry-private/+integration=token"),
            Canary::new("the app's client secret", "cnry-client/+secret"),
            Canary::new("the mail server's password", "cnry-smtp/+password"),
            Canary::new("the admin token", "cnry-admin-token-0123456789-0123456789"),
            Canary::new("Prefinery's key", "cnry-prefinery/+key"),
            Canary::new("Prefinery's webhook secret", "cnry-prefinery-signs"),
            Canary::new("the client's secret at the identity provider", OPENID_SECRET),
        ];
        for (name, address, key) in RECEIVERS {
            all.push(Canary::new(format!("the address of {name}"), address));
            if let Some(key) = key {
                all.push(Canary::new(format!("the signing key of {name}"), key));
                all.push(Canary::new(format!("the signing secret of {name}"), STANDARD.encode(key)));
            }
        }
        for scheme in &SCHEMES {
            all.extend(scheme.canaries());
            all.push(Canary::new(format!("{}: webhook secret", scheme.connector), scheme.webhook_secret()));
        }
        let keys = std::fs::read_to_string(self.path("vault.key")).unwrap();
        let keys =
            keys.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(':'));
        all.extend(
            keys.map(|(_, key)| Canary::new("a key of the vault", STANDARD.decode(key.trim()).unwrap())),
        );
        all.extend(self.mirror.tokens());
        all.extend(self.met.iter().cloned());
        all.sort();
        all.dedup();
        all
    }

    /// Asks the host with a token, and keeps what it answers.
    pub(crate) async fn ask_as(&mut self, token: &str, request: RequestBuilder) -> (u16, Value) {
        let response = request.bearer_auth(token).send().await.unwrap();
        let status = response.status().as_u16();
        let kept = format!("{status} {:?}\n", response.headers());
        let body = response.text().await.unwrap();
        self.answers.extend(kept.into_bytes());
        self.answers.extend(body.as_bytes());
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Asks as the host's own admin. What came of it is in the answers.
    pub(crate) async fn ask(
        &mut self,
        host: &Host,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let request = self.http.request(method.clone(), host.at(&format!("/api/v1{path}")));
        let request = if method == Method::GET { request } else { request.json(body) };
        self.ask_as(host.token(), request).await
    }

    /// The same, which has to succeed.
    pub(crate) async fn done(&mut self, host: &Host, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(host, method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    pub(crate) async fn get(&mut self, host: &Host, path: &str) -> Value {
        self.done(host, Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&mut self, host: &Host, path: &str, body: Value) -> Value {
        self.done(host, Method::POST, path, &body).await
    }

    /// A request of a test's own.
    pub(crate) fn request(&self, method: Method, url: String) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Runs a command against the host, in words and as JSON; what it printed is kept.
    pub(crate) async fn run(&mut self, host: &Host, arguments: &[&str]) -> String {
        let mut said = String::new();
        for json in [false, true] {
            let mut all = vec!["--server", host.url(), "-vv"];
            if json {
                all.push("--json");
            }
            all.extend(arguments);
            let output = Host::run(self.dir.path(), &all, &[]).await.unwrap();
            self.printed
                .extend(format!("\n$ {:?}: {:?}\n", arguments.first(), output.status.code()).into_bytes());
            self.printed.extend([output.stdout.as_slice(), output.stderr.as_slice()].concat());
            said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        }
        said
    }

    /// Goes to the consent page and back, as a browser does.
    pub(crate) async fn consent(&mut self, host: &Host, path: &str, choice: &str) {
        let begun = self.post(host, path, json!({})).await;
        let page = format!("{}&locationId={choice}", begun["url"].as_str().unwrap());
        let redirect = self.http.get(page).send().await.unwrap();
        let back = redirect.headers()["location"].to_str().unwrap().to_owned();
        let code = url::Url::parse(&back).unwrap();
        let code = code.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        self.met.push(Canary::new(format!("the code of {path}"), code));
        let answer = back.strip_prefix(PUBLIC).unwrap();
        let (status, page) = self.ask_as("", self.http.get(host.at(answer))).await;
        assert_eq!(status, 200, "{page}");
    }

    /// Enables a connector for each scheme, and Prefinery; answers where each takes webhooks.
    pub(crate) async fn connect_all(&mut self, host: &Host) -> BTreeMap<&'static str, String> {
        let mut paths = BTreeMap::new();
        for scheme in &SCHEMES {
            let component = scheme.component();
            let install =
                self.http.post(host.at("/api/v1/connectors")).header("content-type", "application/wasm");
            let (status, answer) = self.ask_as(host.token(), install.body(component)).await;
            assert!((200..300).contains(&status), "{}: {answer}", scheme.connector);
            let credentials: BTreeMap<_, _> =
                scheme.parts.iter().map(|part| (*part, scheme.secret(part))).collect();
            let rule = json!({ "name": "all", "on": ["happened"], "do": [{ "add-tags": ["unused"] }] });
            let request = json!({
                "base_url": self.mirror.url(scheme.connector),
                "credentials": credentials,
                "webhook_secret": scheme.webhook_secret(),
                "settings": { "rules": [rule] },
            });
            let path = format!("/workspaces/acme/connections/{}", scheme.connector);
            let connection = self.done(host, Method::PUT, &path, &request).await;
            paths.insert(scheme.connector, connection["webhook_path"].as_str().unwrap().to_owned());
        }
        let install =
            self.http.post(host.at("/api/v1/connectors")).header("content-type", "application/wasm");
        let install = install.body(artefacts::component("prefinery").unwrap());
        self.ask_as(host.token(), install).await;
        let project = self.sandbox.prefinery().first_project();
        let request = json!({
            "base_url": self.mirror.url("prefinery"),
            "credentials": { "key": self.sandbox.prefinery().api_key() },
            "webhook_secret": self.sandbox.prefinery().signing_secret(project),
            "settings": { "beta_id": project.to_string() },
        });
        let connection =
            self.done(host, Method::PUT, "/workspaces/acme/connections/prefinery", &request).await;
        let hooks = host.at(connection["webhook_path"].as_str().unwrap());
        self.sandbox.prefinery().set_webhook_target(project, Some(hooks.parse().unwrap()));
        self.sandbox.highlevel().set_webhook_target(Some(host.webhooks().parse().unwrap()));
        paths
    }

    /// Each destination by its name, as it is made.
    pub(crate) fn destinations(&self) -> Vec<(&'static str, Value)> {
        let over_http = RECEIVERS.into_iter().map(|(name, address, key)| {
            let kind = if name == "hook" { "webhook" } else { name };
            let mut destination =
                json!({ "kind": kind, "url": self.mirror.url(&format!("{name}/{address}")) });
            if let Some(key) = key {
                destination["secret"] = json!(format!("whsec_{}", STANDARD.encode(key)));
            }
            (name, destination)
        });
        let mail = ("mail", json!({ "kind": "email", "to": ["office@example.com"] }));
        over_http.chain([mail]).collect()
    }

    /// Runs an action of a connector.
    pub(crate) async fn act(&mut self, host: &Host, action: &str, input: Value) -> Value {
        let path = format!("/workspaces/acme/actions/{action}");
        self.ask(host, Method::POST, &path, &json!({ "input": input })).await.1
    }

    /// What the partner of a scheme sends.
    pub(crate) async fn webhook(
        &mut self,
        host: &Host,
        path: &str,
        scheme: &Scheme,
        body: &str,
        good: bool,
    ) -> u16 {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, scheme.webhook_secret().as_bytes());
        let tag = ring::hmac::sign(&key, if good { body.as_bytes() } else { b"another" });
        let signed = hex::encode(tag.as_ref());
        let repeated = format!("{} {}", scheme.secret(scheme.parts[0]), scheme.webhook_secret());
        let request = self.http.post(host.at(path)).header("x-signed", signed).header("x-debug", repeated);
        self.ask_as("", request.body(body.to_owned())).await.0
    }

    /// A partner's words that repeat all that it shares with this host.
    pub(crate) fn gossip(scheme: &Scheme) -> String {
        let parts: Vec<_> = scheme.parts.iter().map(|part| scheme.secret(part)).collect();
        format!("{} {}", parts.join(" "), scheme.webhook_secret())
    }
}

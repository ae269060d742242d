//! A way to a partner, and requests to try it with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contactor_manifest::{Auth, Scheme, Template};
use contactor_runtime::bindings::partner::{Method, Pair, Request};
use secrecy::SecretString;

use super::{PartnerApi, PartnerSetup, Quotas};
use crate::outbound::{Outbound, OutboundConfig};

pub(super) const SECRET: &str = "fake-key-0123456789";

pub(super) fn template(text: &str) -> Template {
    Template::try_from(text.to_owned()).unwrap()
}

pub(super) fn api(log_cap: usize) -> PartnerApi {
    api_by(Scheme::Bearer { token: template("{token}") }, SECRET, "https://api.example.com/v2", log_cap)
}

pub(super) fn api_by(scheme: Scheme, secret: &str, base_url: &str, log_cap: usize) -> PartnerApi {
    let auth = Auth {
        id: "token".to_owned(),
        title: "Access token".to_owned(),
        scheme,
        credentials: Vec::new(),
        help: None,
    };
    PartnerApi::new(PartnerSetup {
        out: Outbound::new(OutboundConfig::default().with_this_machine()).unwrap(),
        connector: "test".to_owned(),
        hosts: vec!["api.example.com".to_owned().try_into().unwrap()],
        base_url: base_url.to_owned(),
        auth,
        secrets: BTreeMap::from([("token".to_owned(), SecretString::from(secret))]),
        webhook_secret: None,
        quotas: Arc::new(Quotas::new(Vec::new())),
        timeout: Duration::from_secs(1),
        log_cap,
    })
    .unwrap()
}

pub(super) fn get(path: &str, query: &[(&str, &str)]) -> Request {
    let pair = |(name, value): &(&str, &str)| Pair { name: (*name).to_owned(), value: (*value).to_owned() };
    let query = query.iter().map(pair).collect();
    Request { method: Method::Get, path: path.to_owned(), query, headers: vec![], body: None }
}

pub(super) async fn serve(router: axum::Router) -> String {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, router).await });
    url
}

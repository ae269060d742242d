//! What the host itself is and has: its health, its vault, its connectors and the catalogue of them.

use contactor_server::dto::{
    CatalogueEntry, CatalogueQuery, Connector, Health, RotateKeys, RotateRequest, VaultStatus,
};
use reqwest::Method;

use super::{Client, Result};

impl Client {
    pub(crate) async fn health(&self) -> Result<Health> {
        self.get(&["health"]).await
    }

    pub(crate) async fn vault(&self) -> Result<VaultStatus> {
        self.get(&["vault"]).await
    }

    pub(crate) async fn rotate_keys(&self, keys: RotateKeys) -> Result<VaultStatus> {
        self.json(self.request(Method::POST, &["vault", "rotate"]).json(&RotateRequest { keys })).await
    }

    pub(crate) async fn connectors(&self) -> Result<Vec<Connector>> {
        self.get(&["connectors"]).await
    }

    pub(crate) async fn install_connector(&self, component: Vec<u8>) -> Result<Connector> {
        let request = self.request(Method::POST, &["connectors"]);
        self.json(request.header("content-type", "application/wasm").body(component)).await
    }

    pub(crate) async fn catalogue(&self, workspace: Option<&str>) -> Result<Vec<CatalogueEntry>> {
        let query = CatalogueQuery { workspace: workspace.map(str::to_owned) };
        self.json(self.request(Method::GET, &["catalogue"]).query(&query)).await
    }
}

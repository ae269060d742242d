//! The connection's settings, validated against the manifest before the connector runs. Never a secret.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// All settings as a type of one's own. Fields for settings without a default should be `Option`s.
///
/// # Errors
/// [`Error::Other`] when the manifest's settings and the type do not fit: a mistake of the connector's author.
pub fn get<T: DeserializeOwned>() -> Result<T> {
    serde_json::from_str(&all())
        .map_err(|error| Error::Other(format!("the manifest's settings do not fit the connector: {error}")))
}

/// All settings as the text of one JSON object.
pub fn all() -> String {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::contactor::connector::settings::all();
    #[cfg(not(target_arch = "wasm32"))]
    crate::host::with(|host| host.settings())
}

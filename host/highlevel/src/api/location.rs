//! The location itself: settings, tag dictionary, custom field definitions.

use serde_json::{Map, json};

use crate::client::Location;
use crate::error::Error;
use crate::model::{CustomFieldDefinition, CustomFields, LocationInfo, LocationTag};
use crate::operation as op;
use crate::transport::Call;

impl Location {
    /// `GET /locations/{locationId}`: time zone, country, and whether duplicates are allowed. The customer can change
    /// all of it at any time.
    pub async fn info(&self) -> Result<LocationInfo, Error> {
        self.call(Call::new(&op::LOCATION_GET, &[self.id.as_str()])).await?.record("location")
    }

    /// `GET /locations/{locationId}/tags`: the tag dictionary.
    pub async fn location_tags(&self) -> Result<Vec<LocationTag>, Error> {
        self.call(Call::new(&op::LOCATION_TAGS_LIST, &[self.id.as_str()])).await?.list("tags")
    }

    /// `POST /locations/{locationId}/tags`. Seldom needed: adding a tag to a contact creates it.
    pub async fn create_location_tag(&self, name: &str) -> Result<LocationTag, Error> {
        let body = Map::from_iter([("name".to_owned(), json!(name))]);
        self.call(Call::new(&op::LOCATION_TAGS_CREATE, &[self.id.as_str()]).body(body)).await?.record("tag")
    }

    /// `GET /locations/{locationId}/customFields?model=contact`: the definitions of contacts' custom fields.
    pub async fn custom_fields(&self) -> Result<CustomFields, Error> {
        let call = Call::new(&op::LOCATION_CUSTOM_FIELDS, &[self.id.as_str()]).query("model", "contact");
        let definitions: Vec<CustomFieldDefinition> = self.call(call).await?.list("customFields")?;
        Ok(CustomFields::new(definitions))
    }
}

//! The vendor's operations by name, with JSON in and JSON out: what an admin runs from the command line.
//!
//! One table ([`ALL`]) says what there is; [`dispatch`] is the way from a name to the typed client. Parameters lie flat in one
//! object under the vendor's names, ids of the path beside the fields of the body, as a person would copy them from the vendor's
//! documentation. A connector does not come this way: it has the typed interface of `wit/`.

mod arguments;
mod dispatch;
pub(crate) mod schema;
mod table;

use contactor_highlevel as highlevel;
use serde_json::Value;

pub(crate) use dispatch::{Desk, Fault};
pub(crate) use table::ALL;

/// What the names of all of these begin with. No connector may have it as its id.
pub(crate) const PREFIX: &str = "highlevel";

/// An operation of the vendor's as an admin knows it.
pub(crate) struct VendorOperation {
    /// Its name, for example `contacts.create`; `highlevel.` stands before it.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) title: &'static str,
    /// What a caller should know, or nothing.
    pub(crate) help: &'static str,
    /// The request behind it.
    pub(crate) request: &'static highlevel::Operation,
    parameters: fn() -> Value,
    example: fn() -> Value,
}

impl VendorOperation {
    /// Its name in the catalogue.
    pub(crate) fn id(&self) -> String {
        format!("{PREFIX}.{}", self.name)
    }

    /// A JSON Schema of its parameters.
    pub(crate) fn parameters(&self) -> Value {
        (self.parameters)()
    }

    /// Parameters as somebody would give them; the ids are made up.
    pub(crate) fn example(&self) -> Value {
        (self.example)()
    }

    /// Whether it changes something at the vendor.
    pub(crate) fn writes(&self) -> bool {
        self.request.is_write()
    }
}

/// The operation of this name, without the prefix.
pub(crate) fn find(name: &str) -> Option<&'static VendorOperation> {
    ALL.iter().find(|operation| operation.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_request_of_the_client_has_a_name_and_tags_can_be_read_although_the_vendor_has_no_such_request() {
        let names: BTreeSet<&str> = ALL.iter().map(|operation| operation.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name is there twice");
        let requests: BTreeSet<&str> = ALL.iter().map(|operation| operation.request.name).collect();
        let known: BTreeSet<&str> =
            highlevel::operation::ALL.iter().map(|operation| operation.name).collect();
        assert_eq!(requests, known);
        assert_eq!(ALL.len(), known.len() + 1);
        assert_eq!(find("tags.list").map(VendorOperation::writes), Some(false));
    }

    #[test]
    fn the_example_of_every_operation_fits_its_schema_and_a_stranger_does_not() {
        for operation in ALL {
            let problems = schema::check(&operation.parameters(), &operation.example());
            assert_eq!(problems, Ok(Vec::new()), "{}", operation.name);
            let mut stranger = operation.example();
            stranger["noSuchThing"] = Value::from(1);
            let problems = schema::check(&operation.parameters(), &stranger).unwrap();
            let told = problems.first().is_some_and(|problem| problem.problem.contains("noSuchThing"));
            assert!(told, "{}: {problems:?}", operation.name);
        }
    }
}

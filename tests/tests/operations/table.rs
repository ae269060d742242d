//! Which function of `wit/` is which operation of the vendor's, and that none is missing.

use std::collections::BTreeSet;
use std::path::Path;

use contactor_highlevel::operation;
use contactor_tests::artefacts;
use serde_json::Value;

/// Function of `wit/`, the vendor's operation, and the double's name for it.
pub(crate) const OPERATIONS: [(&str, &str, &str); 32] = [
    ("contacts.search", "POST /contacts/search", "contacts.search"),
    ("contacts.find-duplicate", "GET /contacts/search/duplicate", "contacts.duplicate"),
    ("contacts.get", "GET /contacts/{contactId}", "contacts.get"),
    ("contacts.create", "POST /contacts/", "contacts.create"),
    ("contacts.update", "PUT /contacts/{contactId}", "contacts.update"),
    ("contacts.delete", "DELETE /contacts/{contactId}", "contacts.delete"),
    ("contacts.upsert", "POST /contacts/upsert", "contacts.upsert"),
    ("contacts.list-page", "GET /contacts/", "contacts.list"),
    ("contacts.list-by-business", "GET /contacts/business/{businessId}", "contacts.by_business"),
    ("contacts.add-followers", "POST /contacts/{contactId}/followers", "followers.add"),
    ("contacts.remove-followers", "DELETE /contacts/{contactId}/followers", "followers.remove"),
    ("tasks.list-all", "GET /contacts/{contactId}/tasks", "tasks.list"),
    ("tasks.create", "POST /contacts/{contactId}/tasks", "tasks.create"),
    ("tasks.get", "GET /contacts/{contactId}/tasks/{taskId}", "tasks.get"),
    ("tasks.update", "PUT /contacts/{contactId}/tasks/{taskId}", "tasks.update"),
    ("tasks.delete", "DELETE /contacts/{contactId}/tasks/{taskId}", "tasks.delete"),
    ("tasks.set-completed", "PUT /contacts/{contactId}/tasks/{taskId}/completed", "tasks.complete"),
    ("notes.list-all", "GET /contacts/{contactId}/notes", "notes.list"),
    ("notes.create", "POST /contacts/{contactId}/notes", "notes.create"),
    ("notes.get", "GET /contacts/{contactId}/notes/{id}", "notes.get"),
    ("notes.update", "PUT /contacts/{contactId}/notes/{id}", "notes.update"),
    ("notes.delete", "DELETE /contacts/{contactId}/notes/{id}", "notes.delete"),
    ("tags.add", "POST /contacts/{contactId}/tags", "tags.add"),
    ("tags.remove", "DELETE /contacts/{contactId}/tags", "tags.remove"),
    ("appointments.list-all", "GET /contacts/{contactId}/appointments", "appointments.of_contact"),
    ("bulk.update-tags", "POST /contacts/bulk/tags/update/{type}", "bulk.tags"),
    ("bulk.set-business", "POST /contacts/bulk/business", "bulk.business"),
    ("campaigns.add", "POST /contacts/{contactId}/campaigns/{campaignId}", "campaigns.add"),
    ("campaigns.remove", "DELETE /contacts/{contactId}/campaigns/{campaignId}", "campaigns.remove"),
    ("campaigns.remove-all", "DELETE /contacts/{contactId}/campaigns/removeAll", "campaigns.remove_all"),
    ("workflows.add", "POST /contacts/{contactId}/workflow/{workflowId}", "workflows.add"),
    ("workflows.remove", "DELETE /contacts/{contactId}/workflow/{workflowId}", "workflows.remove"),
];

/// The one function that is no operation of the vendor's: it reads the contact.
pub(crate) const TAGS_LIST: &str = "tags.list-all";

pub(crate) fn writes(operation: &str) -> bool {
    let found = operation::ALL.iter().find(|known| format!("{} {}", known.method, known.path) == operation);
    found.expect("the client knows the operation").is_write()
}

/// Whether a request is the vendor's operation, for example `GET /contacts/{contactId}`.
pub(crate) fn fits(operation: &str, method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (wanted, template) = operation.split_once(' ').unwrap();
    let (template, parts): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(wanted, part): (&&str, &&str)| {
        if wanted.starts_with('{') { !part.is_empty() } else { wanted == part }
    };
    wanted == method && template.len() == parts.len() && template.iter().zip(&parts).all(fits)
}

#[test]
fn the_table_holds_every_operation_of_the_contacts_api() {
    let table: BTreeSet<&str> = OPERATIONS.iter().map(|row| row.1).collect();
    assert_eq!(table.len(), 32, "an operation is there twice");
    let known = operation::ALL.iter().filter(|known| known.path.starts_with("/contacts/"));
    let known: BTreeSet<String> = known.map(|known| format!("{} {}", known.method, known.path)).collect();
    assert_eq!(table, known.iter().map(String::as_str).collect());

    let Some(shared) = artefacts::shared() else {
        println!("skipped: the vendor's specification is not there");
        return;
    };
    let specification = std::fs::read_to_string(shared.join("apps/contacts.json")).unwrap();
    let specification: Value = serde_json::from_str(&specification).unwrap();
    let paths = specification["paths"].as_object().unwrap().iter();
    let published: BTreeSet<String> = paths
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(table, published.iter().map(String::as_str).collect());
}

#[test]
fn the_table_holds_every_function_of_the_interfaces_of_highlevel() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let interfaces = ["contacts", "tasks", "notes", "tags", "appointments", "bulk", "campaigns", "workflows"];
    let mut functions = BTreeSet::new();
    for interface in interfaces {
        let text = std::fs::read_to_string(wit.join(interface).with_extension("wit")).unwrap();
        let named = text
            .lines()
            .filter_map(|line| line.trim().split_once(": func("))
            .map(|(name, _)| name.to_owned());
        functions.extend(named.map(|name| format!("{interface}.{name}")));
    }
    let table: BTreeSet<String> =
        OPERATIONS.iter().map(|row| row.0).chain([TAGS_LIST]).map(str::to_owned).collect();
    assert_eq!(table, functions);
}

#[test]
fn the_component_reaches_the_host_by_the_imports_of_the_interface_and_no_other_way() {
    let report = contactor_engine::inspect(&artefacts::component("guest-operations").unwrap()).unwrap();
    let world =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/world.wit")).unwrap();
    let imports = world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'));
    let mut imports: Vec<_> = imports.map(|name| format!("contactor:connector/{name}@0.1.1")).collect();
    let mut imported = report.imports;
    imports.sort();
    imported.sort();
    assert_eq!(imported, imports);
    assert_eq!(report.refused, None);
}

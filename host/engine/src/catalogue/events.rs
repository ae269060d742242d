//! The vendor's webhook events: every kind that its documentation has a page for, each with a sample body of our own in the shape
//! that the page shows. A rule can be written on any of them; contacts, tasks, notes and appointments also mark records.
//!
//! `kind` is what a rule names: the `type` on the wire, which is not always the page's name. Where the page's example shows no
//! `type`, the runtime's envelope adds one; that it is the page's name then is our reading.

use serde_json::{Value, json};

/// One kind of webhook event.
pub(crate) struct EventKind {
    /// The name of the vendor's page.
    pub(crate) name: &'static str,
    /// `type` on the wire, as a rule names it.
    pub(crate) kind: &'static str,
    /// What happened.
    pub(crate) title: &'static str,
    /// The scope that the vendor asks of an app for it; empty where none is documented.
    pub(crate) scope: &'static str,
    /// What is not certain about it.
    pub(crate) unverified: &'static str,
    sample: fn() -> Value,
}

impl EventKind {
    /// A body without the envelope that every event has.
    pub(crate) fn sample(&self) -> Value {
        (self.sample)()
    }
}

/// The event whose page has this name, or whose `type` is this.
pub(crate) fn find(name: &str) -> Option<&'static EventKind> {
    ALL.iter().find(|event| event.name == name).or_else(|| ALL.iter().find(|event| event.kind == name))
}

const NO_TYPE: &str = "The vendor's example shows no `type`; that the event carries this name is inferred.";
const PRICE_TYPE: &str = "The vendor's example uses `type` for the price's own kind (`one_time`); if the real event does, it has that kind.";

const CONTACT: &str = "ocQHyuzHvysMo5N5VsXc";
const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const USER: &str = "sx6wyHhbFdRXh302Lunr";
const AT: &str = "2026-11-21T08:00:00.000Z";
const LATER: &str = "2026-12-01T09:00:00.000Z";

macro_rules! events {
    ($($name:literal $kind:literal $title:literal $scope:literal $unverified:tt => $sample:expr;)*) => {
        /// Every kind.
        pub(crate) static ALL: &[EventKind] = &[$(EventKind {
            name: $name,
            kind: $kind,
            title: $title,
            scope: $scope,
            unverified: $unverified,
            sample: || $sample,
        }),*];
    };
}

events! {
    // --- the app
    "AppInstall" "INSTALL" "The app was installed" "" "" => app(json!({ "userId": USER, "isWhitelabelCompany": false }));
    "AppUninstall" "UNINSTALL" "The app was uninstalled" "" "" => app(json!({}));
    "PlanChange" "PLAN_CHANGE" "The app's plan changed" "" ""
        => app(json!({ "userId": USER, "currentPlanId": "plan-basic", "newPlanId": "plan-pro" }));
    // --- contacts and what belongs to them
    "ContactCreate" "ContactCreate" "A contact was created" "contacts.readonly" "" => contact(json!({}));
    "ContactUpdate" "ContactUpdate" "A contact changed" "contacts.readonly" "" => contact(json!({ "city": "Berlin" }));
    "ContactDelete" "ContactDelete" "A contact was deleted" "contacts.readonly" "" => contact(json!({}));
    "ContactDndUpdate" "ContactDndUpdate" "A contact's do-not-disturb settings changed" "contacts.readonly" ""
        => contact(json!({ "dnd": true, "dndSettings": { "Email": { "status": "active", "message": "on request" } } }));
    "ContactTagUpdate" "ContactTagUpdate" "A contact's tags changed" "contacts.readonly" ""
        => contact(json!({ "tags": ["lead", "vip"] }));
    "TaskCreate" "TaskCreate" "A task was created" "contacts.readonly" "" => task();
    "TaskComplete" "TaskComplete" "A task was completed" "contacts.readonly" "" => task();
    "TaskDelete" "TaskDelete" "A task was deleted" "contacts.readonly" "" => task();
    "NoteCreate" "NoteCreate" "A note was written" "contacts.readonly" "" => note();
    "NoteUpdate" "NoteUpdate" "A note changed" "contacts.readonly" "" => note();
    "NoteDelete" "NoteDelete" "A note was deleted" "contacts.readonly" "" => note();
    "AppointmentCreate" "AppointmentCreate" "An appointment was booked" "calendars/events.readonly" ""
        => appointment("confirmed");
    "AppointmentUpdate" "AppointmentUpdate" "An appointment changed" "calendars/events.readonly" ""
        => appointment("showed");
    "AppointmentDelete" "AppointmentDelete" "An appointment was deleted" "calendars/events.readonly" ""
        => appointment("cancelled");
    "CampaignStatusUpdate" "CampaignStatusUpdate" "A contact's campaign changed its status" "campaigns.readonly" ""
        => json!({ "id": "campaign-1", "contactId": CONTACT, "status": "paused", "templateId": "template-1", "dateAdded": AT });
    // --- conversations
    "ConversationUnreadWebhook" "ConversationUnreadUpdate" "A conversation's unread count changed" "conversations.readonly" ""
        => json!({
            "id": "conversation-1", "contactId": CONTACT, "deleted": false, "inbox": true, "starred": false,
            "unreadCount": 1,
        });
    "InboundMessage" "InboundMessage" "A message of a contact arrived" "conversations/message.readonly" ""
        => message("inbound");
    "OutboundMessage" "OutboundMessage" "A message was sent to a contact" "conversations/message.readonly" ""
        => message("outbound");
    "ProviderOutboundMessage" "SMS" "A conversation provider has to deliver a message" ""
        "`type` is the channel (`SMS` or `Email`), and the event goes to the provider's own address."
        => json!({
            "contactId": CONTACT, "messageId": "message-1", "type": "SMS", "phone": "+12025550101",
            "message": "See you tomorrow", "attachments": [], "userId": USER,
        });
    "LCEmailStats" "LCEmailStats" "An email was delivered, opened, clicked or bounced" "" ""
        => json!({ "webhookPayload": {
            "event": "delivered", "id": "email-1", "timestamp": 1_795_248_000, "recipient": "ann@example.com",
            "recipient-domain": "example.com", "delivery-status": { "code": 250, "message": "OK" },
        } });
    // --- opportunities
    "OpportunityCreate" "OpportunityCreate" "An opportunity was created" "opportunities.readonly" "" => opportunity();
    "OpportunityUpdate" "OpportunityUpdate" "An opportunity changed" "opportunities.readonly" "" => opportunity();
    "OpportunityDelete" "OpportunityDelete" "An opportunity was deleted" "opportunities.readonly" "" => opportunity();
    "OpportunityAssignedToUpdate" "OpportunityAssignedToUpdate" "An opportunity was assigned to a user"
        "opportunities.readonly" "" => opportunity();
    "OpportunityMonetaryValueUpdate" "OpportunityMonetaryValueUpdate" "An opportunity's value changed"
        "opportunities.readonly" "" => opportunity();
    "OpportunityStageUpdate" "OpportunityStageUpdate" "An opportunity moved to another stage" "opportunities.readonly" ""
        => opportunity();
    "OpportunityStatusUpdate" "OpportunityStatusUpdate" "An opportunity was won, lost or abandoned" "opportunities.readonly" ""
        => opportunity();
    // --- the location and its users
    "LocationCreate" "LocationCreate" "A location was created" "locations.readonly" "" => location();
    "LocationUpdate" "LocationUpdate" "A location changed" "locations.readonly" "" => location();
    "UserCreate" "UserCreate" "A user was created" "users.readonly" ""
        => json!({ "id": USER, "firstName": "Uma", "lastName": "Reed", "email": "uma@example.com", "role": "user" });
    // --- money
    "InvoiceCreate" "InvoiceCreate" "An invoice was drawn up" "invoices.readonly" NO_TYPE => invoice("draft", 0);
    "InvoiceUpdate" "InvoiceUpdate" "An invoice changed" "invoices.readonly" NO_TYPE => invoice("draft", 0);
    "InvoiceDelete" "InvoiceDelete" "An invoice was deleted" "invoices.readonly" NO_TYPE => invoice("delete", 0);
    "InvoiceSent" "InvoiceSent" "An invoice was sent" "invoices.readonly" NO_TYPE => invoice("sent", 0);
    "InvoicePaid" "InvoicePaid" "An invoice was paid" "invoices.readonly" NO_TYPE => invoice("paid", 120);
    "InvoicePartiallyPaid" "InvoicePartiallyPaid" "A part of an invoice was paid" "invoices.readonly" NO_TYPE
        => invoice("partially_paid", 20);
    "InvoiceVoid" "InvoiceVoid" "An invoice was declared void" "invoices.readonly" NO_TYPE => invoice("void", 0);
    "OrderCreate" "OrderCreate" "An order was placed" "payments/orders.readonly" "" => order("pending");
    "OrderStatusUpdate" "OrderStatusUpdate" "An order changed its status" "payments/orders.readonly" ""
        => order("completed");
    "ProductCreate" "ProductCreate" "A product was created" "products.readonly" NO_TYPE => product();
    "ProductUpdate" "ProductUpdate" "A product changed" "products.readonly" NO_TYPE => product();
    "ProductDelete" "ProductDelete" "A product was deleted" "products.readonly" NO_TYPE => product();
    "PriceCreate" "PriceCreate" "A price was created" "products/prices.readonly" NO_TYPE => price();
    "PriceUpdate" "PriceUpdate" "A price changed" "products/prices.readonly" PRICE_TYPE => price();
    "PriceDelete" "PriceDelete" "A price was deleted" "products/prices.readonly" PRICE_TYPE => price();
    // --- custom objects
    "ObjectSchemaCreate" "ObjectSchemaCreate" "A custom object was defined" "objects/schema.readonly" NO_TYPE
        => object_schema();
    "ObjectSchemaUpdate" "ObjectSchemaUpdate" "The definition of a custom object changed" "objects/schema.readonly" NO_TYPE
        => object_schema();
    "RecordCreate" "RecordCreate" "A record of a custom object or a business was created" "objects/record.readonly" NO_TYPE
        => object_record();
    "RecordUpdate" "RecordUpdate" "A record of a custom object or a business changed" "objects/record.readonly" NO_TYPE
        => object_record();
    "RecordDelete" "RecordDelete" "A record of a custom object or a business was deleted" "objects/record.readonly" NO_TYPE
        => object_record();
    "AssociationCreate" "AssociationCreate" "An association between objects was defined" "associations.readonly" NO_TYPE
        => association();
    "AssociationUpdate" "AssociationUpdate" "An association between objects changed" "associations.readonly" NO_TYPE
        => association();
    "AssociationDelete" "AssociationDelete" "An association between objects was deleted" "associations.readonly" NO_TYPE
        => association();
    "RelationCreate" "RelationCreate" "Two records were related" "associations/relation.readonly" NO_TYPE => relation();
    "RelationDelete" "RelationDelete" "Two records are no longer related" "associations/relation.readonly" NO_TYPE
        => relation();
}

fn merged(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

fn app(more: Value) -> Value {
    merged(json!({ "companyId": "company-1", "locationId": LOCATION }), more)
}

fn contact(more: Value) -> Value {
    let base = json!({
        "id": CONTACT, "firstName": "Ann", "lastName": "Miller", "name": "Ann Miller", "email": "ann.miller@example.com",
        "phone": "+12025550101", "city": "Boston", "country": "US", "tags": ["lead"], "dnd": false, "dateAdded": AT,
        "customFields": [{ "id": "field-1", "value": "gold" }],
    });
    merged(base, more)
}

fn task() -> Value {
    json!({
        "id": "5HrB1IbmnKMBXloldFuP", "contactId": CONTACT, "title": "Call back", "body": "About the offer",
        "assignedTo": USER, "dateAdded": AT, "dueDate": LATER,
    })
}

fn note() -> Value {
    json!({ "id": "otg8dTQqGLh3Q6iQI55w", "contactId": CONTACT, "body": "Met at the fair", "dateAdded": AT })
}

fn appointment(status: &str) -> Value {
    json!({ "appointment": {
        "id": "0007BWpSzSwfiuSl0tR2", "calendarId": "BqTwX8QFwXzpegMve9EQ", "contactId": CONTACT, "title": "Demo",
        "appointmentStatus": status, "assignedUserId": USER, "address": "Main Street 1", "notes": "", "source": "booking_widget",
        "startTime": "2026-12-01T10:00:00-05:00", "endTime": "2026-12-01T10:30:00-05:00", "dateAdded": AT,
        "dateUpdated": AT,
    } })
}

fn message(direction: &str) -> Value {
    json!({
        "contactId": CONTACT, "conversationId": "conversation-1", "body": "See you tomorrow", "contentType": "text/plain",
        "direction": direction, "messageType": "SMS", "status": "delivered", "attachments": [], "dateAdded": AT,
    })
}

fn opportunity() -> Value {
    json!({
        "id": "wWhVuzqpRuOA1ZVWi4FC", "contactId": CONTACT, "name": "Roof for Ann", "monetaryValue": 1200,
        "pipelineId": "pipeline-1", "pipelineStageId": "stage-1", "assignedTo": USER, "source": "fair", "status": "open",
        "dateAdded": AT,
    })
}

fn location() -> Value {
    json!({ "id": LOCATION, "companyId": "company-1", "name": "Acme", "email": "acme@example.com" })
}

fn invoice(status: &str, paid: u32) -> Value {
    json!({
        "_id": "invoice-1", "altId": LOCATION, "altType": "location", "status": status, "name": "Roof", "invoiceNumber": "7",
        "currency": "USD", "total": 120, "amountPaid": paid, "amountDue": 120 - paid, "liveMode": false,
        "contactDetails": { "id": CONTACT, "name": "Ann Miller", "email": "ann.miller@example.com" },
        "issueDate": "2026-11-21", "dueDate": "2026-12-01", "createdAt": AT, "updatedAt": AT,
    })
}

fn order(status: &str) -> Value {
    json!({
        "_id": "order-1", "altId": LOCATION, "altType": "location", "contactId": CONTACT, "status": status,
        "fulfillmentStatus": "unfulfilled", "currency": "USD", "amount": 49.5, "liveMode": false, "createdAt": AT,
        "updatedAt": AT, "items": [{ "name": "T-shirt", "qty": 1 }],
    })
}

fn product() -> Value {
    json!({
        "_id": "product-1", "locationId": LOCATION, "name": "T-shirt", "description": "Cotton", "productType": "PHYSICAL",
        "availableInStore": true, "userId": USER, "createdAt": AT, "updatedAt": AT,
    })
}

fn price() -> Value {
    json!({
        "_id": "price-1", "locationId": LOCATION, "product": "product-1", "name": "Red, S", "priceType": "one_time",
        "currency": "USD", "amount": 49.5, "availableQuantity": 5, "userId": USER, "createdAt": AT, "updatedAt": AT,
    })
}

fn object_schema() -> Value {
    json!({
        "id": "object-1", "locationId": LOCATION, "key": "custom_objects.boats", "objectType": "USER_DEFINED",
        "labels": { "singular": "Boat", "plural": "Boats" }, "primaryDisplayProperty": "custom_objects.boats.name",
        "createdAt": AT, "updatedAt": AT,
    })
}

fn object_record() -> Value {
    json!({
        "id": "record-1", "locationId": LOCATION, "owners": [USER], "followers": [],
        "properties": [{ "key": "name", "valueString": "Albatross" }],
    })
}

fn association() -> Value {
    json!({
        "id": "association-1", "locationId": LOCATION, "associationType": "USER_DEFINED", "key": "boat_owner",
        "firstObjectKey": "custom_objects.boats", "firstObjectLabel": "Boat", "secondObjectKey": "contact",
        "secondObjectLabel": "Owner",
    })
}

fn relation() -> Value {
    json!({
        "id": "relation-1", "locationId": LOCATION, "associationId": "association-1",
        "firstObjectKey": "custom_objects.boats", "firstRecordId": "record-1", "secondObjectKey": "contact",
        "secondRecordId": CONTACT,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contactor_highlevel::webhook::{Envelope, Event};

    use super::*;

    #[test]
    fn there_are_58_kinds_and_no_rule_can_mean_two_of_them() {
        let names: BTreeSet<&str> = ALL.iter().map(|event| event.name).collect();
        let kinds: BTreeSet<&str> = ALL.iter().map(|event| event.kind).collect();
        assert_eq!((ALL.len(), names.len(), kinds.len()), (58, 58, 58));
        assert_eq!(find("AppInstall").map(|event| event.kind), Some("INSTALL"));
        assert_eq!(find("INSTALL").map(|event| event.name), Some("AppInstall"));
        assert!(find("TaskUpdate").is_none(), "the vendor has no such event");
    }

    #[test]
    fn a_sample_is_read_like_the_event_itself() {
        for event in ALL {
            let mut body = event.sample();
            body["type"] = json!(event.kind);
            let read = Envelope::parse(body.to_string().as_bytes()).unwrap();
            assert_eq!(read.kind, event.kind);
            let about_a_record =
                ["Contact", "Task", "Note", "Appointment"].iter().any(|what| event.name.starts_with(what));
            assert_eq!(read.event().change().is_some(), about_a_record, "{}", event.name);
            assert_ne!(read.event(), Event::WithoutId, "{}", event.name);
            if about_a_record {
                assert_eq!(
                    read.event().contact().map(ToString::to_string).as_deref(),
                    Some(CONTACT),
                    "{}",
                    event.name
                );
            }
        }
    }

    #[test]
    fn the_kinds_are_those_that_the_vendor_documents() {
        let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/highlevel/webhook-events.json");
        let Ok(text) = std::fs::read_to_string(shared) else {
            println!("skipped: the vendor's documents are not there");
            return;
        };
        let pages: Vec<Value> = serde_json::from_str(&text).unwrap();
        let pages: BTreeSet<&str> = pages.iter().filter_map(|page| page["event"].as_str()).collect();
        assert_eq!(ALL.iter().map(|event| event.name).collect::<BTreeSet<_>>(), pages);
    }
}

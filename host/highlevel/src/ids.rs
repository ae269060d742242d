//! Identifiers. The vendor's ids are opaque texts: never parsed, never checked for length (most have 20 characters,
//! newer objects 24 hexadecimal digits, recurring appointments a suffix).

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an id as the vendor gave it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// A HighLevel location (also called sub-account).
    LocationId
);
id!(
    /// A contact.
    ContactId
);
id!(
    /// A task of a contact.
    TaskId
);
id!(
    /// A note of a contact.
    NoteId
);
id!(
    /// An appointment, or one instance of a recurring one.
    AppointmentId
);
id!(
    /// A calendar.
    CalendarId
);
id!(
    /// A business (company) that contacts can belong to.
    BusinessId
);
id!(
    /// A campaign.
    CampaignId
);
id!(
    /// A workflow.
    WorkflowId
);
id!(
    /// A user of the location.
    UserId
);

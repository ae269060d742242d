//! Who may do what: the scopes that an admin granted, and the preview that writes nothing. Pure.
//!
//! Every call of a connector passes here before it has any effect, so what is allowed costs a few comparisons: no allocation, no
//! lock, no I/O (`tests/access.rs` counts, `cargo xtask bench access` measures). A refusal is a value, and may cost more.
//!
//! Public for that test and that measurement.

use contactor_runtime::bindings::types::Error;

/// What a call reaches beyond its own connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads HighLevel's contacts, or what belongs to them.
    Read,
    /// It changes something there.
    Write,
    /// It sends a message to people or other systems.
    Notify,
}

impl Access {
    /// The scope that it needs, as the vendor calls it, or for messages the host.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Read => "contacts.readonly",
            Self::Write => "contacts.write",
            Self::Notify => "notifications",
        }
    }
}

/// Looks for the grant. That a preview writes nothing is seen to where requests are made, so that it knows what it held back.
///
/// # Errors
/// [`Error::Denied`] with the scope that is not granted.
pub fn check(grants: &[String], access: Access) -> Result<(), Error> {
    if grants.iter().any(|granted| granted == access.scope()) {
        return Ok(());
    }
    Err(Error::Denied(access.scope().to_owned()))
}

/// Refuses a change in a preview.
///
/// # Errors
/// [`Error::Denied`] in a preview.
pub fn hold_back(preview: bool) -> Result<(), Error> {
    if preview { Err(Error::Denied("held back: this is a preview".to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(what: &str) -> Result<(), Error> {
        Err(Error::Denied(what.to_owned()))
    }

    #[test]
    fn each_access_needs_its_own_scope_and_no_other_one() {
        let only = |scope: &str| vec![scope.to_owned()];
        let table = [
            (only("contacts.readonly"), Access::Read, Ok(())),
            (only("contacts.readonly"), Access::Write, denied("contacts.write")),
            (only("contacts.write"), Access::Write, Ok(())),
            (only("contacts.write"), Access::Read, denied("contacts.readonly")),
            (only("notifications"), Access::Notify, Ok(())),
            (only("contacts.write"), Access::Notify, denied("notifications")),
            (only("notifications"), Access::Write, denied("contacts.write")),
            (only("contacts.write.more"), Access::Write, denied("contacts.write")),
            (only("Contacts.Write"), Access::Write, denied("contacts.write")),
            (Vec::new(), Access::Read, denied("contacts.readonly")),
        ];
        for (grants, access, expected) in table {
            assert_eq!(check(&grants, access), expected, "{grants:?} {access:?}");
        }
    }

    #[test]
    fn a_preview_holds_changes_back() {
        assert_eq!(hold_back(true), denied("held back: this is a preview"));
        assert_eq!(hold_back(false), Ok(()));
    }
}

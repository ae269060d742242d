//! Who may do what: the scopes that an admin granted, and the preview that writes nothing. Pure.

use contactor_runtime::bindings::types::Error;

/// How a call reaches HighLevel's contacts and what belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads.
    Read,
    /// It changes something.
    Write,
}

impl Access {
    /// The scope that the vendor, and so the admin, calls it by.
    const fn scope(self) -> &'static str {
        match self {
            Self::Read => "contacts.readonly",
            Self::Write => "contacts.write",
        }
    }
}

/// Looks for the grant. That a preview writes nothing is seen to where requests are made, so that it knows what it held back.
pub(super) fn check(grants: &[String], access: Access) -> Result<(), Error> {
    if grants.iter().any(|granted| granted == access.scope()) {
        return Ok(());
    }
    Err(Error::Denied(access.scope().to_owned()))
}

/// Refuses a change in a preview.
pub(super) fn hold_back(preview: bool) -> Result<(), Error> {
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

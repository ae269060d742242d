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

/// Looks for the grant first and at the preview second, so that a preview shows a missing grant as the real run would.
pub(super) fn check(grants: &[String], preview: bool, access: Access) -> Result<(), Error> {
    if !grants.iter().any(|granted| granted == access.scope()) {
        return Err(Error::Denied(access.scope().to_owned()));
    }
    match access {
        Access::Read => Ok(()),
        Access::Write => hold_back(preview),
    }
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
            assert_eq!(check(&grants, false, access), expected, "{grants:?} {access:?}");
        }
    }

    #[test]
    fn a_preview_reads_and_holds_every_write_back() {
        let grants = ["contacts.readonly".to_owned(), "contacts.write".to_owned()];
        assert_eq!(check(&grants, true, Access::Read), Ok(()));
        assert_eq!(check(&grants, true, Access::Write), denied("held back: this is a preview"));
        assert_eq!(hold_back(true), denied("held back: this is a preview"));
        assert_eq!(hold_back(false), Ok(()));
    }

    #[test]
    fn a_preview_without_the_grant_says_that_the_grant_is_missing() {
        assert_eq!(check(&[], true, Access::Write), denied("contacts.write"));
    }
}

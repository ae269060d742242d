//! The interface's types twice: as wasmtime's bindings have them for the host, and as the SDK's have them for a connector.
//! Between them lies the component's boundary; natively, each value is moved over by hand.

use contactor_runtime::bindings::{adapter, log, partner, types};
use contactor_sdk as sdk;

/// A value of one side as the same value of the other. `Into` cannot be implemented between two foreign types.
pub(super) trait Across<T> {
    fn across(self) -> T;
}

impl<T: Across<U>, U> Across<Vec<U>> for Vec<T> {
    fn across(self) -> Vec<U> {
        self.into_iter().map(Across::across).collect()
    }
}

impl<T: Across<U>, U, E: Across<F>, F> Across<Result<U, F>> for Result<T, E> {
    fn across(self) -> Result<U, F> {
        self.map(Across::across).map_err(Across::across)
    }
}

impl Across<()> for () {
    fn across(self) {}
}

/// Fields that the host gives to a connector.
pub(super) fn fields(fields: Vec<types::NamedValue>) -> sdk::Fields {
    let fields: Vec<sdk::NamedValue> = fields.across();
    sdk::Fields::from(fields)
}

/// Both ways between two types of the same cases or fields.
macro_rules! same {
    (variant $host:path, $guest:path: [$($empty:ident),*] [$($case:ident),*]) => {
        same!(@variant $host => $guest: [$($empty),*] [$($case),*]);
        same!(@variant $guest => $host: [$($empty),*] [$($case),*]);
    };
    (@variant $from:path => $to:path: [$($empty:ident),*] [$($case:ident),*]) => {
        impl Across<$to> for $from {
            fn across(self) -> $to {
                use $from as From;
                use $to as To;
                match self {
                    $(From::$empty => To::$empty,)*
                    $(From::$case(value) => To::$case(value),)*
                }
            }
        }
    };
}

same!(variant types::Value, sdk::Value: [Empty] [Text, Integer, Number, Boolean, Texts, Json]);
same!(variant types::Direction, sdk::Direction: [ToPartner, ToHighlevel] []);
same!(variant adapter::Decision, sdk::Decision: [Accept] [Skip]);
same!(variant log::Level, sdk::log::Level: [Debug, Info, Warn, Error] []);
same!(variant partner::Method, sdk::partner::Method: [Get, Head, Post, Put, Patch, Delete] []);

impl Across<sdk::NamedValue> for types::NamedValue {
    fn across(self) -> sdk::NamedValue {
        sdk::NamedValue { name: self.name, value: self.value.across() }
    }
}

impl Across<types::NamedValue> for sdk::NamedValue {
    fn across(self) -> types::NamedValue {
        types::NamedValue { name: self.name, value: self.value.across() }
    }
}

impl Across<types::FieldProblem> for sdk::FieldProblem {
    fn across(self) -> types::FieldProblem {
        types::FieldProblem { field: self.field, problem: self.problem }
    }
}

impl Across<sdk::FieldProblem> for types::FieldProblem {
    fn across(self) -> sdk::FieldProblem {
        sdk::FieldProblem { field: self.field, problem: self.problem }
    }
}

/// Both ways, because a connector passes on what its host answered.
macro_rules! errors {
    ($from:path => $to:path) => {
        impl Across<$to> for $from {
            fn across(self) -> $to {
                use $from as From;
                use $to as To;
                match self {
                    From::Invalid(problems) => To::Invalid(problems.across()),
                    From::NotFound(text) => To::NotFound(text),
                    From::Duplicate(id) => To::Duplicate(id),
                    From::Denied(what) => To::Denied(what),
                    From::Unauthorized(text) => To::Unauthorized(text),
                    From::Limited(wait) => To::Limited(wait),
                    From::Unavailable(text) => To::Unavailable(text),
                    From::Conflict(text) => To::Conflict(text),
                    From::Unsupported(text) => To::Unsupported(text),
                    From::Other(text) => To::Other(text),
                }
            }
        }
    };
}

errors!(types::Error => sdk::Error);
errors!(sdk::Error => types::Error);

impl Across<adapter::PartnerRecord> for sdk::PartnerRecord {
    fn across(self) -> adapter::PartnerRecord {
        adapter::PartnerRecord { id: self.id, fields: self.fields.across(), updated_at: self.updated_at }
    }
}

impl Across<adapter::Account> for sdk::Account {
    fn across(self) -> adapter::Account {
        adapter::Account { id: self.id, name: self.name, details: self.details.across() }
    }
}

impl Across<partner::Request> for sdk::partner::Request {
    fn across(self) -> partner::Request {
        partner::Request {
            method: self.method.across(),
            path: self.path,
            query: self.query.across(),
            headers: self.headers.across(),
            body: self.body,
        }
    }
}

impl Across<partner::Pair> for sdk::partner::Pair {
    fn across(self) -> partner::Pair {
        partner::Pair { name: self.name, value: self.value }
    }
}

impl Across<sdk::partner::Pair> for partner::Pair {
    fn across(self) -> sdk::partner::Pair {
        sdk::partner::Pair { name: self.name, value: self.value }
    }
}

impl Across<sdk::partner::Response> for partner::Response {
    fn across(self) -> sdk::partner::Response {
        sdk::partner::Response { status: self.status, headers: self.headers.across(), body: self.body }
    }
}

//! Who may do what: each role tries each operation of its own workspace and of another one; tokens; the audit log.
//!
//! The operations are those of the API's own description, which another test holds against the router and against the rules of the gate.
//! What each of them needs is said here once more, in [`table::needs`]: a rule that is loosened fails the test, and so does an operation
//! that is not listed.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod log;
mod others;
mod table;
mod tokens;
mod world;

//! Logins by an identity provider, and what a session in a browser opens: against a provider's double that signs for real, by a real
//! server, as a browser would.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod answers;
mod sessions;
mod strangers;
mod tokens;
mod users;
mod world;

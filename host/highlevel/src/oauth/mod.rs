//! OAuth 2.0 with HighLevel: the consent page, the token endpoint, and an agency's locations.
//!
//! What the vendor's documents say and what follows from it:
//!
//! - A refresh token is good for a year *unless it is used*: it works once, and its answer brings the next one. No window is
//!   documented in which it would work again, and the recovery route is gone (vendor issue 333). So an answer that is lost is a
//!   grant that is lost, and nothing here repeats a [`TokenRequest`] by itself.
//! - PKCE is documented for neither page nor endpoint; a confidential client with a `state` is what the vendor offers.
//! - The token endpoint reads a form and, in the first version of the API, wants no `Version` header.

mod answer;
mod app;
mod client;

pub use answer::{OAuthError, OAuthErrorKind, Resource, TokenSet};
pub use app::{AGENCY_SCOPES, LIST_LOCATIONS, Marketplace, OAuthApp, OPEN_LOCATIONS};
pub use client::{Answered, InstalledLocation, OAuthClient, Prepared, TokenRequest, UserType, send};

//! The readers of what strangers say: a partner's webhooks, requests and answers, the values that connectors return, and what identity
//! providers and browsers bring to a login.
//!
//! They are pure, and the rest of the engine uses them and no others. They are public so that they can be held to their promises
//! from outside, as the fuzz targets in `fuzz/` do.

pub use crate::convert::{
    fields_from_wit, fields_to_wit, json_fields_from_wit, json_fields_to_wit, show as show_value,
};
pub use crate::outbound::Answer;
pub use crate::partner::Secrets;
pub use crate::partner::answer::response as answer_for_connector;
pub use crate::partner::auth::token_of as login_token;
pub use crate::partner::limited::wait as retry_after;
pub use crate::partner::limits::out_of_order_until;
pub use crate::partner::names::blank as blank_secrets;
pub use crate::partner::quota::left as quota_left;
pub use crate::partner::redact::Hidden;
pub use crate::partner::request::{base_url, headers as request_headers, url as request_url};
pub use crate::receive::{Unreadable, is_usable_id, of_changes};
pub use crate::signature::{event_key, sign as sign_webhook, verify as verify_webhook};

/// What an identity provider answers, and what a browser brings to a login and after it.
pub mod login {
    pub use crate::login::claims::{Expected, NotThis, Person, Reading, read};
    pub use crate::login::flow::{Begun, Flows, Returned, own_path};
    pub use crate::login::jws::{KeySet, Token, Unsigned};
    pub use crate::people::secret::{SESSION, Shown};
}

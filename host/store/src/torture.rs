//! Places at which a process can be told to die, and rules that it can be told to break: for the torture tests. Built with the
//! feature `torture` only; without it every function here is empty.
//!
//! What is to happen stands in the environment variable `CONTACTOR_TORTURE`, parts separated by commas: `die=PLACE:N` ends the
//! process at the Nth time that it comes to a place, as `kill -9` would; `break=RULE` makes it break a rule; `clock=FILE` gives it
//! the time (eight bytes, milliseconds since the epoch, little endian).

/// The rule that a change is answered after its commit.
pub const EARLY_ANSWER: &str = "early-answer";
/// The rule that a handler's writes are noted.
pub const NO_JOURNAL: &str = "no-journal";

#[cfg(feature = "torture")]
mod armed {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[expect(
        clippy::disallowed_methods,
        reason = "no user's setting: it reaches this process from its test alone"
    )]
    static ORDERS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
        let orders = std::env::var("CONTACTOR_TORTURE").unwrap_or_default();
        let pairs = orders.split(',').filter_map(|order| order.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    });
    static COMINGS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn order(name: &str) -> Option<&'static str> {
        ORDERS.get(name).map(String::as_str)
    }

    pub(super) fn point(name: &str) {
        let Some((place, which)) = order("die").and_then(|die| die.split_once(':')) else { return };
        if place == name && which.parse() == Ok(COMINGS.fetch_add(1, Ordering::SeqCst) + 1) {
            // No destructor, no farewell.
            std::process::abort();
        }
    }
}

/// A place at which the process may be told to die.
#[inline]
pub fn point(name: &str) {
    #[cfg(feature = "torture")]
    armed::point(name);
    let _ = name;
}

/// Whether the process was told to break a rule.
#[inline]
pub fn breaks(rule: &str) -> bool {
    #[cfg(feature = "torture")]
    return armed::order("break") == Some(rule);
    #[cfg(not(feature = "torture"))]
    {
        let _ = rule;
        false
    }
}

/// The file that tells the process its time, if it was given one.
#[inline]
pub fn clock() -> Option<&'static str> {
    #[cfg(feature = "torture")]
    return armed::order("clock");
    #[cfg(not(feature = "torture"))]
    None
}

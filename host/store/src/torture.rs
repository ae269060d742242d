//! Places at which a process can be told to die, and rules that it can be told to break: for the torture tests. Built with the
//! feature `torture` only; without it every function here is empty.
//!
//! What is to happen stands in the environment variable `CONTACTOR_TORTURE`, parts separated by commas: `die=PLACE:N` ends the
//! process at the Nth time that it comes to a place, as `kill -9` would, and `die=PLACE/OPERATION:N` at the Nth commit that holds
//! such a change of the store; `break=RULE` makes it break a rule; `clock=FILE` gives it
//! the time (eight bytes, milliseconds since the epoch, little endian).

/// The rule that a change is answered after its commit.
pub const EARLY_ANSWER: &str = "early-answer";
/// The rule that a handler's writes are noted.
pub const NO_JOURNAL: &str = "no-journal";

/// The store's changes: what a process can be told to die before or after the commit of.
pub const CHANGES: [&str; 92] = [
    "create_workspace",
    "update_workspace",
    "set_policy",
    "install_connector",
    "put_connection",
    "put_webhook_address",
    "set_mapping",
    "set_connection_state",
    "exchange_connection_state",
    "create_user",
    "update_user",
    "put_member",
    "remove_member",
    "create_token",
    "revoke_token",
    "touch_token",
    "bind_identity",
    "unbind_identities",
    "begin_session",
    "touch_session",
    "end_session",
    "append_audit",
    "put_credential",
    "put_grant",
    "lease_grant",
    "renew_grant",
    "not_renewed",
    "try_grant",
    "begin_consent",
    "end_consent",
    "put_installations",
    "add_data_key",
    "replace_data_key",
    "rewrap_data_keys",
    "begin_key_generation",
    "reseal",
    "append_event",
    "mark_found",
    "acquire_lease",
    "release_lease",
    "claim_records",
    "claim_events",
    "complete_record",
    "allow_changes",
    "stop_mass_change",
    "note_conflicts",
    "complete_event",
    "begin_rollout",
    "set_rollout",
    "count_rollout",
    "end_rollout",
    "roll_back",
    "put_rest",
    "end_rest",
    "next_trial",
    "discard_parked",
    "retry_parked",
    "erase",
    "put_alert_rules",
    "put_alerts",
    "add_usage",
    "put_budget",
    "put_partner_windows",
    "put_run",
    "put_recording",
    "decide_conflict",
    "decide_deletion",
    "begin_deletion",
    "put_delete_policies",
    "begin_review",
    "renew_matches",
    "put_matches",
    "hold",
    "approve_matches",
    "release_matches",
    "put_cursor",
    "put_seen",
    "state_set",
    "state_delete",
    "deliver",
    "free_claims",
    "claim_deliveries",
    "complete_delivery",
    "journal_intent",
    "journal_result",
    "own_write",
    "write_locally",
    "put_destination",
    "remove_destination",
    "claim_messages",
    "complete_message",
    "expire",
];

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

    pub(super) fn points<'a>(name: &str, changes: impl Iterator<Item = &'a str>) {
        for change in changes {
            point(&format!("{name}/{}", super::operation(change)));
        }
    }
}

/// The operation in which a closure stands, from its type's name: `put_run` of `<…>::put_run<'_, '_>::{{closure}}::{{closure}}`.
#[cfg(any(test, feature = "torture"))]
fn operation(closure: &str) -> &str {
    let function = closure.split("::{{closure}}").next().unwrap_or(closure);
    let name = function.rsplit("::").next().unwrap_or(function);
    name.split('<').next().unwrap_or(name)
}

/// Places of each change of a batch, named by its closure's type.
#[inline]
pub fn points<'a>(name: &str, changes: impl Iterator<Item = &'a str>) {
    #[cfg(feature = "torture")]
    armed::points(name, changes);
    #[cfg(not(feature = "torture"))]
    let _ = (name, changes);
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

#[cfg(test)]
mod tests {
    use std::any::type_name_of_val;
    use std::collections::BTreeSet;
    use std::fs;

    use super::{CHANGES, operation};

    #[test]
    fn every_change_of_the_store_is_a_place_to_die() {
        let mut written = BTreeSet::new();
        for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/impls")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let mut function = "";
            for line in text.lines() {
                if let Some((_, name)) = line.split_once("fn ") {
                    function = name.split(['(', '<']).next().unwrap_or_default();
                }
                if line.contains("self.write(") {
                    written.insert(function.to_owned());
                }
            }
        }
        assert_eq!(written, BTreeSet::from(CHANGES.map(str::to_owned)));
    }

    #[test]
    fn a_change_is_known_by_the_function_it_stands_in() {
        let change = || || ();
        assert_eq!(operation(type_name_of_val(&change())), "a_change_is_known_by_the_function_it_stands_in");
        // As the compiler names those of an asynchronous trait.
        let closure =
            "store::impls::<impl store::Store for store::Sqlite>::put_run<'_, '_>::{{closure}}::{{closure}}";
        assert_eq!(operation(closure), "put_run");
    }
}

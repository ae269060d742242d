//! How much one call may carry. It is asked before the journal, the tape or anything else looks at the arguments: to write, hash and
//! keep them is the host's work, and nobody meters it.

use contactor_runtime::Weight;
use contactor_runtime::bindings::types::Error;

use super::{errors, notifications, state, timers};

/// Of calls whose values have no limit of their own: a contact with all its fields, ids of a bulk call. The partner's requests have
/// limits for each of their parts (`partner/request.rs`).
const MOST: usize = 512 * 1024;
/// What ids and names beside a value that has a limit may take.
const BESIDE: usize = 4 * 1024;

/// Whether a call's arguments are no more than it takes at all; what each of them may have is said by the call itself.
pub(super) fn check(operation: &str, arguments: &impl Weight) -> Result<(), Error> {
    let most = match operation {
        // By its parts, see above.
        "partner.send" => return Ok(()),
        "state.compare-and-set" => BESIDE + state::VALUE,
        "timers.set" => BESIDE + timers::PAYLOAD,
        "notifications.send" => BESIDE + notifications::TEXT + notifications::DATA,
        _ => MOST,
    };
    let weight = arguments.weight();
    if weight <= most {
        return Ok(());
    }
    Err(errors::invalid("arguments", format!("{operation} takes at most {most} bytes, these are {weight}")))
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::types::{NamedValue, Value};
    use contactor_runtime::bindings::{contacts, notes, notifications, state, tasks, timers};

    use super::super::testing::Bench;
    use super::*;

    #[tokio::test]
    async fn a_value_beyond_its_cap_is_refused_with_both_numbers_before_anything_is_done_with_it() {
        let bench = Bench::new().await;
        let mut host = bench.allowed();
        let (id, large) = (|| "c1".to_owned(), || "x".repeat(MOST + 1));
        let fields = || vec![NamedValue { name: "title".to_owned(), value: Value::Text(large()) }];
        let timer = timers::Timer { name: id(), at: String::new(), contact_id: None, payload: large() };
        let message = notifications::Message { kind: id(), title: id(), text: large(), data: String::new() };
        let refused = [
            ("contacts.update", contacts::Host::update(&mut host, id(), fields()).await.map(drop)),
            ("tasks.create", tasks::Host::create(&mut host, id(), false, fields()).await.map(drop)),
            ("notes.create", notes::Host::create(&mut host, id(), large(), vec![]).await.map(drop)),
            ("contacts.get", contacts::Host::get(&mut host, large()).await.map(drop)),
            (
                "state.compare-and-set",
                state::Host::compare_and_set(&mut host, id(), 0, large().into()).await.map(drop),
            ),
            ("timers.set", timers::Host::set(&mut host, timer).await),
            ("notifications.send", notifications::Host::send(&mut host, id(), message).await),
        ];
        for (operation, refused) in refused {
            let Err(Error::Invalid(problems)) = &refused else { panic!("{operation}: {refused:?}") };
            let why = &problems[0].problem;
            assert!(why.starts_with(operation) && why.contains("at most"), "{operation}: {why}");
        }
        assert!(bench.requests().is_empty());
    }
}

//! Whose fault it is that a call went wrong, told from its answer alone. Pure.

use contactor_store::{Call, FailureClass};

use crate::partner::HELD_BACK;

/// The class of a finished call; none when nothing went wrong.
pub(crate) fn of_call(call: &Call) -> Option<FailureClass> {
    let is_held_back = call.error.as_deref() == Some(HELD_BACK);
    match call.status {
        _ if is_held_back => None,
        Some(status) => of_status(status, call.write),
        // No answer: the network, or the other system was not there.
        None if call.error.is_some() => Some(FailureClass::Transient),
        None => None,
    }
}

/// Whether something was changed at the other system, as far as its answer tells.
pub(crate) fn is_written(call: &Call) -> bool {
    call.write && call.error.is_none() && call.status.is_some_and(|status| (200..300).contains(&status))
}

fn of_status(status: u16, write: bool) -> Option<FailureClass> {
    match status {
        ..=399 => None,
        401 => Some(FailureClass::Auth),
        403 => Some(FailureClass::Denied),
        // That a record is not there is an answer, not a fault; to a write it is one.
        404 | 410 if !write => None,
        409 => Some(FailureClass::Conflict),
        429 => Some(FailureClass::Quota),
        408 | 425 | 500.. => Some(FailureClass::Transient),
        _ => Some(FailureClass::Data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(status: Option<u16>, write: bool, error: Option<&str>) -> Call {
        Call { status, write, error: error.map(str::to_owned), ..Call::default() }
    }

    #[test]
    fn the_answer_tells_whose_fault_it_is() {
        let class = |status, write| of_call(&call(Some(status), write, None));
        assert_eq!([class(200, true), class(302, false), class(404, false)], [None, None, None]);
        assert_eq!(class(404, true), Some(FailureClass::Data));
        assert_eq!(class(401, false), Some(FailureClass::Auth));
        assert_eq!(class(403, false), Some(FailureClass::Denied));
        assert_eq!(class(422, true), Some(FailureClass::Data));
        assert_eq!(class(409, true), Some(FailureClass::Conflict));
        assert_eq!(class(429, false), Some(FailureClass::Quota));
        assert_eq!(class(502, false), Some(FailureClass::Transient));
    }

    #[test]
    fn no_answer_is_the_other_systems_fault_and_a_preview_is_nobodys() {
        assert_eq!(of_call(&call(None, true, Some("timed out"))), Some(FailureClass::Transient));
        assert_eq!(of_call(&call(None, true, Some(HELD_BACK))), None);
        assert_eq!(of_call(&call(None, false, None)), None);
        assert!(!is_written(&call(None, true, Some(HELD_BACK))));
        assert!(!is_written(&call(Some(422), true, None)));
        assert!(is_written(&call(Some(201), true, None)));
    }
}

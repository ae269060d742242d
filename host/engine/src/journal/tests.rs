//! What the journal answers, and when it stops a handler.

use contactor_store::{ConnectionId, WorkspaceId};

use super::*;

fn entry(position: u32, operation: &str, result: Option<&str>) -> JournalEntry {
    JournalEntry {
        position,
        operation: operation.to_owned(),
        request: vec![1],
        writes: true,
        result: result.map(str::to_owned),
        arguments: r#"["c1"]"#.to_owned(),
        begun_at: Some(Timestamp::UNIX_EPOCH),
        standing: Vec::new(),
        released: false,
    }
}

fn journal(past: Vec<JournalEntry>, retried: bool) -> Journal {
    let now = Timestamp::UNIX_EPOCH;
    let lease = Lease { owner: "one".to_owned(), token: 1, expires_at: now };
    let claimed = ClaimedDelivery {
        component: None,
        id: DeliveryId(1),
        connection: ConnectionId::new("acme/test"),
        workspace: WorkspaceId::new("acme"),
        event: None,
        source: Origin::Host,
        kind: "timer:t".to_owned(),
        contact_id: None,
        partner_id: None,
        at: now,
        begun_at: now,
        fields: contactor_sync::Fields::new(),
        payload: "{}".to_owned(),
        attempts: 1,
        retried,
        journal: past,
    };
    Journal::new(&lease, &claimed, &Digest::new("ab"))
}

const DONE: &str = r#"{"Ok":7}"#;
const REFUSED: &str = r#"{"Err":{"NotFound":"c1"}}"#;
const BROKEN: &str = r#"{"Err":{"Unavailable":"502"}}"#;

/// `=answer`, `make`, `unsure` or `stop`.
fn shown(begun: Result<Begun, Error>) -> String {
    match begun {
        Ok(Begun::Answered(answer)) => format!("={answer}"),
        Ok(Begun::Make(ticket)) if ticket.unsure => "unsure".to_owned(),
        Ok(Begun::Make(_)) => "make".to_owned(),
        Err(_) => "stop".to_owned(),
    }
}

fn call(operation: &'static str, kind: Kind) -> NewCall {
    let arguments = r#"["c1"]"#.to_owned();
    NewCall { operation, request: vec![1], arguments, kind, now: Timestamp::UNIX_EPOCH }
}

fn write(operation: &'static str) -> NewCall {
    call(operation, Kind::Write(Again::AfterALook))
}

fn replay(past: Vec<JournalEntry>, calls: &[&'static str]) -> Vec<String> {
    let journal = journal(past, false);
    calls.iter().map(|operation| shown(journal.begin(write(operation)))).collect()
}

#[test]
fn finished_calls_are_answered_and_what_follows_is_made() {
    let past = vec![entry(0, "tasks.create", Some(DONE)), entry(1, "tags.add", Some(DONE))];
    let done = format!("={DONE}");
    assert_eq!(replay(past, &["tasks.create", "tags.add", "notes.create"]), [&done, &done, "make"]);
}

#[test]
fn a_call_without_an_answer_may_have_happened() {
    let past = vec![entry(0, "tasks.create", None)];
    assert_eq!(replay(past, &["tasks.create", "tags.add"]), ["unsure", "make"]);
    assert_eq!(replay(vec![entry(0, "tasks.create", Some(BROKEN))], &["tasks.create"]), ["unsure"]);
}

#[test]
fn a_refusal_counts_only_when_the_handler_went_on_after_it() {
    let refused = entry(0, "tasks.get", Some(REFUSED));
    assert_eq!(replay(vec![refused.clone()], &["tasks.get"]), ["make"]);
    let went_on = vec![refused.clone(), entry(1, "tags.add", Some(DONE))];
    assert_eq!(replay(went_on, &["tasks.get"]), [format!("={REFUSED}")]);
    assert_eq!(replay(vec![refused], &["tags.add"]), ["make"], "it led to nothing");
}

#[test]
fn another_call_than_the_noted_one_stops_the_handler_and_names_both() {
    for result in [Some(DONE), None, Some(BROKEN)] {
        let journal = journal(vec![entry(0, "tasks.create", result)], false);
        assert_eq!(shown(journal.begin(write("notes.create"))), "stop", "{result:?}");
        let why = journal.stopped().unwrap().message;
        let both = r#"Noted: tasks.create ["c1"]. Now: notes.create ["c1"]"#;
        assert!(why.ends_with(both), "{why}");
        assert_eq!(shown(journal.begin(write("tags.add"))), "stop", "nothing more is written");
    }
    let journal = journal(vec![entry(0, "tags.add", Some(DONE))], false);
    assert_eq!(shown(journal.begin(NewCall { request: vec![2], ..write("tags.add") })), "stop");
    assert!(journal.stopped().unwrap().message.contains("with other values"));
}

#[test]
fn a_person_who_retries_keeps_what_was_done_by_its_content() {
    let open = JournalEntry { released: true, ..entry(1, "tags.add", None) };
    let journal = journal(vec![entry(0, "tasks.create", Some(DONE)), open], true);
    assert_eq!(shown(journal.begin(write("notes.create"))), "make");
    assert_eq!(shown(journal.begin(write("tags.add"))), "unsure");
    assert_eq!(shown(journal.begin(write("tasks.create"))), format!("={DONE}"));
    assert_eq!(shown(journal.begin(write("tasks.create"))), "make", "it was done once");
}

/// The version that began a handler was taken back, and another one goes on.
#[test]
fn what_may_have_happened_keeps_another_version_from_everything_new_until_a_person_decides() {
    let other = |operation| NewCall { request: vec![2], ..write(operation) };
    let done = format!("={DONE}");
    for (operation, result) in [("partner.send", None), ("notes.create", Some(BROKEN)), ("tags.add", None)] {
        let past = |released| {
            let open = JournalEntry { released, ..entry(1, operation, result) };
            vec![entry(0, "tasks.create", Some(DONE)), open]
        };
        for new in [operation, "contacts.update"] {
            let journal = journal(past(false), true);
            assert_eq!(shown(journal.begin(write("tasks.create"))), done, "{operation}");
            assert_eq!(shown(journal.begin(call("notes.get", Kind::Read))), "make", "to look does no harm");
            assert_eq!(shown(journal.begin(other(new))), "stop", "{operation}, {new}");
            let failure = journal.stopped().unwrap();
            assert_eq!(failure.class, FailureClass::Unsure, "{operation}");
            let words = format!(r#"{operation} ["c1"]"#);
            assert!(failure.message.contains("may have happened"), "{}", failure.message);
            assert!(failure.message.ends_with(&words), "{}", failure.message);
        }
        let ends = journal(past(false), true);
        ends.ended();
        assert_eq!(ends.stopped().map(|failure| failure.class), Some(FailureClass::Unsure), "{operation}");

        let same = journal(past(false), true);
        assert_eq!(shown(same.begin(write(operation))), "unsure", "it takes up the same call");
        assert_eq!(shown(same.begin(other(operation))), "make");
        same.ended();
        assert_eq!(same.stopped().map(|failure| failure.message), None);

        let decided = journal(past(true), true);
        assert_eq!(shown(decided.begin(other(operation))), "make", "a person looked");
        decided.ended();
        assert_eq!(decided.stopped().map(|failure| failure.message), None);
    }
}

#[test]
fn what_was_refused_keeps_another_version_only_from_creating_the_like() {
    let refused = r#"{"Err":{"Other":"status 400; nothing was done"}}"#;
    let beside = |noted: &str, result: &str, new: NewCall| {
        let journal = journal(vec![entry(0, noted, Some(result))], true);
        let begun = shown(journal.begin(NewCall { request: vec![2], ..new }));
        journal.ended();
        (begun, journal.stopped().is_some())
    };
    let update = || call("contacts.update", Kind::Write(Again::Freely));
    assert_eq!(beside("tasks.create", refused, write("tasks.create")), ("stop".to_owned(), true));
    assert_eq!(beside("tasks.create", refused, write("notes.create")), ("make".to_owned(), false));
    assert_eq!(beside("contacts.update", refused, update()), ("make".to_owned(), false));
    assert_eq!(beside("contacts.update", REFUSED, update()), ("make".to_owned(), false));
    // The host's own store did it with its note, or not at all.
    assert_eq!(beside("notifications.send", BROKEN, update()), ("make".to_owned(), false));
}

#[test]
fn reads_are_noted_with_the_write_that_follows_them() {
    let journal = journal(Vec::new(), false);
    let Ok(Begun::Make(read)) = journal.begin(call("tasks.list-all", Kind::Read)) else { panic!() };
    journal.read(*read, "{\"Ok\":[]}".to_owned());
    let Ok(Begun::Make(write)) = journal.begin(write("tags.add")) else { panic!() };
    assert_eq!(write.slot.call.position, 1);
    assert_eq!(write.slot.reads.len(), 1);
    assert_eq!(write.slot.reads[0].result.as_deref(), Some("{\"Ok\":[]}"));
}

/// How a call ends that was noted with this answer, and may not be made twice.
fn once(operation: &'static str, result: Option<&str>, released: bool) -> String {
    let journal = journal(vec![JournalEntry { released, ..entry(0, operation, result) }], released);
    shown(journal.begin(call(operation, Kind::Write(Again::ByAPerson))))
}

#[test]
fn a_call_that_must_not_be_made_twice_is_left_to_a_person_while_nobody_knows_whether_it_happened() {
    for unknown in [None, Some(BROKEN)] {
        assert_eq!(once("workflows.add", unknown, false), "stop", "{unknown:?}");
        assert_eq!(once("workflows.add", unknown, true), "unsure", "a person has it done again");
    }
    let refused = r#"{"Err":{"Other":"status 400; nothing was done"}}"#;
    let not_sent = r#"{"Err":{"Unavailable":"no connection; nothing was done"}}"#;
    for known in [REFUSED, refused, not_sent] {
        assert_eq!(once("workflows.add", Some(known), false), "make", "{known}");
    }
    assert_eq!(once("workflows.add", Some(DONE), false), format!("={DONE}"));
}

#[test]
fn a_retry_is_leave_for_the_call_that_a_person_was_asked_about_and_for_no_earlier_one() {
    let answered = r#"{"Ok":{"status":502,"headers":[],"body":[]}}"#;
    let sent = |position| JournalEntry { released: true, ..entry(position, "partner.send", Some(answered)) };
    let send = || call("partner.send", Kind::Write(Again::ByAPerson));
    let alone = journal(vec![sent(0)], true);
    assert_eq!(shown(alone.begin(send())), "unsure", "the person saw it");
    let tolerated = journal(vec![sent(0), entry(1, "tasks.create", Some(REFUSED))], true);
    assert_eq!(shown(tolerated.begin(send())), format!("={answered}"), "the handler had gone on after it");
    assert_eq!(shown(tolerated.begin(write("tasks.create"))), "make", "this is what was mended");
}

#[test]
fn an_answer_of_the_partner_counts_by_its_status() {
    let answered = |status: u16| format!(r#"{{"Ok":{{"status":{status},"headers":[],"body":[]}}}}"#);
    for status in [200, 204, 302] {
        assert_eq!(once("partner.send", Some(&answered(status)), false), format!("={}", answered(status)));
    }
    for status in [400, 409, 429] {
        assert_eq!(once("partner.send", Some(&answered(status)), false), "make", "{status} is a refusal");
    }
    for status in [500, 502, 503, 504] {
        assert_eq!(once("partner.send", Some(&answered(status)), false), "stop", "{status}");
    }
    // One that may be sent twice is, instead of being answered with the failure for ever.
    let journal = journal(vec![entry(0, "partner.send", Some(&answered(503)))], false);
    assert_eq!(shown(journal.begin(call("partner.send", Kind::Write(Again::Freely)))), "unsure");
}

#[test]
fn what_may_have_happened_says_what_it_was_and_what_a_person_can_do() {
    let journal = journal(vec![entry(0, "workflows.add", None)], false);
    assert_eq!(shown(journal.begin(call("workflows.add", Kind::Write(Again::ByAPerson)))), "stop");
    let failure = journal.stopped().unwrap();
    assert_eq!(failure.class, FailureClass::Unsure, "nobody made a mistake");
    for words in [r#"workflows.add ["c1"]"#, "may have happened", "HighLevel", "retry", "discard"] {
        assert!(failure.message.contains(words), "{words}: {}", failure.message);
    }
}

#[test]
fn a_handler_that_ends_before_its_noted_calls_did_not_repeat_itself() {
    let ends = |past: Vec<JournalEntry>, retried: bool| {
        let journal = journal(past, retried);
        assert_eq!(shown(journal.begin(write("tasks.create"))), format!("={DONE}"));
        journal.ended();
        journal.stopped().map(|failure| failure.message)
    };
    let done = entry(0, "tasks.create", Some(DONE));
    for result in [Some(DONE), None, Some(BROKEN)] {
        let why = ends(vec![done.clone(), entry(1, "notes.create", result)], false).unwrap();
        assert!(why.contains("its call 2 was notes.create, and now it ends after 1 calls"), "{why}");
        assert!(why.ends_with(r#"Noted: notes.create ["c1"]. Now: nothing"#), "{why}");
    }
    assert_eq!(ends(vec![done.clone()], false), None);
    assert_eq!(
        ends(vec![done.clone(), entry(1, "notes.create", Some(REFUSED))], false),
        None,
        "it led to nothing"
    );
    assert_eq!(
        ends(vec![done, entry(1, "notes.create", Some(DONE))], true),
        None,
        "a person had it done again"
    );
}

#[test]
fn a_record_is_a_lost_calls_own_unless_it_is_older_or_was_there_before() {
    let at = |seconds: i64| Some(Timestamp::from_second(seconds).unwrap());
    let begun = entry(0, "notes.create", None);
    let begun = JournalEntry { begun_at: at(10_000), standing: vec![RecordId::new("n1")], ..begun };
    assert!(may_be_of(&begun, "n2", at(10_001)));
    assert!(may_be_of(&begun, "n2", at(10_000 - 299)), "clocks differ");
    assert!(!may_be_of(&begun, "n2", at(10_000 - 301)));
    assert!(!may_be_of(&begun, "n1", at(10_001)));
    assert!(may_be_of(&begun, "n2", None), "nothing tells otherwise");
    assert!(
        may_be_of(&JournalEntry { begun_at: None, ..begun }, "n2", at(0)),
        "a journal of an older version"
    );
}

#[test]
fn a_handler_whose_writes_were_answered_with_too_much_makes_no_further_one_and_is_told_so() {
    let large = format!(r#"{{"Ok":"{}"}}"#, "x".repeat(WRITES));
    let journal = journal(vec![entry(0, "partner.send", Some(r#"{"Ok":{"status":200}}"#))], false);
    assert!(shown(journal.begin(write("partner.send"))).starts_with('='));
    assert_eq!(shown(journal.begin(write("tags.add"))), "make");
    journal.have_kept(large.len());
    assert_eq!(
        shown(journal.begin(call("tasks.get", Kind::Read))),
        "make",
        "a read keeps within its own bound"
    );
    assert_eq!(shown(journal.begin(write("tags.remove"))), "stop");
    let failure = journal.stopped().unwrap();
    assert_eq!(failure.class, FailureClass::GuestBug);
    assert!(failure.message.starts_with("tags.remove was not made") && failure.message.contains("8 MiB"));

    // The next attempt has the answers, and comes as far as the first.
    let past = vec![entry(0, "partner.send", Some(&large)), entry(1, "tags.add", Some(DONE))];
    assert_eq!(
        replay(past, &["partner.send", "tags.add", "tags.remove"])[1..],
        [format!("={DONE}"), "stop".to_owned()]
    );
}

use serde_json::{Value as Json, json};

use super::{FULL, Seen};
use crate::prelude::*;
use crate::testing::MockHost;

/// A page that shows these records; answers the ids that are news, and the page.
fn page(cursor: Option<&str>, records: &[(&str, Json)]) -> (Vec<String>, PollPage) {
    let mut seen = Seen::open("people", cursor).unwrap();
    let mut changes = Vec::new();
    for (id, content) in records {
        if seen.is_news(id, content).unwrap() {
            changes.push(Change::new(ChangeKind::Updated, "contact", *id));
        }
    }
    let ids = changes.iter().map(|change| change.id.clone()).collect();
    (ids, seen.last(changes, None).unwrap())
}

#[test]
fn only_what_is_new_or_different_is_news() {
    let _host = MockHost::new().install();
    let (news, first) = page(None, &[("1", json!({"n": 1})), ("2", json!({"n": 1}))]);
    assert_eq!(news, ["1", "2"]);
    let (news, second) =
        page(first.cursor.as_deref(), &[("1", json!({"n": 2})), ("2", json!({"n": 1})), ("3", json!(0))]);
    assert_eq!(news, ["1", "3"]);
    let (news, _) =
        page(second.cursor.as_deref(), &[("1", json!({"n": 2})), ("2", json!({"n": 1})), ("3", json!(0))]);
    assert!(news.is_empty(), "{news:?}");
}

#[test]
fn a_page_that_the_host_never_committed_is_repeated() {
    let _host = MockHost::new().install();
    let (_, first) = page(None, &[("1", json!(1))]);
    let (news, lost) = page(first.cursor.as_deref(), &[("1", json!(2)), ("2", json!(1))]);
    assert_eq!(news, ["1", "2"]);
    drop(lost);
    let (news, again) = page(first.cursor.as_deref(), &[("1", json!(2)), ("2", json!(1))]);
    assert_eq!(news, ["1", "2"], "the host came back with the cursor before");
    let (news, _) = page(again.cursor.as_deref(), &[("1", json!(2)), ("2", json!(1))]);
    assert!(news.is_empty(), "{news:?}");
}

#[test]
fn a_cursor_that_was_used_already_finds_what_it_brought() {
    let _host = MockHost::new().install();
    let (_, first) = page(None, &[("1", json!(1))]);
    for _ in 0..2 {
        // The second time is a crash right after the first page was taken over.
        let (news, _) = page(first.cursor.as_deref(), &[("1", json!(1))]);
        assert!(news.is_empty(), "{news:?}");
    }
}

#[test]
fn a_record_on_two_pages_is_one_change() {
    let _host = MockHost::new().install();
    let (news, first) = page(None, &[("1", json!(1)), ("1", json!(1))]);
    assert_eq!(news, ["1"]);
    let (news, _) = page(first.cursor.as_deref(), &[("1", json!(1)), ("2", json!(1))]);
    assert_eq!(news, ["2"]);
}

#[test]
fn positions_are_the_authors_own_and_a_foreign_cursor_is_refused() {
    let _host = MockHost::new().install();
    let seen = Seen::open("people", None).unwrap();
    assert_eq!(seen.position(), None);
    let page = seen.more(Vec::new(), "2").unwrap();
    assert!(page.more);
    assert_eq!(Seen::open("people", page.cursor.as_deref()).unwrap().position(), Some("2"));
    let error = Seen::open("people", Some("2")).unwrap_err().message();
    assert!(error.contains("`people`") && error.contains("`2`"), "{error}");
}

#[test]
fn streams_do_not_see_each_others_records() {
    let _host = MockHost::new().install();
    let (_, first) = page(None, &[("1", json!(1))]);
    let cursor = first.cursor.as_deref();
    assert!(!Seen::open("people", cursor).unwrap().is_news("1", &json!(1)).unwrap());
    assert!(Seen::open("people2", cursor).unwrap().is_news("1", &json!(1)).unwrap());
}

#[test]
fn many_records_spread_over_values_that_the_state_can_hold() {
    let host = MockHost::new().install();
    let count = 3 * FULL;
    let ids: Vec<String> = (0..count).map(|id| id.to_string()).collect();
    let mut cursor: Option<String> = None;
    for ids in ids.chunks(1_000) {
        let records: Vec<_> = ids.iter().map(|id| (id.as_str(), json!(id))).collect();
        let (news, answer) = page(cursor.as_deref(), &records);
        assert_eq!(news.len(), ids.len());
        cursor = answer.cursor;
    }
    let all: Vec<_> = ids.iter().map(|id| (id.as_str(), json!(id))).collect();
    let before = host.calls().len();
    let (news, _) = page(cursor.as_deref(), &all);
    assert!(news.is_empty(), "{} are news", news.len());
    // The list of what is set aside, the last page, its removal, the root and sixteen branches, some of them twice.
    let calls = host.calls().len() - before;
    assert!(calls < 60, "{calls} calls");
    let keys = state::keys("seen/people/").unwrap();
    assert_eq!(keys.len(), 17, "{keys:?}");
}

#[test]
fn a_record_that_could_not_be_read_is_news_again_whatever_it_was_before() {
    let _host = MockHost::new().install();
    let poll = |cursor: Option<&str>, one: &Json| {
        let mut seen = Seen::open("people", cursor).unwrap();
        let id = |one: &Json| crate::json::id(&one["id"]);
        let changes = seen.changes("contact", std::slice::from_ref(one), id, |seen, one| {
            crate::json::parse::<std::collections::BTreeMap<String, String>>(one)?;
            let is_news = seen.is_news("7", one)?;
            Ok(is_news.then(|| Change::new(ChangeKind::Updated, "contact", "7")))
        });
        seen.last(changes.unwrap(), None).unwrap()
    };
    let (good, broken) = (json!({"id": "7"}), json!({"id": "7", "email": [7]}));
    let first = poll(None, &good);
    assert!(poll(first.cursor.as_deref(), &good).changes.is_empty());
    let parked = poll(first.cursor.as_deref(), &broken);
    assert_eq!((parked.changes.len(), parked.changes[0].id.as_str()), (1, "7"));
    assert!(parked.changes[0].problem().unwrap().contains("`email`"), "{:?}", parked.changes);
    let again = poll(parked.cursor.as_deref(), &good);
    assert_eq!(
        (again.changes.len(), again.changes[0].problem()),
        (1, None),
        "the host takes it off its list"
    );
}

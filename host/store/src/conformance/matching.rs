//! The match report, and the review that holds records back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::Engine;
use super::world::*;
use crate::*;

fn found(from: Side, highlevel: Option<&str>, partner: Option<&str>, bucket: MatchBucket) -> FoundMatch {
    let found = Match {
        highlevel_id: highlevel.map(RecordId::new),
        partner_id: partner.map(RecordId::new),
        bucket,
        told: Told { label: None, note: "email".to_owned() },
        to_highlevel: 1,
        to_partner: 2,
        conflicts: 0,
        highlevel_calls: 3,
        partner_calls: 1,
        at: at(30),
        released: false,
    };
    FoundMatch { from, found }
}

fn of_contact(id: &str, bucket: MatchBucket) -> FoundMatch {
    let partner = (bucket == MatchBucket::Matched).then(|| id.replace('h', "p"));
    found(Side::Highlevel, Some(id), partner.as_deref(), bucket)
}

fn walk(seen: u64, done: bool) -> Cursor {
    Cursor {
        connection: prefinery(),
        stream: "match".to_owned(),
        cursor: Some(format!("after-{seen}")),
        done,
        seen,
        total: Some(4),
        updated_at: at(31),
        trouble: None,
    }
}

/// A person who is listed without being linked.
pub(super) async fn listed(world: &World, name: &str) {
    world.store.begin_review(&prefinery(), None, "basis".to_owned()).await.unwrap();
    let contact = format!("listed-of-{name}");
    let one = of_contact(&contact, MatchBucket::NewInPartner);
    let told = Told { label: Some(format!("{name}@example.com")), note: String::new() };
    let one = FoundMatch { found: Match { told, ..one.found }, ..one };
    world.store.put_matches(&prefinery(), 0, vec![one], walk(1, true)).await.unwrap();
}

impl World {
    async fn report(&self) -> u32 {
        let review = self.store.begin_review(&prefinery(), Some(walk(0, false)), "basis".to_owned()).await;
        review.unwrap().walk
    }

    async fn page(&self, walk_number: u32, page: Vec<FoundMatch>, cursor: Cursor) {
        self.store.put_matches(&prefinery(), walk_number, page, cursor).await.unwrap();
    }

    async fn approve(&self, buckets: &[MatchBucket]) -> Review {
        let buckets: BTreeSet<_> = buckets.iter().copied().collect();
        self.store.approve_matches(&prefinery(), buckets).await.unwrap()
    }

    /// Buckets with the records in them, and how many of those were released.
    async fn buckets(&self) -> Vec<(MatchBucket, u64, u64)> {
        let counts = self.store.match_counts(&prefinery()).await.unwrap();
        counts.iter().map(|count| (count.bucket, count.records, count.released)).collect()
    }

    async fn dirty(&self) -> Vec<String> {
        let mut claimed: Vec<_> =
            self.claim().await.iter().map(|claim| claim.key.record.to_string()).collect();
        claimed.sort();
        claimed
    }
}

pub(super) async fn a_report_lists_each_record_once_and_goes_on_after_a_restart(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    assert_eq!(world.store.review(&prefinery()).await.unwrap(), None);
    let number = world.report().await;
    let first = vec![of_contact("h1", MatchBucket::Matched), of_contact("h2", MatchBucket::NewInPartner)];
    world.page(number, first.clone(), walk(2, false)).await;
    let world = world.restart().await;
    let review = world.store.review(&prefinery()).await.unwrap().unwrap();
    assert_eq!((review.walk, review.basis.as_str(), review.ended_at), (number, "basis", None));
    assert_eq!(world.store.cursor(&prefinery(), "match").await.unwrap(), Some(walk(2, false)));
    // The page whose cursor was not committed comes again, and the next one lists what the first listed otherwise.
    world.page(number, first, walk(2, false)).await;
    world.page(number, vec![of_contact("h2", MatchBucket::Skipped)], walk(4, true)).await;
    assert_eq!(world.buckets().await, [(MatchBucket::Matched, 1, 0), (MatchBucket::Skipped, 1, 0)]);
    let counts = world.store.match_counts(&prefinery()).await.unwrap();
    assert_eq!(
        (counts[0].to_highlevel, counts[0].to_partner, counts[0].highlevel_calls, counts[0].partner_calls),
        (1, 2, 3, 1)
    );
    let filter = MatchFilter { connection: prefinery(), bucket: MatchBucket::Matched, skip: 0, limit: 10 };
    assert_eq!(
        world.store.matches(filter.clone()).await.unwrap(),
        [of_contact("h1", MatchBucket::Matched).found]
    );
    assert_eq!(world.store.matches(MatchFilter { skip: 1, ..filter }).await.unwrap(), []);
    assert_eq!(world.dirty().await, Vec::<String>::new(), "a report writes nothing");
}

pub(super) async fn a_page_of_an_earlier_report_changes_nothing(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let earlier = world.report().await;
    let alone = found(Side::Partner, None, Some("p7"), MatchBucket::NewInHighlevel);
    assert!(world.store.hold(&prefinery(), "basis".to_owned(), alone).await.unwrap().is_some());
    world.page(earlier, vec![of_contact("h1", MatchBucket::Matched)], walk(1, false)).await;
    world.approve(&[MatchBucket::Matched]).await;
    let present = world.report().await;
    world.page(earlier, vec![of_contact("h2", MatchBucket::Matched)], walk(2, true)).await;
    assert_eq!(world.buckets().await, [], "what an earlier report listed is not of this one");
    assert_eq!(world.dirty().await, Vec::<String>::new(), "the beginning is one small commit");
    // What nobody lists a second time is looked at by a run.
    assert_eq!(world.store.renew_matches(&prefinery(), 1).await.unwrap(), 1);
    let world = world.restart().await;
    assert_eq!(world.store.renew_matches(&prefinery(), 10).await.unwrap(), 1);
    assert_eq!(world.store.renew_matches(&prefinery(), 10).await.unwrap(), 0);
    assert_eq!(world.buckets().await, [(MatchBucket::NewInHighlevel, 1, 0)]);
    assert_eq!(world.dirty().await, ["p7"]);
    assert_eq!(world.store.cursor(&prefinery(), "match").await.unwrap(), Some(walk(0, false)));
    let review = world.store.review(&prefinery()).await.unwrap().unwrap();
    assert_eq!((review.walk, review.approved.len()), (present, 0), "an approval is of one report");
    // A review that is only to hold records back leaves one that is open alone.
    world.approve(&[MatchBucket::Matched]).await;
    let review = world.store.begin_review(&prefinery(), None, "other".to_owned()).await.unwrap();
    assert_eq!((review.walk, review.approved.len()), (present, 1));
    let nowhere = ConnectionId::new("acme/nobody");
    assert!(world.store.begin_review(&nowhere, None, String::new()).await.is_err());
}

pub(super) async fn what_is_approved_is_marked_once_and_nothing_else_is(engine: Arc<dyn Engine>) {
    use MatchBucket::{Ambiguous, Failed, Linked, Matched, NewInHighlevel, NewInPartner, Skipped};
    let world = World::new(engine).await;
    let number = world.report().await;
    let page = [Matched, NewInPartner, NewInHighlevel, Ambiguous, Skipped, Failed, Linked];
    let page: Vec<_> = (1..).zip(page).map(|(n, bucket)| of_contact(&format!("h{n}"), bucket)).collect();
    world.page(number, page, walk(7, false)).await;
    let release =
        async |limit| world.store.release_matches(&prefinery(), "basis".to_owned(), limit).await.unwrap();
    assert_eq!(release(10).await, 0);
    let review = world.approve(&[Matched]).await;
    assert_eq!(review.ended_at, None);
    assert_eq!((release(10).await, release(10).await), (1, 0));
    assert_eq!(world.dirty().await, ["h1"]);
    // What is found later is approved with its bucket.
    world.page(number, vec![of_contact("h8", Matched)], walk(8, true)).await;
    let world = world.restart().await;
    let release =
        async |limit| world.store.release_matches(&prefinery(), "basis".to_owned(), limit).await.unwrap();
    assert_eq!((release(10).await, release(10).await), (1, 0));
    world.dirty().await;
    let review = world.approve(&MatchBucket::ALL).await;
    assert!(review.ended_at.is_some(), "nothing is left that could wait");
    assert_eq!((release(3).await, release(3).await, release(3).await), (3, 1, 0));
    assert_eq!(world.dirty().await, ["h2", "h3", "h4", "h6"]);
    let unreleased: Vec<_> = world.buckets().await.into_iter().filter(|(_, all, done)| all != done).collect();
    assert_eq!(unreleased, [(Skipped, 1, 0), (Linked, 1, 0)]);
}

pub(super) async fn a_record_waits_until_its_own_bucket_is_approved(engine: Arc<dyn Engine>) {
    use MatchBucket::{Ambiguous, Matched, NewInHighlevel, NewInPartner};
    let world = World::new(engine).await;
    let hold = async |found: FoundMatch| {
        world.store.hold(&prefinery(), "basis".to_owned(), found).await.unwrap().map(|found| found.bucket)
    };
    assert_eq!(hold(of_contact("h1", Matched)).await, None, "without a review nobody waits");
    world.store.begin_review(&prefinery(), None, "basis".to_owned()).await.unwrap();
    assert_eq!(hold(of_contact("h1", Matched)).await, Some(Matched));
    world.approve(&[Matched]).await;
    let other = "another mapping".to_owned();
    let held = world.store.hold(&prefinery(), other.clone(), of_contact("h1", Matched)).await.unwrap();
    assert_eq!(held.unwrap().bucket, Matched, "what was approved was another plan");
    assert_eq!(world.store.release_matches(&prefinery(), other, 10).await.unwrap(), 0);
    assert_eq!(hold(of_contact("h1", Matched)).await, None);
    assert_eq!(world.buckets().await, [(Matched, 1, 1)]);
    // It was to be linked when that was approved, and would be created now.
    assert_eq!(hold(of_contact("h1", NewInPartner)).await, Some(NewInPartner));
    assert_eq!(world.buckets().await, [(NewInPartner, 1, 0)]);
    world.approve(&[NewInPartner, NewInHighlevel]).await;
    assert_eq!(hold(of_contact("h2", Ambiguous)).await, None, "the review is over");
    let none = world.store.begin_review(&prefinery(), None, "basis".to_owned()).await;
    assert!(none.is_err(), "what the report listed could be approved as if it were new");
}

pub(super) async fn what_was_approved_for_another_mapping_waits_also_after_the_end(engine: Arc<dyn Engine>) {
    use MatchBucket::{Matched, NewInPartner, Skipped};
    let world = World::new(engine).await;
    let number = world.report().await;
    let page = vec![
        of_contact("h1", Matched),
        of_contact("h2", Matched),
        of_contact("h3", NewInPartner),
        of_contact("h4", Skipped),
    ];
    world.page(number, page, walk(4, true)).await;
    assert!(world.approve(&MatchBucket::WRITES).await.ended_at.is_some());
    let release = async |basis: &str, limit| {
        world.store.release_matches(&prefinery(), basis.to_owned(), limit).await.unwrap()
    };
    assert_eq!(release("basis", 1).await, 1);
    assert_eq!(release("another mapping", 10).await, 0);
    let review = world.store.review(&prefinery()).await.unwrap().unwrap();
    assert_eq!(review.ended_at, None, "it is open again, and says what it was made with");
    let hold = async |basis: &str, id: &str| {
        let found = of_contact(id, Matched);
        world.store.hold(&prefinery(), basis.to_owned(), found).await.unwrap().map(|found| found.bucket)
    };
    assert_eq!(hold("another mapping", "h2").await, Some(Matched));
    // The mapping is as it was, and all of it was approved.
    assert_eq!(release("basis", 10).await, 2);
    assert!(world.store.review(&prefinery()).await.unwrap().unwrap().ended_at.is_some());
    // Marked is not written: what waits for its run was approved for the first mapping as well.
    assert_eq!(hold("another mapping", "h2").await, Some(Matched));
    assert_eq!(world.buckets().await[0], (Matched, 2, 1), "h2 waits again");
    assert_eq!(release("basis", 10).await, 1);
    for claim in world.claim().await {
        world.complete(claim, Disposition::Done).await;
    }
    assert_eq!(
        hold("another mapping", "h2").await,
        None,
        "nothing is left that was approved for another one"
    );
    assert_eq!(release("another mapping", 10).await, 0);
    assert!(world.store.review(&prefinery()).await.unwrap().unwrap().ended_at.is_some());
}

pub(super) async fn who_competes_for_a_counterpart_does_so_after_the_end_until_one_is_left(
    engine: Arc<dyn Engine>,
) {
    use MatchBucket::{Ambiguous, Matched, Skipped};
    let world = World::new(engine).await;
    let number = world.report().await;
    let of = |highlevel, partner| found(Side::Highlevel, Some(highlevel), Some(partner), Matched);
    world.page(number, vec![of("h1", "p1"), of("h3", "p3"), of("h4", "p3")], walk(3, true)).await;
    world.approve(&MatchBucket::WRITES).await;
    assert_eq!(world.store.release_matches(&prefinery(), "basis".to_owned(), 10).await.unwrap(), 1);
    let hold = async |found: FoundMatch| {
        world.store.hold(&prefinery(), "basis".to_owned(), found).await.unwrap().map(|found| found.bucket)
    };
    assert_eq!(hold(of("h3", "p3")).await, Some(Ambiguous), "the other one is not less entitled");
    assert_eq!(hold(found(Side::Partner, Some("h3"), Some("p3"), Matched)).await, Some(Ambiguous));
    assert_eq!(hold(of("h9", "p1")).await, None, "the links know who has a counterpart");
    // Somebody merged the two.
    assert_eq!(hold(of_contact("h3", Skipped)).await, None);
    assert_eq!(hold(of("h4", "p3")).await, None);
}

pub(super) async fn a_counterpart_that_several_would_take_is_ambiguous(engine: Arc<dyn Engine>) {
    use MatchBucket::{Ambiguous, Matched};
    let world = World::new(engine).await;
    let number = world.report().await;
    let hold = async |found: FoundMatch| {
        world.store.hold(&prefinery(), "basis".to_owned(), found).await.unwrap().map(|found| found.bucket)
    };
    let of = |side, highlevel, partner| found(side, Some(highlevel), Some(partner), Matched);
    // Two of the partner's records, then two contacts.
    assert_eq!(hold(of(Side::Partner, "h1", "p1")).await, Some(Matched));
    assert_eq!(hold(of(Side::Partner, "h1", "p2")).await, Some(Ambiguous));
    world
        .page(number, vec![of(Side::Highlevel, "h3", "p3"), of(Side::Highlevel, "h4", "p3")], walk(2, true))
        .await;
    // Neither of the two contacts has it before the other.
    assert_eq!(world.buckets().await, [(Matched, 1, 0), (Ambiguous, 3, 0)]);
    world.approve(&[Matched]).await;
    assert_eq!(hold(of(Side::Highlevel, "h3", "p3")).await, Some(Ambiguous), "not even with approval");
    // The look from the other side finds both.
    world.page(number, vec![of_contact("h1", Ambiguous)], walk(3, true)).await;
    assert_eq!(hold(of(Side::Partner, "h1", "p1")).await, Some(Ambiguous));
    world.approve(&[Matched, Ambiguous]).await;
    assert_eq!(hold(of(Side::Partner, "h1", "p1")).await, Some(Ambiguous), "it is not approved by mistake");
    assert_eq!(world.store.release_matches(&prefinery(), "basis".to_owned(), 10).await.unwrap(), 3);
    assert_eq!(
        world.dirty().await,
        ["h1", "h3", "h4"],
        "a partner's record would take the first that it finds"
    );
}

pub(super) async fn what_waits_for_an_approval_is_not_forgotten(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let number = world.report().await;
    let page = vec![of_contact("h1", MatchBucket::Matched), of_contact("h2", MatchBucket::NewInPartner)];
    world.page(number, page, walk(2, true)).await;
    world.approve(&[MatchBucket::Matched]).await;
    world.store.release_matches(&prefinery(), "basis".to_owned(), 10).await.unwrap();
    let later = at(0) + SignedDuration::from_hours(24 * 40);
    let retention = Duration::from_hours(24 * 30);
    assert_eq!(world.store.expire(later, retention).await.unwrap(), 1);
    assert_eq!(world.buckets().await, [(MatchBucket::NewInPartner, 1, 0)]);
    world.approve(&MatchBucket::WRITES).await;
    assert_eq!(world.store.expire(later, retention).await.unwrap(), 1);
    assert_eq!(world.buckets().await, []);
}

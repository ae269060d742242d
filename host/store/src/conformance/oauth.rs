//! Grants of HighLevel's marketplace: one renews, nothing is lost, nothing is taken twice.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::model::*;
use crate::vault::{KeyId, Sealed, WrappedKey};

/// The one data key of those who keep grants.
const KEY: &str = "fake";

fn sealed(word: &str) -> Sealed {
    Sealed { key_id: KeyId::from_stored(KEY), bytes: word.as_bytes().to_vec() }
}

async fn world(engine: Arc<dyn Engine>) -> World {
    let world = World::new(engine).await;
    let key = WrappedKey {
        id: KeyId::from_stored(KEY),
        workspace: WorkspaceId::new(GrantId::CUSTODY),
        wrapped: Sealed { key_id: KeyId::from_stored("kek"), bytes: vec![1] },
    };
    world.store.add_data_key(key).await.unwrap();
    world
}

fn pair(word: &str, seconds: i64) -> NewPair {
    NewPair {
        sealed: sealed(word),
        scopes: vec!["contacts.readonly".to_owned()],
        expires_at: at(seconds + 1_000),
        next_attempt_at: at(seconds + 500),
        at: at(seconds),
    }
}

fn location() -> GrantId {
    GrantId::location(&LocationId::new("loc-acme"))
}

fn consented(word: &str, seconds: i64) -> Consented {
    Consented {
        id: location(),
        client: "app-1".to_owned(),
        company: Some("com".to_owned()),
        pair: pair(word, seconds),
    }
}

fn ask(generation: u64, owner: &str, now: i64) -> LeaseRequest {
    LeaseRequest {
        id: location(),
        generation,
        owner: owner.to_owned(),
        ended: None,
        now: at(now),
        until: at(now + 60),
        courier: sealed(owner),
    }
}

fn ended(generation: u64, fence: u64, state: GrantState) -> NotRenewed {
    NotRenewed {
        id: location(),
        generation,
        fence,
        state,
        reason: "it was down".to_owned(),
        next_attempt_at: at(700),
        unread: false,
    }
}

async fn stored(world: &World, name: &str) -> Option<Vec<u8>> {
    world.store.credential(name).await.unwrap().map(|sealed| sealed.bytes)
}

/// What is on record, newest first: of which workspace, what, and what came of it.
async fn on_record(world: &World) -> Vec<(Option<WorkspaceId>, String, String)> {
    let changes = world.store.audit(AuditFilter { limit: 100, ..AuditFilter::default() }).await.unwrap();
    assert!(changes.iter().all(|change| change.row.entry.actor == Actor::Host));
    let told = changes.into_iter().map(|change| {
        let NewAudit { workspace, action, target, .. } = change.row.entry;
        (workspace, format!("{action} {target}"), change.told)
    });
    told.collect()
}

fn granted(leased: &Leased) -> (u64, Option<u64>) {
    let Leased::Granted { fence, before } = leased else { panic!("{leased:?}") };
    (*fence, *before)
}

pub(super) async fn one_renews_a_grant_and_only_from_the_generation_it_has_read(engine: Arc<dyn Engine>) {
    let world = world(engine).await;
    let grant = world.store.put_grant(consented("first", 0)).await.unwrap();
    assert_eq!((grant.generation, grant.state, grant.lease.clone()), (1, GrantState::Active, None));
    assert_eq!(stored(&world, &location().pair()).await.unwrap(), b"first");

    let (fence, before) = granted(&world.store.lease_grant(ask(1, "one", 10)).await.unwrap());
    assert_eq!(before, None);
    assert_eq!(world.store.lease_grant(ask(1, "two", 20)).await.unwrap(), Leased::Held { until: at(70) });
    assert!(!world.store.renew_grant(&location(), 1, fence + 1, pair("other", 20)).await.unwrap());
    assert!(!world.store.renew_grant(&location(), 2, fence, pair("other", 20)).await.unwrap());
    let world = world.restart().await;
    assert!(world.store.renew_grant(&location(), 1, fence, pair("second", 20)).await.unwrap());
    assert!(!world.store.renew_grant(&location(), 1, fence, pair("third", 20)).await.unwrap());
    let grant = world.store.grant(&location()).await.unwrap().unwrap();
    assert_eq!((grant.generation, grant.expires_at, grant.lease), (2, at(1_020), None));
    assert_eq!(stored(&world, &location().pair()).await.unwrap(), b"second");
    assert_eq!(stored(&world, &location().courier()).await, None);
    assert_eq!(world.store.lease_grant(ask(1, "two", 30)).await.unwrap(), Leased::Renewed);
}

pub(super) async fn a_lease_whose_holder_died_is_taken_over_with_what_opens_its_letter(
    engine: Arc<dyn Engine>,
) {
    let world = world(engine).await;
    world.store.put_grant(consented("first", 0)).await.unwrap();
    let (first, _) = granted(&world.store.lease_grant(ask(1, "one", 10)).await.unwrap());
    let world = world.restart().await;
    assert!(matches!(world.store.lease_grant(ask(1, "two", 69)).await.unwrap(), Leased::Held { .. }));
    let (second, before) = granted(&world.store.lease_grant(ask(1, "two", 70)).await.unwrap());
    assert_eq!((before, second > first), (Some(first), true));
    assert_eq!(stored(&world, &location().courier()).await.unwrap(), b"one");
    assert!(!world.store.renew_grant(&location(), 1, first, pair("late", 80)).await.unwrap());
    assert!(!world.store.not_renewed(ended(1, first, GrantState::NeedsReconnect)).await.unwrap());
    assert_eq!(stored(&world, &location().courier()).await.unwrap(), b"one");
    assert!(world.store.not_renewed(ended(1, second, GrantState::Degraded)).await.unwrap());
    assert_eq!(stored(&world, &location().courier()).await, None);
    let (_, before) = granted(&world.store.lease_grant(ask(1, "three", 80)).await.unwrap());
    assert_eq!(before, None);
    assert_eq!(stored(&world, &location().courier()).await.unwrap(), b"three");
}

pub(super) async fn a_lease_of_a_process_that_is_known_to_have_ended_is_taken_over_at_once(
    engine: Arc<dyn Engine>,
) {
    let world = world(engine).await;
    world.store.put_grant(consented("first", 0)).await.unwrap();
    granted(&world.store.lease_grant(ask(1, "here/one", 10)).await.unwrap());
    let there = LeaseRequest { ended: Some("there/".to_owned()), ..ask(1, "there/two", 20) };
    assert!(matches!(world.store.lease_grant(there).await.unwrap(), Leased::Held { .. }));
    let here = LeaseRequest { ended: Some("here/".to_owned()), ..ask(1, "here/two", 20) };
    assert!(matches!(world.store.lease_grant(here).await.unwrap(), Leased::Granted { before: Some(_), .. }));
}

pub(super) async fn what_opens_an_answer_that_was_not_understood_is_kept(engine: Arc<dyn Engine>) {
    let world = world(engine).await;
    world.store.put_grant(consented("first", 0)).await.unwrap();
    let (fence, _) = granted(&world.store.lease_grant(ask(1, "one", 10)).await.unwrap());
    let unread = NotRenewed { unread: true, ..ended(1, fence, GrantState::Degraded) };
    assert!(world.store.not_renewed(unread).await.unwrap());
    assert_eq!(stored(&world, &location().courier()).await.unwrap(), b"one");
    let (_, before) = granted(&world.store.lease_grant(ask(1, "two", 20)).await.unwrap());
    assert_eq!(before, Some(fence));
    assert_eq!(stored(&world, &location().courier()).await.unwrap(), b"one");
}

pub(super) async fn a_failed_attempt_keeps_the_pair_and_is_due_again(engine: Arc<dyn Engine>) {
    let world = world(engine).await;
    world.store.put_grant(consented("first", 0)).await.unwrap();
    let due = async |seconds| world.store.due_grants(at(seconds), 10).await.unwrap().len();
    assert_eq!((due(499).await, due(500).await), (0, 1));
    let (fence, _) = granted(&world.store.lease_grant(ask(1, "one", 500)).await.unwrap());
    assert_eq!((due(501).await, due(560).await), (0, 1));
    assert!(world.store.not_renewed(ended(1, fence, GrantState::Degraded)).await.unwrap());
    let grant = world.store.grant(&location()).await.unwrap().unwrap();
    assert_eq!((grant.generation, grant.state, grant.attempts), (1, GrantState::Degraded, 1));
    assert_eq!(grant.reason.as_deref(), Some("it was down"));
    assert_eq!(stored(&world, &location().pair()).await.unwrap(), b"first");
    assert_eq!((due(699).await, due(700).await), (0, 1));
    world.store.try_grant(&location(), at(600)).await.unwrap();
    assert_eq!(due(600).await, 1);
    let (fence, _) = granted(&world.store.lease_grant(ask(1, "one", 700)).await.unwrap());
    assert_eq!(on_record(&world).await, [], "an outage is no change that anybody has to know of");
    assert!(world.store.not_renewed(ended(1, fence, GrantState::NeedsReconnect)).await.unwrap());
    assert_eq!(due(9_999).await, 0);
    assert_eq!(world.store.grants().await.unwrap().len(), 1);
    let of_grant = || "oauth.renew grant=location/loc-acme".to_owned();
    let lost = "state=needs-reconnect before=degraded".to_owned();
    assert_eq!(on_record(&world).await, [(Some(acme()), of_grant(), lost)]);
}

pub(super) async fn a_grant_that_opens_nothing_is_on_record_until_it_opens_something_again(
    engine: Arc<dyn Engine>,
) {
    let world = world(engine).await;
    world.store.put_grant(consented("first", 0)).await.unwrap();
    for second in [10, 20] {
        let (fence, _) = granted(&world.store.lease_grant(ask(1, "one", second)).await.unwrap());
        assert!(world.store.not_renewed(ended(1, fence, GrantState::Paused)).await.unwrap());
    }
    let (fence, _) = granted(&world.store.lease_grant(ask(1, "one", 30)).await.unwrap());
    assert!(!world.store.renew_grant(&location(), 1, fence + 1, pair("other", 30)).await.unwrap());
    assert!(world.store.renew_grant(&location(), 1, fence, pair("second", 30)).await.unwrap());
    let (fence, _) = granted(&world.store.lease_grant(ask(2, "one", 40)).await.unwrap());
    assert!(world.store.renew_grant(&location(), 2, fence, pair("third", 40)).await.unwrap());
    let told: Vec<_> = on_record(&world).await.into_iter().map(|(.., told)| told).collect();
    assert_eq!(told, ["state=active before=paused", "state=paused before=active"]);
}

pub(super) async fn a_new_consent_takes_the_place_of_the_old_pair(engine: Arc<dyn Engine>) {
    let world = world(engine).await;
    world.store.put_grant(consented("first", 0)).await.unwrap();
    let (fence, _) = granted(&world.store.lease_grant(ask(1, "one", 10)).await.unwrap());
    let again = world.store.put_grant(Consented { company: None, ..consented("again", 20) }).await.unwrap();
    assert_eq!((again.generation, again.created_at, again.lease), (2, at(0), None));
    assert_eq!(again.company.as_deref(), Some("com"));
    assert!(!world.store.renew_grant(&location(), 1, fence, pair("late", 30)).await.unwrap());
    assert_eq!(stored(&world, &location().pair()).await.unwrap(), b"again");
    assert!(matches!(
        world.store.lease_grant(ask(2, "two", 30)).await.unwrap(),
        Leased::Granted { before: None, .. }
    ));
}

pub(super) async fn a_consent_ends_once_and_in_time(engine: Arc<dyn Engine>) {
    let world = world(engine).await;
    let flow = |state: &str, workspace: Option<WorkspaceId>| ConsentFlow {
        state: state.to_owned(),
        workspace,
        begun_by: Actor::User(UserId::new("wanda")),
        expires_at: LATER,
    };
    world.store.begin_consent(flow("a", Some(acme()))).await.unwrap();
    world.store.begin_consent(flow("b", None)).await.unwrap();
    let unknown = flow("c", Some(WorkspaceId::new("nobody")));
    assert!(world.store.begin_consent(unknown).await.is_err());
    let world = world.restart().await;
    assert_eq!(world.store.end_consent("a", at(0)).await.unwrap(), Some(flow("a", Some(acme()))));
    assert_eq!(world.store.end_consent("a", at(0)).await.unwrap(), None);
    assert_eq!(world.store.end_consent("b", LATER).await.unwrap(), None);
    assert_eq!(world.store.end_consent("b", at(0)).await.unwrap(), None);
}

pub(super) async fn a_later_word_of_an_installation_stands(engine: Arc<dyn Engine>) {
    let world = world(engine).await;
    let told = |installed, seconds| Installation {
        location: LocationId::new("loc"),
        company: Some("com".to_owned()),
        name: None,
        installed,
        told_at: at(seconds),
    };
    let put = async |told| world.store.put_installations(vec![told]).await.unwrap().len();
    assert_eq!(put(told(true, 10)).await, 1);
    assert_eq!(put(told(true, 11)).await, 0);
    // UNINSTALL of an earlier installation, come late.
    assert_eq!(put(told(false, 5)).await, 0);
    assert!(world.store.installations().await.unwrap()[0].installed);
    assert_eq!(put(told(false, 20)).await, 1);
    let listed = Installation { name: Some("Acme".to_owned()), company: None, ..told(true, 30) };
    assert_eq!(put(listed).await, 1);
    let all = world.store.installations().await.unwrap();
    assert_eq!((all[0].company.as_deref(), all[0].name.as_deref()), (Some("com"), Some("Acme")));
    let told: Vec<_> =
        on_record(&world).await.into_iter().map(|(workspace, what, _)| (workspace, what)).collect();
    let of = |action: &str| (None::<WorkspaceId>, format!("{action} location=loc"));
    assert_eq!(told, [of("oauth.installed"), of("oauth.uninstalled"), of("oauth.installed")]);
}

pub(super) async fn where_the_app_is_installed_is_on_record_for_each_workspace_and_once_for_all_others(
    engine: Arc<dyn Engine>,
) {
    let world = world(engine).await;
    let told = |location: &str| Installation {
        location: LocationId::new(location),
        company: Some("com".to_owned()),
        name: None,
        installed: true,
        told_at: at(10),
    };
    let all: Vec<_> = ["loc-acme", "loc-1", "loc-2"].map(told).into();
    assert_eq!(world.store.put_installations(all.clone()).await.unwrap().len(), 3);
    assert_eq!(world.store.put_installations(all).await.unwrap(), []);
    let none = String::new;
    assert_eq!(
        on_record(&world).await,
        [
            (None, "oauth.installed locations=2".to_owned(), none()),
            (Some(acme()), "oauth.installed location=loc-acme".to_owned(), none()),
        ]
    );
}

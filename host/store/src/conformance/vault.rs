//! Data keys, and what is sealed with them.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::Engine;
use super::world::*;
use crate::*;

const MONTH: Duration = Duration::from_hours(24 * 30);

fn sealed(key: &str, bytes: &[u8]) -> Sealed {
    Sealed { key_id: KeyId::from_stored(key), bytes: bytes.to_vec() }
}

fn id(key: &str) -> KeyId {
    KeyId::from_stored(key)
}

fn recording_of(connection: &ConnectionId, number: i64, sealed: Sealed) -> NewRecording {
    NewRecording {
        run: run(number).id,
        connection: connection.clone(),
        at: at(number),
        size: 100,
        sealed: Some(sealed),
    }
}

impl World {
    /// What of a kind is sealed with a key, read two rows at a time.
    async fn sealed_with(&self, key: &str, kind: SealedKind) -> Vec<SealedRow> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.sealed_with(&id(key), kind, after, 2).await.unwrap();
            let Some(last) = page.last() else { return found };
            assert!(page.len() <= 2, "{page:?}");
            after = Some(last.at.clone());
            found.extend(page);
        }
    }

    /// A deletion of the pair `h1` and `p1` that keeps something for its undo.
    async fn kept(&self, kept: Sealed) -> Deletion {
        self.link("h1", "p1").await;
        self.mark(Side::Highlevel, "h1", Priority::Webhook).await;
        let claim = self.claim_one().await;
        let deletion = Deletion {
            id: 0,
            connection: prefinery(),
            entity: "contact".to_owned(),
            highlevel_id: RecordId::new("h1"),
            partner_id: RecordId::new("p1"),
            side: Side::Highlevel,
            state: DeletionState::Acting,
            policy: contactor_sync::DeletePolicy::Delete,
            since: at(10),
            due: at(20),
            decided_by: None,
            decided_at: Some(at(30)),
            decisions: 0,
            acted_at: None,
            undo_until: None,
            ended_at: None,
            outcome: None,
            kept: Some(kept),
        };
        let link = Link { state: LinkState::HighlevelMissing, ..link("h1", "p1") };
        let done =
            Completion { link: Some(link), deletion: Some(deletion), ..completion(claim, Disposition::Done) };
        self.store.complete_record(&self.lease, done).await.unwrap();
        self.deletion().await
    }

    async fn deletion(&self) -> Deletion {
        let found = self.store.deletion_of(&prefinery(), "contact", &RecordId::new("h1")).await;
        found.unwrap().unwrap()
    }
}

pub(super) async fn one_data_key_of_a_workspace_is_in_use_and_the_first_counts(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let before = world.store.data_key_of(&acme()).await.unwrap().unwrap();
    assert_eq!((&before.key, before.retired_at, before.generation), (&data_key("acme", KEY), None, 0));
    let second = world.store.add_data_key(data_key("acme", "22ff")).await.unwrap();
    assert_eq!(second, before, "the one that was there counts");
    assert_eq!(world.store.data_key(&id("22ff")).await.unwrap(), None);
    // Whose workspace does not exist yet may have one.
    let early = world.store.add_data_key(data_key("later", "33ff")).await.unwrap();
    assert_eq!(early.key, data_key("later", "33ff"));

    let world = world.restart().await;
    let all = world.store.data_keys().await.unwrap();
    assert_eq!(all, DataKeys { generation: 0, keys: vec![before, early] });
    assert_eq!(world.store.data_key_of(&WorkspaceId::new("nobody")).await.unwrap(), None);
}

pub(super) async fn a_data_key_is_replaced_once_and_the_retired_one_only_opens(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.put_credential("acme", sealed(KEY, &[1])).await.unwrap();
    assert_eq!(world.store.begin_key_generation().await.unwrap(), 1);
    let outdated = world.store.data_keys().await.unwrap();
    assert_eq!(outdated.outdated().map(|key| &key.key.id).collect::<Vec<_>>(), [&id(KEY)]);

    let next = world.store.replace_data_key(&id(KEY), data_key("acme", "22ff")).await.unwrap();
    assert_eq!((&next.key.id, next.generation, next.retired_at), (&id("22ff"), 1, None));
    let late = world.store.replace_data_key(&id(KEY), data_key("acme", "33ff")).await.unwrap();
    assert_eq!(late, next, "somebody else replaced it meanwhile");
    let others = world.store.replace_data_key(&id("22ff"), data_key("other", "44ff")).await.unwrap();
    assert_eq!(others.key.id, id("44ff"), "a key of another workspace is not retired for it");

    let world = world.restart().await;
    let all = world.store.data_keys().await.unwrap();
    assert_eq!((all.generation, all.outdated().count(), all.of(&acme())), (1, 0, Some(&next)));
    assert!(all.get(&id(KEY)).unwrap().retired_at.is_some());
    // It opens what it sealed and seals nothing new.
    assert_eq!(world.store.credential("acme").await.unwrap(), Some(sealed(KEY, &[1])));
    for gone in [KEY, "0bad"] {
        let refused = world.store.put_credential("acme", sealed(gone, &[2])).await;
        assert_eq!(refused, Err(StoreError::KeyRetired { key: id(gone) }));
    }
    world.store.put_credential("acme", sealed("22ff", &[2])).await.unwrap();
}

pub(super) async fn data_keys_are_wrapped_anew_unless_they_were_meanwhile(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let (before, after) = (data_key("acme", KEY).wrapped, sealed("new-kek", &[9; 48]));
    let change =
        |from: &Sealed, to: &Sealed| vec![Rewrapped { id: id(KEY), from: from.clone(), to: to.clone() }];
    assert_eq!(world.store.rewrap_data_keys(change(&after, &before)).await.unwrap(), 0);
    assert_eq!(world.store.rewrap_data_keys(change(&before, &after)).await.unwrap(), 1);
    assert_eq!(world.store.rewrap_data_keys(change(&before, &after)).await.unwrap(), 0);
    let world = world.restart().await;
    let stored = world.store.data_key(&id(KEY)).await.unwrap().unwrap();
    assert_eq!((stored.key.wrapped, stored.retired_at), (after, None));
}

pub(super) async fn what_is_sealed_with_a_key_is_found_with_what_it_is_for(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let names = ["acme", "acme/destination:team", "acme/prefinery/auth"];
    for name in names {
        world.store.put_credential(name, sealed(KEY, name.as_bytes())).await.unwrap();
    }
    for number in 1..=5 {
        let row = recording_of(&prefinery(), number, sealed(KEY, &[5; 10]));
        world.store.put_recording(row).await.unwrap();
    }
    let kept = world.kept(sealed(KEY, &[7])).await;
    world.store.begin_key_generation().await.unwrap();
    world.store.replace_data_key(&id(KEY), data_key("acme", "22ff")).await.unwrap();
    world.store.put_credential("acme", sealed("22ff", &[2])).await.unwrap();

    let uses = world.store.key_uses().await.unwrap();
    let count = |kind, key: &str| {
        uses.iter().find(|used| used.kind == kind && used.key == id(key)).map_or(0, |used| used.rows)
    };
    use SealedKind::{Credential, Recording, Undo};
    assert_eq!((count(Credential, KEY), count(Recording, KEY), count(Undo, KEY)), (2, 5, 1));
    assert_eq!((count(Credential, "22ff"), count(Recording, "22ff"), uses.len()), (1, 0, 4));

    let credentials = world.sealed_with(KEY, Credential).await;
    for (row, name) in credentials.iter().zip(&names[1..]) {
        assert_eq!(
            (&row.at, &row.purpose),
            (&SealedAt::Credential((*name).to_owned()), &Purpose::of_credential(name))
        );
        assert_eq!(row.sealed, sealed(KEY, name.as_bytes()));
    }
    let recordings = world.sealed_with(KEY, Recording).await;
    assert_eq!((credentials.len(), recordings.len()), (2, 5));
    assert_eq!(recordings[4].purpose, Purpose::recording(&acme(), &prefinery(), &run(5).id));
    let undos = world.sealed_with(KEY, Undo).await;
    let purpose = Purpose::undo(&acme(), &prefinery(), kept.id);
    let undo = SealedRow { at: SealedAt::Undo(kept.id), purpose, sealed: sealed(KEY, &[7]) };
    assert_eq!(undos, [undo]);
    assert_eq!(world.sealed_with("nothing", Credential).await, []);
}

pub(super) async fn pages_of_what_is_sealed_are_small_enough_for_one_commit(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for number in 1..=3 {
        let row = recording_of(&prefinery(), number, sealed(KEY, &vec![5; 200_000]));
        world.store.put_recording(row).await.unwrap();
    }
    let page = world.store.sealed_with(&id(KEY), SealedKind::Recording, None, 100).await.unwrap();
    assert_eq!(page.len(), 2, "a quarter of a MiB ends a page");
    assert_eq!(world.sealed_with(KEY, SealedKind::Recording).await.len(), 3);
}

pub(super) async fn what_changed_since_it_was_read_is_not_sealed_anew(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let kept = world.kept(sealed(KEY, &[7])).await;
    for name in ["acme", "acme/prefinery/auth"] {
        world.store.put_credential(name, sealed(KEY, &[1])).await.unwrap();
    }
    world.store.put_recording(recording_of(&prefinery(), 1, sealed(KEY, &[3; 10]))).await.unwrap();
    world.store.replace_data_key(&id(KEY), data_key("acme", "22ff")).await.unwrap();
    let mut rows = Vec::new();
    for kind in SealedKind::ALL {
        rows.extend(world.sealed_with(KEY, kind).await);
    }
    // An admin changes one credential after it was read.
    world.store.put_credential("acme", sealed("22ff", b"changed")).await.unwrap();
    let anew = |key: &str| -> Vec<Resealed> {
        let to = |row: &SealedRow| sealed(key, &[&[0xaa], row.sealed.bytes.as_slice()].concat());
        rows.iter()
            .map(|row| Resealed { at: row.at.clone(), from: row.sealed.clone(), to: to(row) })
            .collect()
    };
    // Under a key that seals nothing, nothing is done at all.
    for gone in [KEY, "0bad"] {
        let refused = world.store.reseal(anew(gone)).await;
        assert_eq!(refused, Err(StoreError::KeyRetired { key: id(gone) }));
    }
    assert_eq!(world.sealed_with(KEY, SealedKind::Credential).await.len(), 1);
    assert_eq!(world.store.reseal(anew("22ff")).await.unwrap(), 3);
    assert_eq!(world.store.reseal(anew("22ff")).await.unwrap(), 0);

    let world = world.restart().await;
    assert_eq!(world.store.credential("acme").await.unwrap(), Some(sealed("22ff", b"changed")));
    let auth = world.store.credential("acme/prefinery/auth").await.unwrap();
    assert_eq!(auth, Some(sealed("22ff", &[0xaa, 1])));
    let recording = world.store.recording(&run(1).id).await.unwrap().unwrap();
    assert_eq!(recording.sealed.unwrap().key_id, id("22ff"));
    assert_eq!(world.deletion().await, Deletion { kept: Some(sealed("22ff", &[0xaa, 7])), ..kept });
}

pub(super) async fn a_run_does_not_put_back_what_was_sealed_anew_meanwhile(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seen = world.kept(sealed(KEY, &[7])).await;
    world.store.replace_data_key(&id(KEY), data_key("acme", "22ff")).await.unwrap();
    let late = world.store.begin_deletion(&seen, sealed(KEY, &[8])).await;
    assert_eq!(late, Err(StoreError::KeyRetired { key: id(KEY) }));
    let row = Resealed { at: SealedAt::Undo(seen.id), from: sealed(KEY, &[7]), to: sealed("22ff", &[9]) };
    assert_eq!(world.store.reseal(vec![row]).await.unwrap(), 1);

    // The run ends with the deletion as it saw it.
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let done = Deletion { state: DeletionState::Done, acted_at: Some(at(40)), ..seen.clone() };
    let done = Completion { deletion: Some(done), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let stored = world.deletion().await;
    assert_eq!((stored.state, stored.kept.as_ref()), (DeletionState::Done, Some(&sealed("22ff", &[9]))));

    // One that needs it no more forgets it.
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let without = Deletion { kept: None, ..stored };
    let done = Completion { deletion: Some(without), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    assert_eq!(world.deletion().await.kept, None);
}

pub(super) async fn a_retired_data_key_is_forgotten_when_nothing_names_it_and_not_at_once(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.store.put_credential("acme", sealed(KEY, &[1])).await.unwrap();
    world.store.replace_data_key(&id(KEY), data_key("acme", "22ff")).await.unwrap();
    let retired = world.store.data_key(&id(KEY)).await.unwrap().unwrap().retired_at.unwrap();
    let later = |minutes| retired + SignedDuration::from_mins(minutes);
    let recording =
        |number| NewRecording { at: retired, ..recording_of(&prefinery(), number, sealed(KEY, &[3; 10])) };
    world.store.expire(later(600), MONTH).await.unwrap();
    assert!(world.store.data_key(&id(KEY)).await.unwrap().is_some(), "a credential is sealed with it");

    // A run that sealed its recording before ends after.
    world.store.put_recording(recording(1)).await.unwrap();
    let row = Resealed {
        at: SealedAt::Credential("acme".to_owned()),
        from: sealed(KEY, &[1]),
        to: sealed("22ff", &[2]),
    };
    world.store.reseal(vec![row]).await.unwrap();
    world.store.expire(later(600), MONTH).await.unwrap();
    assert!(world.store.data_key(&id(KEY)).await.unwrap().is_some(), "a recording is sealed with it");
    let late = world.sealed_with(KEY, SealedKind::Recording).await.remove(0);
    let row = Resealed { at: late.at, from: late.sealed, to: sealed("22ff", &[4; 10]) };
    world.store.reseal(vec![row]).await.unwrap();

    world.store.expire(later(59), MONTH).await.unwrap();
    assert!(world.store.data_key(&id(KEY)).await.unwrap().is_some(), "something may be on its way still");
    world.store.expire(later(61), MONTH).await.unwrap();
    assert_eq!(world.store.data_key(&id(KEY)).await.unwrap(), None);
    assert!(world.store.data_key_of(&acme()).await.unwrap().is_some(), "the one in use stays");
    // What comes later still could never be opened: it is not kept.
    world.store.put_recording(recording(2)).await.unwrap();
    assert_eq!(world.store.recording(&run(2).id).await.unwrap(), None);
}

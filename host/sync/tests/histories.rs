//! Whole histories of one record: people edit both sides, syncs run, fail half-way and forget what they did. At the end both sides
//! hold the same, and no edit is gone without a trace.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use contactor_sync::{
    Base, Context, FieldType, Fields, Mapping, Merge, Policy, RowSpec, Side, Value, View, merge, settle,
};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Rows with a value of their own; the row behind them is the tags.
const ROWS: usize = 3;
const TAGS: [&str; 4] = ["a", "b", "c", "d"];
/// A sync that changes nothing for so many times has come to rest.
const SYNCS: usize = 4;

/// What becomes of a sync.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It does all that it has to.
    Ends,
    /// It dies before its first write.
    DiesBeforeWrites,
    /// HighLevel is written, the partner is not, and nothing is remembered but what was noted before.
    DiesBetweenWrites,
    /// Both sides are written, and nothing is remembered but what was noted before.
    DiesAfterWrites,
}

#[derive(Clone, Debug)]
enum Step {
    /// A person gives a field a value that no other edit gives.
    Edit(Side, usize),
    /// A person empties a field.
    Clear(Side, usize),
    /// A person adds or removes a tag.
    Tag(Side, usize, bool),
    Sync(Fate),
    /// A person edits a field of one side while a sync is between its reads and its writes.
    Overtaken(Side, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let side = || prop::sample::select(vec![Side::Highlevel, Side::Partner]);
    let fate = prop_oneof![
        5 => Just(Fate::Ends),
        1 => Just(Fate::DiesBeforeWrites),
        2 => Just(Fate::DiesBetweenWrites),
        2 => Just(Fate::DiesAfterWrites),
    ];
    prop_oneof![
        6 => (side(), 0..ROWS).prop_map(|(side, row)| Step::Edit(side, row)),
        1 => (side(), 0..ROWS).prop_map(|(side, row)| Step::Clear(side, row)),
        2 => (side(), 0..TAGS.len(), any::<bool>()).prop_map(|(side, tag, add)| Step::Tag(side, tag, add)),
        6 => fate.prop_map(Step::Sync),
        1 => (side(), 0..ROWS).prop_map(|(side, row)| Step::Overtaken(side, row)),
    ]
}

fn history() -> impl Strategy<Value = (Vec<Policy>, bool, Vec<Step>)> {
    let policy =
        prop::sample::select(vec![Policy::LatestUpdate, Policy::Highlevel, Policy::Partner, Policy::Ask]);
    (prop::collection::vec(policy, ROWS), any::<bool>(), prop::collection::vec(step(), 1..25))
}

fn context() -> Context {
    Context::of_country("US")
}

/// One record on both sides, and what the host knows of it.
struct World {
    mapping: Mapping,
    highlevel: Fields,
    partner: Fields,
    base: Option<Base>,
    clock: i64,
    updated: [i64; 2],
    edits: u32,
    /// Values that people gave, and values whose end somebody can read about: a person replaced them, or a conflict shows them.
    given: BTreeSet<(usize, String)>,
    told: BTreeSet<(usize, String)>,
}

impl World {
    fn new(policies: &[Policy], times: bool) -> Self {
        let field = |prefix: &str, row: usize| format!("{prefix}{row}");
        let mut rows: Vec<RowSpec> = policies
            .iter()
            .enumerate()
            .map(|(row, policy)| RowSpec {
                policy: *policy,
                ..RowSpec::new(field("h", row), field("p", row), FieldType::Text)
            })
            .collect();
        rows.push(RowSpec::new("tags", "labels", FieldType::Tags));
        let empty = |prefix: &str, tags: &str| -> Fields {
            let values = (0..ROWS).map(|row| (field(prefix, row), Value::Null));
            values.chain([(tags.to_owned(), Value::Set(BTreeSet::new()))]).collect()
        };
        Self {
            mapping: Mapping::compile(rows).unwrap(),
            highlevel: empty("h", "tags"),
            partner: empty("p", "labels"),
            base: None,
            clock: 0,
            // A partner may not tell when its records changed.
            updated: if times { [0, 0] } else { [0, i64::MIN] },
            edits: 0,
            given: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    fn fields(&mut self, side: Side) -> &mut Fields {
        self.clock += 1;
        let updated = &mut self.updated[usize::from(side == Side::Partner)];
        if *updated != i64::MIN {
            *updated = self.clock;
        }
        match side {
            Side::Highlevel => &mut self.highlevel,
            Side::Partner => &mut self.partner,
        }
    }

    fn name(side: Side, row: usize) -> String {
        format!("{}{row}", if side == Side::Highlevel { "h" } else { "p" })
    }

    /// A person sees what is there and replaces it.
    fn give(&mut self, side: Side, row: usize, value: Value) {
        let before = self.fields(side).insert(Self::name(side, row), value.clone());
        if let Some(Value::Text(before)) = before {
            self.told.insert((row, before));
        }
        if let Value::Text(value) = value {
            self.given.insert((row, value));
        }
    }

    fn edit(&mut self, side: Side, row: usize) {
        self.edits += 1;
        let value = format!("value {}", self.edits);
        self.give(side, row, Value::Text(value));
    }

    fn tag(&mut self, side: Side, tag: usize, add: bool) {
        let name = if side == Side::Highlevel { "tags" } else { "labels" };
        let fields = self.fields(side);
        let mut tags = Self::tags(fields, name);
        if add {
            tags.insert(TAGS[tag].to_owned());
        } else {
            tags.remove(TAGS[tag]);
        }
        fields.insert(name.to_owned(), Value::Set(tags));
    }

    /// No tags may be an empty set or nothing at all.
    fn tags(fields: &Fields, name: &str) -> BTreeSet<String> {
        match fields.get(name) {
            Some(Value::Set(tags)) => tags.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// One sync: read, merge, note what will be overwritten, write, remember. Answers whether it wrote.
    fn sync(&mut self, fate: Fate, overtaken: Option<(Side, usize)>) -> bool {
        let view = |fields: &Fields, at: i64| View {
            fields: fields.clone(),
            updated_at: (at != i64::MIN).then(|| Timestamp::from_second(at).unwrap()),
        };
        let highlevel = view(&self.highlevel, self.updated[0]);
        let partner = view(&self.partner, self.updated[1]);
        let merge =
            merge(&self.mapping, self.base.as_ref(), Some(&highlevel), Some(&partner), &context()).unwrap();
        if matches!(fate, Fate::DiesBeforeWrites) {
            return false;
        }
        self.note(&merge);
        if let Some((side, row)) = overtaken
            && !merge.writes(side).contains_key(&Self::name(side, row))
        {
            self.edit(side, row);
        }
        let wrote = !merge.to_highlevel.is_empty() || !merge.to_partner.is_empty();
        if !merge.to_highlevel.is_empty() {
            self.fields(Side::Highlevel).extend(merge.to_highlevel.clone());
        }
        if matches!(fate, Fate::DiesBetweenWrites) {
            return wrote;
        }
        if !merge.to_partner.is_empty() {
            self.fields(Side::Partner).extend(merge.to_partner.clone());
        }
        if matches!(fate, Fate::DiesAfterWrites) {
            return wrote;
        }
        // What the host saw, with what it wrote; it does not know of an edit that overtook it.
        let seen = |view: &View, written: &Fields| -> Fields {
            view.fields.clone().into_iter().chain(written.clone()).collect()
        };
        let (highlevel, partner) = (seen(&highlevel, &merge.to_highlevel), seen(&partner, &merge.to_partner));
        self.base = Some(settle(&self.mapping, self.base.as_ref(), &merge, &highlevel, &partner, &context()));
        wrote
    }

    /// Conflicts are kept before anything is overwritten.
    fn note(&mut self, merge: &Merge) {
        for conflict in &merge.conflicts {
            let row: usize = conflict.highlevel_field.trim_start_matches('h').parse().unwrap();
            for value in [&conflict.highlevel, &conflict.partner] {
                if let Value::Text(value) = value {
                    self.told.insert((row, value.clone()));
                }
            }
        }
    }

    fn text(fields: &Fields, name: &str) -> Option<String> {
        match fields.get(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12_000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_converges_and_no_edit_is_gone_without_a_trace((policies, times, steps) in history()) {
        let mut world = World::new(&policies, times);
        world.sync(Fate::Ends, None);
        for step in steps {
            match step {
                Step::Edit(side, row) => world.edit(side, row),
                Step::Clear(side, row) => world.give(side, row, Value::Null),
                Step::Tag(side, tag, add) => world.tag(side, tag, add),
                Step::Sync(fate) => { world.sync(fate, None); }
                Step::Overtaken(side, row) => { world.sync(Fate::Ends, Some((side, row))); }
            }
        }
        let writes = (0..SYNCS).take_while(|_| world.sync(Fate::Ends, None)).count();
        prop_assert!(writes < SYNCS, "it does not come to rest");
        for (row, policy) in policies.iter().enumerate() {
            let highlevel = World::text(&world.highlevel, &World::name(Side::Highlevel, row));
            let partner = World::text(&world.partner, &World::name(Side::Partner, row));
            // A conflict that waits for a person leaves both sides as they are, and is listed.
            prop_assert!(highlevel == partner || *policy == Policy::Ask, "{row}: {highlevel:?}, {partner:?}");
            let shown = [highlevel, partner];
            for (_, value) in world.given.iter().filter(|(of, _)| *of == row) {
                let traced = shown.iter().flatten().any(|shown| shown == value)
                    || world.told.contains(&(row, value.clone()));
                prop_assert!(traced, "{value} of row {row} is gone and nobody was told: {shown:?}");
            }
        }
        prop_assert_eq!(World::tags(&world.highlevel, "tags"), World::tags(&world.partner, "labels"));
    }
}

//! A person decides about a conflict: what the next merge makes of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_sync::{
    Agreed, Base, ConflictRecord, Context, Decision, Direction, FieldType, Fields, Mapping, Merge, Outcome,
    Policy, RowKey, RowSpec, Side, Undecidable, Value, View, merge, merge_decided, settle,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const SIDES: [Side; 2] = [Side::Highlevel, Side::Partner];

fn context() -> Context {
    Context::of_country("US")
}

/// A pair of records and what they last agreed on.
#[derive(Clone, Debug)]
struct Pair {
    mapping: Mapping,
    base: Option<Base>,
    highlevel: Fields,
    partner: Fields,
}

impl Pair {
    fn new(rows: Vec<RowSpec>, before: (Fields, Fields)) -> Self {
        let mapping = Mapping::compile(rows).unwrap();
        let base = Some(Base::of(&mapping, &before.0, &before.1, &context()));
        Self { mapping, base, highlevel: before.0, partner: before.1 }
    }

    /// A pair with one row that both sides edited to different values.
    fn conflicting(row: RowSpec) -> Self {
        let text = |side: Side, text: &str| Fields::from([(row.field(side).to_owned(), Value::from(text))]);
        let before = (text(Side::Highlevel, "Ann"), text(Side::Partner, "Ann"));
        let (highlevel, partner) = (text(Side::Highlevel, "Anna"), text(Side::Partner, "Anni"));
        Self { highlevel, partner, ..Self::new(vec![row], before) }
    }

    fn merge(&self, decisions: &[Decision]) -> Merge {
        let (highlevel, partner) = (View::new(self.highlevel.clone()), View::new(self.partner.clone()));
        let base = self.base.as_ref();
        merge_decided(&self.mapping, base, Some(&highlevel), Some(&partner), decisions, &context()).unwrap()
    }

    /// The writes of a merge to these sides only, as after a crash in between.
    fn written(&self, merge: &Merge, sides: &[Side]) -> Self {
        let mut next = self.clone();
        for side in sides {
            next.fields_mut(*side).extend(merge.writes(*side).clone());
        }
        next
    }

    /// All writes of a merge, and the base that follows.
    fn applied(&self, merge: &Merge) -> Self {
        let mut next = self.written(merge, &SIDES);
        next.base = Some(settle(
            &self.mapping,
            self.base.as_ref(),
            merge,
            &next.highlevel,
            &next.partner,
            &context(),
        ));
        next
    }

    fn fields_mut(&mut self, side: Side) -> &mut Fields {
        match side {
            Side::Highlevel => &mut self.highlevel,
            Side::Partner => &mut self.partner,
        }
    }

    fn field(&self, row: &RowSpec, side: Side) -> Value {
        let fields = match side {
            Side::Highlevel => &self.highlevel,
            Side::Partner => &self.partner,
        };
        fields.get(row.field(side)).cloned().unwrap_or(Value::Null)
    }

    fn agreed(&self, row: &RowKey) -> Option<&Agreed> {
        self.base.as_ref().and_then(|base| base.get(row))
    }

    /// What a person decides about the first conflict of this merge.
    fn decide(&self, merge: &Merge, take: Side) -> Result<Decision, Undecidable> {
        let conflict = &merge.conflicts[0];
        Decision::on(conflict, conflict.winner, self.agreed(&conflict.row), take)
    }

    /// Edits the row's field on one side.
    fn edited(&self, row: &RowSpec, side: Side, value: &str) -> Self {
        let mut next = self.clone();
        next.fields_mut(side).insert(row.field(side).to_owned(), value.into());
        next
    }
}

fn first_name(policy: Policy) -> RowSpec {
    RowSpec { policy, ..RowSpec::new("firstName", "first_name", FieldType::Text) }
}

// ------------------------------------------------------------------------------------------------------------ by example

#[test]
fn a_conflict_that_waits_is_settled_by_the_decision() {
    for (take, value) in [(Side::Highlevel, "Anna"), (Side::Partner, "Anni")] {
        let row = first_name(Policy::Ask);
        let pair = Pair::conflicting(row.clone());
        let asked = pair.merge(&[]);
        let pair = pair.applied(&asked);
        let decision = pair.decide(&asked, take).unwrap();

        let merge = pair.merge(std::slice::from_ref(&decision));
        assert_eq!((&merge.conflicts, merge.open.len()), (&vec![], 0));
        assert!(merge.writes(take).is_empty(), "what is taken stays as it is");
        let pair = pair.applied(&merge);
        assert_eq!(SIDES.map(|side| pair.field(&row, side)), [value; 2].map(Value::from));
        assert!(pair.merge(&[]).is_empty());
        assert!(pair.merge(&[decision]).is_empty(), "a decision is carried out once");
    }
}

#[test]
fn a_decision_of_a_policy_is_reversed_on_both_sides_and_back_again() {
    let row = first_name(Policy::Highlevel);
    let pair = Pair::conflicting(row.clone());
    let met = pair.merge(&[]);
    let pair = pair.applied(&met);
    assert_eq!(pair.decide(&met, Side::Highlevel), Err(Undecidable::InPlace(Side::Highlevel)));

    let merge = pair.merge(&[pair.decide(&met, Side::Partner).unwrap()]);
    assert_eq!(merge.decided[&row.key()], Outcome::CarriedOut);
    let pair = pair.applied(&merge);
    assert_eq!(SIDES.map(|side| pair.field(&row, side)), ["Anni"; 2].map(Value::from));
    assert!(pair.merge(&[]).is_empty());

    let conflict = &met.conflicts[0];
    let back = Decision::on(conflict, Some(Side::Partner), pair.agreed(&row.key()), Side::Highlevel).unwrap();
    let pair = pair.applied(&pair.merge(&[back]));
    assert_eq!(SIDES.map(|side| pair.field(&row, side)), ["Anna"; 2].map(Value::from));
}

#[test]
fn a_side_gets_its_own_value_back_and_not_what_an_expression_makes_of_it() {
    let row = RowSpec { to_partner: Some("value|upper".into()), ..first_name(Policy::Highlevel) };
    let pair = Pair::conflicting(row.clone());
    let met = pair.merge(&[]);
    let pair = pair.applied(&met);
    assert_eq!(pair.field(&row, Side::Partner), Value::from("ANNA"));
    let pair = pair.applied(&pair.merge(&[pair.decide(&met, Side::Partner).unwrap()]));
    assert_eq!(SIDES.map(|side| pair.field(&row, side)), ["Anni"; 2].map(Value::from));
    assert!(pair.merge(&[]).is_empty());
}

#[test]
fn in_a_row_that_goes_one_way_only_the_side_that_may_be_written_gets_its_value_back() {
    let row = RowSpec { direction: Direction::ToPartner, ..first_name(Policy::LatestUpdate) };
    let pair = Pair::conflicting(row.clone());
    let met = pair.merge(&[]);
    let pair = pair.applied(&met);
    assert_eq!(pair.field(&row, Side::Partner), Value::from("Anna"));
    let pair = pair.applied(&pair.merge(&[pair.decide(&met, Side::Partner).unwrap()]));
    assert_eq!(SIDES.map(|side| pair.field(&row, side)), ["Anna", "Anni"].map(Value::from));
    assert!(pair.merge(&[]).is_empty());
}

#[test]
fn a_conflict_whose_field_was_changed_since_cannot_be_reversed() {
    let row = first_name(Policy::Highlevel);
    let pair = Pair::conflicting(row.clone());
    let met = pair.merge(&[]);
    let pair = pair.applied(&met).edited(&row, Side::Highlevel, "Annabel");
    let pair = pair.applied(&pair.merge(&[]));
    let refused = pair.decide(&met, Side::Partner);
    assert!(matches!(refused, Err(Undecidable::Changed { now: Some(_) })), "{refused:?}");
}

#[test]
fn consent_is_not_given_back_by_a_decision() {
    let row = RowSpec { policy: Policy::Stricter, ..RowSpec::new("dnd", "opted_out", FieldType::Boolean) };
    let flag = |side: Side, value: bool| Fields::from([(row.field(side).to_owned(), Value::from(value))]);
    let mapping = Mapping::compile(vec![row.clone()]).unwrap();
    let (highlevel, partner) = (flag(Side::Highlevel, true), flag(Side::Partner, false));
    let pair = Pair { mapping, base: None, highlevel, partner };
    let met = pair.merge(&[]);
    let pair = pair.applied(&met);
    assert_eq!(pair.decide(&met, Side::Partner), Err(Undecidable::Stricter));
}

#[test]
fn a_decision_about_fields_that_are_joined_no_more_says_so() {
    let pair = Pair::conflicting(first_name(Policy::Ask));
    let asked = pair.merge(&[]);
    let decision = pair.decide(&asked, Side::Partner).unwrap();
    let row = RowSpec::new("lastName", "last_name", FieldType::Text);
    let other = Pair { mapping: Mapping::compile(vec![row]).unwrap(), ..pair };
    let merge = other.merge(std::slice::from_ref(&decision));
    assert_eq!(merge.decided[&decision.row], Outcome::NoRow);
    assert!(merge.is_empty());
}

// ---------------------------------------------------------------------------------------------------------- for all records

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 1_000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const POLICIES: [Policy; 4] = [Policy::LatestUpdate, Policy::Highlevel, Policy::Partner, Policy::Ask];
const DIRECTIONS: [Direction; 3] = [Direction::Both, Direction::ToPartner, Direction::ToHighlevel];

fn record(rows: usize, prefix: &'static str) -> impl Strategy<Value = Fields> {
    let value = prop_oneof![
        1 => Just(Value::Null),
        5 => prop::sample::select(vec!["Ann", "Anna", "Anni", " Anna "]).prop_map(Value::from),
    ];
    prop::collection::vec(value, rows..=rows).prop_map(move |values| {
        values.into_iter().enumerate().map(|(at, value)| (format!("{prefix}{at}"), value)).collect()
    })
}

/// A pair whose first merge met a conflict, after that merge was written; with the merge, and the side to take.
fn met() -> impl Strategy<Value = (Pair, Vec<RowSpec>, Merge, Side)> {
    let row = (prop::sample::select(&POLICIES[..]), prop::sample::select(&DIRECTIONS[..]));
    let rows = prop::collection::vec(row, 1..4);
    rows.prop_flat_map(|rows| {
        let count = rows.len();
        let records = (record(count, "h"), record(count, "p"), record(count, "h"), record(count, "p"));
        (Just(rows), records, any::<bool>(), prop::sample::select(&SIDES[..]))
    })
    .prop_filter_map("a conflict", |(rows, (h, p, highlevel, partner), linked, take)| {
        let rows: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(at, (policy, direction))| RowSpec {
                policy,
                direction,
                ..RowSpec::new(format!("h{at}"), format!("p{at}"), FieldType::Text)
            })
            .collect();
        let mut pair = Pair { highlevel, partner, ..Pair::new(rows.clone(), (h, p)) };
        pair.base = pair.base.filter(|_| linked);
        let merge = pair.merge(&[]);
        let pair = pair.applied(&merge);
        (!merge.conflicts.is_empty()).then_some((pair, rows, merge, take))
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_decided_is_in_place_on_every_side_that_may_be_written_and_stays((pair, rows, met, take) in met()) {
        let Ok(decision) = pair.decide(&met, take) else { return Ok(()) };
        let merge = pair.merge(std::slice::from_ref(&decision));
        prop_assert_eq!(&merge.decided[&decision.row], &Outcome::CarriedOut);
        let after = pair.applied(&merge);
        let row = rows.iter().find(|row| row.key() == decision.row).unwrap();
        let conflict = &met.conflicts[0];
        // Texts travel as they are, so that a side's offer is what the other side is to hold.
        for side in SIDES.into_iter().filter(|side| row.direction.flows_from(side.other())) {
            let held = after.field(row, side);
            let expected = if side == take { conflict.held(take) } else { Some(conflict.offer(take)) };
            let trimmed = held.as_text().map_or(Value::Null, |text| text.trim().into());
            prop_assert_eq!(Some(&trimmed), expected, "{}", side);
        }
        prop_assert!(after.merge(&[]).is_empty() && after.merge(&[]).conflicts.iter().all(|other| other.row != decision.row));
        let again = after.merge(std::slice::from_ref(&decision));
        prop_assert!(again.is_empty(), "it is carried out once: {:?}", again);
    }

    #[test]
    fn a_run_that_was_cut_off_between_its_writes_is_taken_up((pair, _, met, take) in met(), first in prop::sample::select(&SIDES[..])) {
        let Ok(decision) = pair.decide(&met, take) else { return Ok(()) };
        let merge = pair.merge(std::slice::from_ref(&decision));
        let whole = pair.applied(&merge);
        let cut = pair.written(&merge, &[first]);
        let rest = cut.merge(std::slice::from_ref(&decision));
        prop_assert_eq!(&rest.decided[&decision.row], &Outcome::CarriedOut);
        let taken_up = cut.applied(&rest);
        prop_assert_eq!((&taken_up.highlevel, &taken_up.partner), (&whole.highlevel, &whole.partner));
        prop_assert_eq!(taken_up.base, whole.base);
    }

    #[test]
    fn a_newer_edit_of_either_side_is_merged_as_if_nobody_had_decided(
        (pair, rows, met, take) in met(),
        side in prop::sample::select(&SIDES[..]),
    ) {
        let Ok(decision) = pair.decide(&met, take) else { return Ok(()) };
        let row = rows.iter().find(|row| row.key() == decision.row).unwrap();
        let edited = pair.edited(row, side, "Beatrix");
        let merge = edited.merge(std::slice::from_ref(&decision));
        let is_void = matches!(merge.decided[&decision.row], Outcome::Void { .. });
        prop_assert!(is_void, "{:?}", merge.decided);
        let mut merge = merge;
        merge.decided.clear();
        prop_assert_eq!(merge, edited.merge(&[]));
    }

    #[test]
    fn rows_that_nobody_decided_about_are_merged_as_ever((pair, rows, met, take) in met(), other in record(3, "h")) {
        let Ok(decision) = pair.decide(&met, take) else { return Ok(()) };
        let mut pair = pair;
        for row in rows.iter().filter(|row| row.key() != decision.row) {
            pair.highlevel.insert(row.highlevel.clone(), other[&row.highlevel].clone());
        }
        let (with, without) = (pair.merge(std::slice::from_ref(&decision)), pair.merge(&[]));
        for row in rows.iter().filter(|row| row.key() != decision.row) {
            for side in SIDES {
                let field = row.field(side);
                prop_assert_eq!(with.writes(side).get(field), without.writes(side).get(field), "{}", field);
            }
        }
    }

    #[test]
    fn a_decision_and_its_conflict_survive_being_stored((pair, _, met, take) in met()) {
        let Ok(decision) = pair.decide(&met, take) else { return Ok(()) };
        let stored = serde_json::to_string(&decision).unwrap();
        prop_assert_eq!(serde_json::from_str::<Decision>(&stored).unwrap(), decision.clone());
        let stored = serde_json::to_string(&met.conflicts[0]).unwrap();
        let conflict: ConflictRecord = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(conflict.id(), met.conflicts[0].id());
        prop_assert_eq!(&conflict.held, &met.conflicts[0].held);
        prop_assert_eq!(Decision::on(&conflict, conflict.winner, pair.agreed(&conflict.row), take), Ok(decision));
        let first = merge(&pair.mapping, pair.base.as_ref(), Some(&View::new(pair.highlevel.clone())), None, &context());
        prop_assert!(first.unwrap().decided.is_empty());
    }
}

//! What holds for every record, every mapping and every history.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use contactor_sync::{
    Base, ConflictRecord, Context, Direction, FieldType, Fields, Mapping, Merge, Policy, RowKey, RowSpec,
    Side, Value, View, canonical, merge, settle,
};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases in every run: a failure belongs to the change that brought it. Another seed here looks elsewhere.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

// ------------------------------------------------------------------------------------------------------------ generators

const TYPES: [FieldType; 11] = [
    FieldType::Text,
    FieldType::Email,
    FieldType::Phone,
    FieldType::Tags,
    FieldType::Set,
    FieldType::Instant,
    FieldType::Date,
    FieldType::Boolean,
    FieldType::Integer,
    FieldType::Number,
    FieldType::Json,
];

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c$json]{0,5}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Any value at all, with texts that come close to every type.
fn anything() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[+＋0]{0,2}[0-9 ()./x-]{0,18}",
        "[0-9]{1,4}[-/._][0-9]{1,2}[-/._][0-9]{1,4}",
        "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-][01][0-9]:00)?",
        "[A-Za-zİß.]{1,5}@[A-Za-zİß-]{1,5}\\.[a-z]{2,3}",
        "[+-]?[0-9]{0,20}\\.?[0-9]{0,20}(e[+-]?[0-9]{1,3})?",
        "(true|FALSE|yes|N|0|1|on)",
    ];
    prop_oneof![
        1 => Just(Value::Null),
        6 => text.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => prop::collection::btree_set(any::<String>(), 0..4).prop_map(Value::from),
        1 => json().prop_map(Value::Json),
    ]
}

/// Values that people type, few enough that two sides often hold the same.
fn typed(field_type: FieldType) -> BoxedStrategy<Value> {
    let one_of = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(Value::from).boxed();
    let value = match field_type {
        FieldType::Email => {
            one_of(&["ann@example.com", "ANN@example.com", "bob@example.com", "not an email"])
        }
        FieldType::Phone => one_of(&["+16502530000", "(650) 253-0000", "+442079460958", "12"]),
        FieldType::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        FieldType::Tags | FieldType::Set => {
            let element = prop::sample::select(vec!["a", "b", "c", "VIP", "vip", " d "]);
            prop::collection::btree_set(element, 0..5).prop_map(|set| set.into_iter().collect()).boxed()
        }
        FieldType::Integer => (0..4_i64).prop_map(Value::from).boxed(),
        _ => one_of(&["Ann", " Ann ", "ann", "Bob", "Ann Smith", ""]),
    };
    prop_oneof![1 => Just(Value::Null), 5 => value].boxed()
}

const SIDES: [Side; 2] = [Side::Highlevel, Side::Partner];

const POLICIES: [Policy; 4] = [Policy::LatestUpdate, Policy::Highlevel, Policy::Partner, Policy::Ask];

/// A mapping over the fields `h0=p0`, `h1=p1`, … of these types.
fn rows(expressions: bool) -> impl Strategy<Value = Vec<RowSpec>> {
    let types = prop::sample::select(vec![
        FieldType::Text,
        FieldType::Email,
        FieldType::Phone,
        FieldType::Tags,
        FieldType::Set,
        FieldType::Boolean,
        FieldType::Integer,
    ]);
    let expression = move |field_type: FieldType, own: &'static str| -> BoxedStrategy<Option<String>> {
        let known: &'static [&'static str] = match field_type {
            _ if !expressions => return Just(None).boxed(),
            FieldType::Text => &[
                "value|upper",
                "value|first_word",
                "f0 ~ value",
                "value|default('none')",
                "value|int",
                "value ~ f1 ~ f2",
            ],
            FieldType::Tags | FieldType::Set => {
                &["value|without('a')", "value|with('z')", "value|map('upper')"]
            }
            FieldType::Boolean => &["not value"],
            _ => return Just(None).boxed(),
        };
        let of_own_fields = move |text: &str| {
            text.replace("f0", &format!("{own}0"))
                .replace("f1", &format!("{own}1"))
                .replace("f2", &format!("{own}2"))
        };
        prop::option::of(prop::sample::select(known).prop_map(of_own_fields)).boxed()
    };
    let directions =
        prop::sample::select(vec![Direction::Both, Direction::ToPartner, Direction::ToHighlevel]);
    let row = (types, directions, prop::sample::select(&POLICIES[..]), any::<bool>()).prop_flat_map(
        move |(field_type, direction, policy, strict)| {
            (expression(field_type, "h"), expression(field_type, "p")).prop_map(
                move |(to_partner, to_highlevel)| RowSpec {
                    direction: if expressions { direction } else { Direction::Both },
                    to_partner,
                    to_highlevel,
                    policy: if strict && field_type == FieldType::Boolean {
                        Policy::Stricter
                    } else {
                        policy
                    },
                    ..RowSpec::new("", "", field_type)
                },
            )
        },
    );
    prop::collection::vec(row, 1..5).prop_map(|rows| {
        let named =
            |(index, row)| RowSpec { highlevel: format!("h{index}"), partner: format!("p{index}"), ..row };
        rows.into_iter().enumerate().map(named).collect()
    })
}

fn record(rows: &[RowSpec], side: Side) -> BoxedStrategy<Fields> {
    let fields: Vec<_> =
        rows.iter().map(|row| (Just(row.field(side).to_owned()), typed(row.field_type(side)))).collect();
    // Expressions mention fields without a row as well; a partner's record says that they are empty.
    let prefix = if side == Side::Highlevel { "h" } else { "p" };
    let unmapped = (rows.len()..3).map(move |index| (format!("{prefix}{index}"), Value::Null));
    let unmapped: Fields = unmapped.collect();
    fields.prop_map(move |fields| fields.into_iter().chain(unmapped.clone()).collect()).boxed()
}

#[derive(Clone, Debug)]
struct Case {
    mapping: Mapping,
    base: Option<Base>,
    before: (Fields, Fields),
    highlevel: View,
    partner: View,
}

/// A mapping, a record on which both sides agreed, and what each side made of it since.
fn case(expressions: bool) -> impl Strategy<Value = Case> {
    rows(expressions).prop_flat_map(|rows| {
        let history = (record(&rows, Side::Highlevel), record(&rows, Side::Partner), any::<bool>());
        let now = (record(&rows, Side::Highlevel), record(&rows, Side::Partner));
        let times = (prop::option::of(0..3_i64), prop::option::of(0..3_i64));
        (Just(rows), history, now, times, any::<[bool; 4]>(), any::<[bool; 4]>()).prop_map(
            |(rows, (old_highlevel, old_partner, linked), (highlevel, partner), times, kept_h, kept_p)| {
                let mapping = Mapping::compile(rows).unwrap();
                let base = linked.then(|| Base::of(&mapping, &old_highlevel, &old_partner, &context()));
                // Most edits touch some fields only.
                let edited = |old: &Fields, new: Fields, kept: [bool; 4]| -> Fields {
                    new.into_iter()
                        .zip(kept)
                        .map(|((name, value), kept)| {
                            let value = if kept { old[&name].clone() } else { value };
                            (name, value)
                        })
                        .collect()
                };
                let view = |fields, second: Option<i64>| View {
                    fields,
                    updated_at: second.map(|second| Timestamp::from_second(second).unwrap()),
                };
                let highlevel = view(edited(&old_highlevel, highlevel, kept_h), times.0);
                let partner = view(edited(&old_partner, partner, kept_p), times.1);
                Case { mapping, base, before: (old_highlevel, old_partner), highlevel, partner }
            },
        )
    })
}

fn context() -> Context {
    Context::of_country("US")
}

impl Case {
    fn merge(&self) -> Merge {
        merge(&self.mapping, self.base.as_ref(), Some(&self.highlevel), Some(&self.partner), &context())
            .unwrap()
    }

    /// The same record after the writes, with the base that was settled.
    fn applied(&self, merge: &Merge) -> Self {
        let mut next = self.clone();
        next.highlevel.fields.extend(merge.to_highlevel.clone());
        next.partner.fields.extend(merge.to_partner.clone());
        let (highlevel, partner) = (&next.highlevel.fields, &next.partner.fields);
        next.base = Some(settle(&self.mapping, self.base.as_ref(), merge, highlevel, partner, &context()));
        next
    }

    fn offers_of(&self, row: &RowKey) -> [Option<Value>; 2] {
        [(Side::Highlevel, &self.highlevel), (Side::Partner, &self.partner)]
            .map(|(side, view)| self.mapping.offers(side, &view.fields, &context()).values.get(row).cloned())
    }

    fn held(fields: &Fields, row: &RowSpec, side: Side) -> Option<Value> {
        canonical(row.field_type(side), fields.get(row.field(side)).unwrap_or(&Value::Null), &context()).ok()
    }
}

// ------------------------------------------------------------------------------------------------------------- the merge

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_merge_is_a_function_of_its_inputs(case in case(true)) {
        prop_assert_eq!(case.merge(), case.merge());
    }

    #[test]
    fn a_second_merge_writes_nothing_and_meets_only_the_conflicts_that_wait(case in case(true)) {
        let first = case.merge();
        let settled = case.applied(&first);
        // A row that waits may end its wait when another row writes a field that its expression reads.
        prop_assume!(first.open.iter().all(|row| case.offers_of(row) == settled.offers_of(row)));
        let second = settled.merge();
        prop_assert!(second.is_empty(), "{second:#?} after {first:#?}");
        let rows = |merge: &Merge| -> BTreeSet<_> { waiting(merge).map(|conflict| conflict.row.clone()).collect() };
        prop_assert_eq!(rows(&second), rows(&first));
        prop_assert!(second.conflicts.iter().all(|conflict| conflict.winner.is_none()));
    }

    #[test]
    fn a_conflict_that_waits_keeps_its_id(case in case(false)) {
        let first = case.merge();
        let second = case.applied(&first).merge();
        let ids = |merge: &Merge| -> BTreeSet<_> { waiting(merge).map(ConflictRecord::id).collect() };
        prop_assert_eq!(ids(&second), ids(&first));
    }

    #[test]
    fn what_the_partner_does_not_mention_is_as_it_was_agreed_on(case in case(false), unknown in any::<[bool; 4]>()) {
        let partner = rename(&case.before.0);
        let base = Base::of(&case.mapping, &case.before.0, &partner, &context());
        // A value that nobody can read was never agreed on.
        prop_assume!(case.mapping.rows().all(|row| base.get(&row.key()).is_some()));
        let mentioned = partner.clone().into_iter().zip(unknown).filter(|(_, unknown)| !unknown);
        let mentioned: Fields = mentioned.map(|(field, _)| field).collect();
        let case = Case { base: Some(base), partner: View::new(partner), ..case };
        let partly = Case { partner: View::new(mentioned), ..case.clone() };
        let merge = partly.merge();
        prop_assert_eq!(&merge, &case.merge());
        prop_assert_eq!(partly.applied(&merge).base, case.applied(&merge).base);
    }

    #[test]
    fn after_the_writes_both_sides_hold_the_same(case in case(false)) {
        // A base may also record that the sides differ (a dropped value); this one records that they agreed.
        let base = Base::of(&case.mapping, &case.before.0, &rename(&case.before.0), &context());
        let case = Case { base: Some(base), ..case };
        let merge = case.merge();
        let after = case.applied(&merge);
        for row in case.mapping.rows().filter(|row| !merge.open.contains(&row.key())) {
            let highlevel = Case::held(&after.highlevel.fields, row, Side::Highlevel);
            let partner = Case::held(&after.partner.fields, row, Side::Partner);
            prop_assert_eq!(highlevel, partner, "{}", row.key());
        }
    }

    #[test]
    fn a_change_on_one_side_is_never_lost(mut case in case(true), side in prop::sample::select(&SIDES[..])) {
        // Only `side` was edited since both agreed.
        case.base = Some(Base::of(&case.mapping, &case.before.0, &case.before.1, &context()));
        match side {
            Side::Highlevel => case.partner.fields = case.before.1.clone(),
            Side::Partner => case.highlevel.fields = case.before.0.clone(),
        }
        let merge = case.merge();
        let after = case.applied(&merge);
        let (source, base) = match side {
            Side::Highlevel => (&case.highlevel.fields, &case.before.0),
            Side::Partner => (&case.partner.fields, &case.before.1),
        };
        let (source_after, target) = match side {
            Side::Highlevel => (&after.highlevel.fields, &after.partner.fields),
            Side::Partner => (&after.partner.fields, &after.highlevel.fields),
        };
        let offers = |fields: &Fields| case.mapping.offers(side, fields, &context());
        let (before, now, then) = (offers(base), offers(source), offers(source_after));
        for row in case.mapping.rows() {
            let key = row.key();
            let had_base = case.base.as_ref().is_some_and(|base| base.get(&key).is_some());
            if !had_base || merge.open.contains(&key) || row.is_set() || row.policy == Policy::Stricter {
                continue;
            }
            prop_assert!(!merge.writes(side).contains_key(row.field(side)), "{key} was written back");
            // What arrives may be put together from fields that the same merge wrote to the source.
            if now.values.get(&key) != before.values.get(&key) {
                let arrived = Case::held(target, row, side.other());
                let offered = [now.values.get(&key).cloned(), then.values.get(&key).cloned()];
                prop_assert!(offered.contains(&arrived), "{key}: {arrived:?} is not of {offered:?}");
            }
        }
    }

    #[test]
    fn no_edit_removes_a_tag_that_the_other_side_added(case in case(false)) {
        let merge = case.merge();
        let after = case.applied(&merge);
        for row in case.mapping.rows().filter(|row| row.is_set()) {
            let elements = |fields: &Fields, side| {
                Case::held(fields, row, side).map(|value| value.elements()).unwrap_or_default()
            };
            let linked = case.base.is_some();
            for (side, old, now) in [
                (Side::Highlevel, &case.before.0, &case.highlevel.fields),
                (Side::Partner, &case.before.1, &case.partner.fields),
            ] {
                let old = if linked { elements(old, side) } else { BTreeSet::new() };
                for added in elements(now, side).difference(&old) {
                    prop_assert!(elements(&after.highlevel.fields, Side::Highlevel).contains(added), "{added}");
                    prop_assert!(elements(&after.partner.fields, Side::Partner).contains(added), "{added}");
                }
            }
        }
        let is_set = |key: &RowKey| case.mapping.rows().any(|row| row.is_set() && row.key() == *key);
        prop_assert!(!merge.conflicts.iter().any(|conflict| is_set(&conflict.row)));
    }

    #[test]
    fn consent_is_never_lifted_by_the_other_side(case in case(false)) {
        let merge = case.merge();
        for row in case.mapping.rows().filter(|row| row.policy == Policy::Stricter) {
            for side in SIDES {
                let lifted = merge.writes(side).get(row.field(side)).is_some_and(|value| *value != Value::from(true));
                let fields = if side == Side::Highlevel { &case.highlevel.fields } else { &case.partner.fields };
                prop_assert!(!lifted || Case::held(fields, row, side) != Some(Value::from(true)));
            }
        }
    }

    #[test]
    fn a_row_that_goes_one_way_never_writes_the_other(case in case(true)) {
        let merge = case.merge();
        for row in case.mapping.rows() {
            if let Some(source) = row.direction.only_source() {
                prop_assert!(!merge.writes(source).contains_key(row.field(source)));
            }
        }
    }

    #[test]
    fn a_missing_record_is_created_and_the_other_one_left_alone(
        case in case(true),
        side in prop::sample::select(&SIDES[..]),
    ) {
        let (highlevel, partner) = match side {
            Side::Highlevel => (Some(&case.highlevel), None),
            Side::Partner => (None, Some(&case.partner)),
        };
        let view = highlevel.or(partner).unwrap();
        let merge = merge(&case.mapping, case.base.as_ref(), highlevel, partner, &context()).unwrap();
        prop_assert!(merge.writes(side).is_empty());
        prop_assert_eq!(&merge.conflicts, &[]);
        let offered = case.mapping.offers(side, &view.fields, &context()).values;
        let expected: Fields = case.mapping.rows().filter_map(|row| {
            let value = offered.get(&row.key()).filter(|value| **value != Value::Null)?;
            Some((row.field(side.other()).to_owned(), value.clone()))
        }).collect();
        prop_assert_eq!(merge.writes(side.other()), &expected);
    }
}

/// The conflicts that wait for a person.
fn waiting(merge: &Merge) -> impl Iterator<Item = &ConflictRecord> {
    merge.conflicts.iter().filter(|conflict| conflict.winner.is_none())
}

/// A HighLevel record `h0, h1, …` under the partner's names `p0, p1, …`.
fn rename(highlevel: &Fields) -> Fields {
    highlevel.iter().map(|(name, value)| (name.replace('h', "p"), value.clone())).collect()
}

// ------------------------------------------------------------------------------------------------------ canonical values

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_canonical_value_is_its_own_canonical_form(
        field_type in prop::sample::select(&TYPES[..]),
        value in anything(),
        country in prop::option::of("[A-Z]{2}"),
    ) {
        let context = Context { country };
        if let Ok(once) = canonical(field_type, &value, &context) {
            prop_assert_eq!(canonical(field_type, &once, &context), Ok(once.clone()));
            // A value from the store or without the country reads the same.
            let stored: Value = serde_json::from_str(&serde_json::to_string(&once).unwrap()).unwrap();
            prop_assert_eq!(&stored, &once);
            prop_assert_eq!(canonical(field_type, &once, &Context::default()), Ok(once));
        }
    }

    #[test]
    fn every_value_survives_its_way_through_json(value in anything()) {
        let stored: Value = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
        let exact = !matches!(value, Value::Number(_) | Value::Json(_));
        prop_assert!(!exact || stored == value, "{value:?} became {stored:?}");
    }

    #[test]
    fn phones_of_every_country_are_read_or_refused(
        country in prop::sample::select(COUNTRIES),
        digits in "[0-9]{3,16}",
        international in any::<bool>(),
    ) {
        let text = if international { format!("+{digits}") } else { digits };
        let context = Context::of_country(country);
        if let Ok(phone) = canonical(FieldType::Phone, &Value::from(text), &context) {
            prop_assert_eq!(canonical(FieldType::Phone, &phone, &Context::default()), Ok(phone));
        }
    }
}

/// Countries whose national prefixes are unusual, or whose numbers are rewritten when they are read.
const COUNTRIES: &[&str] = &[
    "AG", "AI", "AR", "AS", "AU", "BB", "BM", "BR", "BY", "CC", "CL", "CN", "CO", "CR", "CX", "DE", "FI",
    "GB", "GG", "HU", "IE", "IL", "IM", "IN", "IT", "JE", "JP", "KR", "KZ", "LI", "LT", "MG", "MN", "MO",
    "MX", "NA", "NZ", "PR", "RU", "SG", "SM", "SV", "TR", "UA", "US", "UY", "UZ", "VA", "VI", "ZW",
];

// ----------------------------------------------------------------------------------------------------------- fingerprints

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_fingerprint_depends_on_canonical_content_alone(case in case(false)) {
        let print = |fields: &Fields| case.mapping.fingerprint(Side::Highlevel, fields, &context());
        let mut canonical_fields = Fields::new();
        for row in case.mapping.rows() {
            let fields = &case.highlevel.fields;
            let held = Case::held(fields, row, Side::Highlevel);
            canonical_fields.insert(row.highlevel.clone(), held.unwrap_or_else(|| fields[&row.highlevel].clone()));
        }
        canonical_fields.retain(|_, value| *value != Value::Null);
        canonical_fields.insert("unmapped".into(), Value::from("x"));
        prop_assert_eq!(print(&case.highlevel.fields), print(&canonical_fields));

        let mut rows: Vec<RowSpec> = case.mapping.rows().cloned().collect();
        rows.reverse();
        let reversed = Mapping::compile(rows).unwrap();
        let print_of_reversed = reversed.fingerprint(Side::Highlevel, &case.highlevel.fields, &context());
        prop_assert_eq!(print_of_reversed, print(&case.highlevel.fields));
    }

    #[test]
    fn fingerprints_differ_when_the_offers_do(case in case(true)) {
        let offers = |fields: &Fields| case.mapping.offers(Side::Highlevel, fields, &context());
        let print = |fields: &Fields| case.mapping.fingerprint(Side::Highlevel, fields, &context());
        let (before, now) = (&case.before.0, &case.highlevel.fields);
        let differ = offers(before).values != offers(now).values;
        prop_assert!(!differ || print(before) != print(now));
    }
}

// ------------------------------------------------------------------------------------------------------------ expressions

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn no_text_makes_the_compiler_panic(source in any::<String>()) {
        let _ = Mapping::compile(vec![with_expression(source)]);
    }

    #[test]
    fn no_expression_and_no_value_make_an_evaluation_panic(
        parts in prop::collection::vec(prop::sample::select(PARTS), 1..12),
        value in anything(),
    ) {
        let Ok(mapping) = Mapping::compile(vec![with_expression(parts.concat())]) else { return Ok(()) };
        let fields = Fields::from([("a".into(), value.clone()), ("b.c".into(), value)]);
        let offers = mapping.offers(Side::Highlevel, &fields, &context());
        prop_assert_eq!(offers.values.len() + offers.problems.len(), 1);
    }
}

const PARTS: &[&str] = &[
    "value",
    " a ",
    "b.c",
    "field('a')",
    "'x'",
    "1",
    "-1",
    "0.5",
    "99999999999999999999",
    "true",
    "none",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ":",
    ",",
    "|trim",
    "|upper",
    "|int",
    "|float",
    "|round(2)",
    "|list",
    "|join(',')",
    "|split(' ')",
    "|map('upper')",
    "|map(attribute='a')",
    "|replace('a', value)",
    "|with('a')",
    "|without(a)",
    "|digits",
    "|e164",
    "|first_word",
    "|rest_words",
    "|times(3)",
    "|default('d')",
    "|sort",
    "|unique",
    "|first",
    "|last",
    "|max",
    "|sum",
    "|select('eq', 1)",
    "|reverse",
    "|length",
    " ~ ",
    " + ",
    " - ",
    " / ",
    " // ",
    " % ",
    " == ",
    " in ",
    " and ",
    " if ",
    " else ",
    " not ",
    " is defined",
    " is lower",
    "[0]",
    "[1:]",
    "[::-1]",
    ".x",
    "['c']",
];

fn with_expression(source: String) -> RowSpec {
    RowSpec { to_partner: Some(source), ..RowSpec::new("a", "b", FieldType::Json) }
}

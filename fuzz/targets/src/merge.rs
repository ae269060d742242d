//! The three-way merge, over any mapping without expressions, any two records and any base.
//!
//! A merge is a function of what it is given; a second one after its writes writes nothing; no tag that somebody added is taken away;
//! consent is never given back; and a row that goes one way writes to one side alone.
//!
//! Input: choices and texts, as `arbitrary` takes them from bytes.

use std::collections::BTreeSet;

use arbitrary::{Result, Unstructured};
use contactor_sync::{
    Base, Context, Direction, FieldType, Fields, Mapping, Merge, Policy, RowSpec, Side, Value, View,
    canonical, merge, settle,
};
use jiff::Timestamp;

use crate::canonical::TYPES;

const SIDES: [Side; 2] = [Side::Highlevel, Side::Partner];

struct Case {
    mapping: Mapping,
    base: Option<(Fields, Fields)>,
    highlevel: View,
    partner: View,
}

pub(crate) fn run(input: &[u8]) {
    let Ok(case) = case(&mut Unstructured::new(input)) else { return };
    let base = case
        .base
        .as_ref()
        .map(|(highlevel, partner)| Base::of(&case.mapping, highlevel, partner, &context()));
    let first = merged(&case.mapping, base.as_ref(), &case.highlevel, &case.partner);
    assert_eq!(merged(&case.mapping, base.as_ref(), &case.highlevel, &case.partner), first);
    for row in case.mapping.rows() {
        one_way(row, &first);
        consent(&case, row, &first);
        added(&case, row, &first);
    }
    let (mut highlevel, mut partner) = (case.highlevel.clone(), case.partner.clone());
    highlevel.fields.extend(first.to_highlevel.clone());
    partner.fields.extend(first.to_partner.clone());
    let settled =
        settle(&case.mapping, base.as_ref(), &first, &highlevel.fields, &partner.fields, &context());
    let second = merged(&case.mapping, Some(&settled), &highlevel, &partner);
    assert!(second.is_empty(), "{second:#?} after {first:#?}");
}

fn context() -> Context {
    Context::of_country("US")
}

fn merged(mapping: &Mapping, base: Option<&Base>, highlevel: &View, partner: &View) -> Merge {
    merge(mapping, base, Some(highlevel), Some(partner), &context()).expect("both sides are there")
}

fn one_way(row: &RowSpec, merge: &Merge) {
    if let Some(source) = row.direction.only_source() {
        assert!(!merge.writes(source).contains_key(row.field(source)), "{} was written back", row.key());
    }
}

fn held(fields: &Fields, row: &RowSpec, side: Side) -> Option<Value> {
    canonical(row.field_type(side), fields.get(row.field(side)).unwrap_or(&Value::Null), &context()).ok()
}

fn consent(case: &Case, row: &RowSpec, merge: &Merge) {
    if row.policy != Policy::Stricter {
        return;
    }
    for side in SIDES {
        let lifted = merge.writes(side).get(row.field(side)).is_some_and(|value| *value != Value::from(true));
        assert!(
            !lifted || held(&case.view(side).fields, row, side) != Some(Value::from(true)),
            "consent was given back"
        );
    }
}

fn added(case: &Case, row: &RowSpec, merge: &Merge) {
    if !row.is_set() || row.direction != Direction::Both {
        return;
    }
    // A set that cannot be read leaves its row alone.
    if SIDES.iter().any(|side| held(&case.view(*side).fields, row, *side).is_none())
        || merge.open.contains(&row.key())
    {
        return;
    }
    let lower = |value: Option<Value>| -> BTreeSet<String> {
        value.map(|value| value.elements()).unwrap_or_default().iter().map(|tag| tag.to_lowercase()).collect()
    };
    for side in SIDES {
        let before = case.base.as_ref().map(|(highlevel, partner)| match side {
            Side::Highlevel => highlevel,
            Side::Partner => partner,
        });
        let before = lower(before.and_then(|fields| held(fields, row, side)));
        let now = lower(held(&case.view(side).fields, row, side));
        for target in SIDES {
            let mut after = case.view(target).fields.clone();
            after.extend(merge.writes(target).clone());
            let after = lower(held(&after, row, target));
            for tag in now.difference(&before) {
                assert!(after.contains(tag), "{tag:?}, which {side} added, is not in {target}");
            }
        }
    }
}

impl Case {
    fn view(&self, side: Side) -> &View {
        match side {
            Side::Highlevel => &self.highlevel,
            Side::Partner => &self.partner,
        }
    }
}

fn case(given: &mut Unstructured<'_>) -> Result<Case> {
    let mut rows = Vec::new();
    for index in 0..given.int_in_range(1..=4)? {
        let field_type = *given.choose(&TYPES)?;
        let policies =
            [Policy::LatestUpdate, Policy::Highlevel, Policy::Partner, Policy::Ask, Policy::Stricter];
        let policy = match *given.choose(&policies)? {
            Policy::Stricter if field_type != FieldType::Boolean => Policy::Ask,
            policy => policy,
        };
        let direction = *given.choose(&[
            Direction::Both,
            Direction::Both,
            Direction::ToPartner,
            Direction::ToHighlevel,
        ])?;
        let row = RowSpec::new(format!("h{index}"), format!("p{index}"), field_type);
        rows.push(RowSpec { policy, direction, ..row });
    }
    let base = if given.arbitrary()? {
        Some((record(given, &rows, Side::Highlevel)?, record(given, &rows, Side::Partner)?))
    } else {
        None
    };
    let highlevel = view(given, &rows, Side::Highlevel)?;
    let partner = view(given, &rows, Side::Partner)?;
    Ok(Case { mapping: Mapping::compile(rows).expect("rows of their own fields"), base, highlevel, partner })
}

fn view(given: &mut Unstructured<'_>, rows: &[RowSpec], side: Side) -> Result<View> {
    let fields = record(given, rows, side)?;
    let updated_at = match given.int_in_range(0..=3)? {
        0 => None,
        second => Timestamp::from_second(second).ok(),
    };
    Ok(View { fields, updated_at })
}

/// Every field is there: what a partner does not mention counts as unchanged, which is another promise.
fn record(given: &mut Unstructured<'_>, rows: &[RowSpec], side: Side) -> Result<Fields> {
    rows.iter().map(|row| Ok((row.field(side).to_owned(), value(given, row.field_type(side))?))).collect()
}

fn value(given: &mut Unstructured<'_>, field_type: FieldType) -> Result<Value> {
    let typed: &[&str] = match field_type {
        FieldType::Email => &["ann@example.com", "ANN@example.com", "bob@example.com"],
        FieldType::Phone => &["+16502530000", "(650) 253-0000", "+442079460958"],
        FieldType::Instant => &["2026-03-01T09:30:00Z", "2026-03-01T10:30:00+01:00"],
        FieldType::Date => &["2026-03-01", "2026-03-02"],
        _ => &["Ann", " ann ", "7", "true"],
    };
    Ok(match given.int_in_range(0..=6)? {
        0 => Value::Null,
        1 | 2 => Value::from(*given.choose(typed)?),
        3 => Value::from(given.arbitrary::<String>()?),
        4 => Value::from(given.arbitrary::<i64>()?),
        5 => Value::from(given.arbitrary::<bool>()?),
        _ => {
            let tags = ["a", "b", "A", "VIP", "vip"];
            let count = given.int_in_range(0..=4)?;
            (0..count)
                .map(|_| given.choose(&tags).copied())
                .collect::<Result<BTreeSet<_>>>()?
                .into_iter()
                .collect()
        }
    })
}

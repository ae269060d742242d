//! The merge by example: what happens to a record when somebody edits it here, there, or on both sides.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_sync::{
    Base, Context, Direction, FieldType, Fields, Mapping, MappingError, Merge, MergeError, Policy, RowSpec,
    Side, Value, View, merge, settle,
};
use jiff::Timestamp;

fn fields<V: Into<Value>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn set(elements: &[&str]) -> Value {
    elements.iter().copied().collect()
}

fn context() -> Context {
    Context::of_country("US")
}

fn mapping(rows: impl IntoIterator<Item = RowSpec>) -> Mapping {
    Mapping::compile(rows.into_iter().collect()).unwrap()
}

fn first_name(policy: Policy) -> Mapping {
    mapping([RowSpec { policy, ..RowSpec::new("firstName", "first_name", FieldType::Text) }])
}

fn name(text: &str) -> (Fields, Fields) {
    (fields([("firstName", text)]), fields([("first_name", text)]))
}

fn agreed(mapping: &Mapping, highlevel: &Fields, partner: &Fields) -> Base {
    Base::of(mapping, highlevel, partner, &context())
}

fn merged(mapping: &Mapping, base: Option<&Base>, highlevel: &Fields, partner: &Fields) -> Merge {
    let (highlevel, partner) = (View::new(highlevel.clone()), View::new(partner.clone()));
    merge(mapping, base, Some(&highlevel), Some(&partner), &context()).unwrap()
}

/// Applies the writes, settles, and hands back what both sides hold and the new base.
fn applied(
    mapping: &Mapping,
    base: Option<&Base>,
    merge: &Merge,
    highlevel: &Fields,
    partner: &Fields,
) -> (Fields, Fields, Base) {
    let (mut highlevel, mut partner) = (highlevel.clone(), partner.clone());
    highlevel.extend(merge.to_highlevel.clone());
    partner.extend(merge.to_partner.clone());
    let base = settle(mapping, base, merge, &highlevel, &partner, &context());
    (highlevel, partner, base)
}

// ------------------------------------------------------------------------------------------------ one value, two sides

#[test]
fn nothing_is_written_when_nothing_changed() {
    let mapping = first_name(Policy::default());
    let (highlevel, partner) = name("Ann");
    let base = agreed(&mapping, &highlevel, &partner);
    assert!(merged(&mapping, Some(&base), &highlevel, &partner).is_empty());
}

#[test]
fn a_change_on_one_side_goes_to_the_other() {
    let mapping = first_name(Policy::default());
    let (before, after) = (name("Ann"), name("Anna"));
    let base = agreed(&mapping, &before.0, &before.1);

    let merge = merged(&mapping, Some(&base), &after.0, &before.1);
    assert_eq!((merge.to_highlevel, merge.to_partner), (Fields::new(), after.1.clone()));

    let merge = merged(&mapping, Some(&base), &before.0, &after.1);
    assert_eq!((merge.to_highlevel, merge.to_partner), (after.0, Fields::new()));
}

#[test]
fn a_field_that_was_cleared_is_cleared_on_the_other_side() {
    let mapping = first_name(Policy::default());
    let (highlevel, partner) = name("Ann");
    let base = agreed(&mapping, &highlevel, &partner);
    let merge = merged(&mapping, Some(&base), &Fields::new(), &partner);
    assert_eq!(merge.to_partner, fields([("first_name", Value::Null)]));
}

#[test]
fn a_field_that_the_partner_does_not_mention_is_neither_cleared_nor_forgotten() {
    let name = RowSpec::new("firstName", "first_name", FieldType::Text);
    let full = RowSpec {
        to_highlevel: Some("first_name ~ ' ' ~ last_name".into()),
        ..RowSpec::new("companyName", "company", FieldType::Text)
    };
    let mapping = mapping([name, full]);
    let highlevel = fields([("firstName", "Ann"), ("companyName", "Ann Smith")]);
    let partner = fields([("first_name", "Ann"), ("last_name", "Smith"), ("company", "Ann Smith")]);
    let base = agreed(&mapping, &highlevel, &partner);

    // An answer that shows a part of the record.
    let partly = fields([("first_name", "Ann")]);
    let merge = merged(&mapping, Some(&base), &highlevel, &partly);
    assert!(merge.is_empty(), "{merge:?}");
    let base = settle(&mapping, Some(&base), &merge, &highlevel, &partly, &context());
    assert!(merged(&mapping, Some(&base), &highlevel, &partner).is_empty());

    // HighLevel's own change still arrives.
    let renamed = fields([("firstName", "Anna"), ("companyName", "Ann Smith")]);
    let merge = merged(&mapping, Some(&base), &renamed, &fields([("last_name", "Smith")]));
    assert_eq!(merge.to_partner, fields([("first_name", "Anna")]));
    assert!(merge.to_highlevel.is_empty());
}

#[test]
fn a_spelling_is_not_a_change() {
    let mapping = mapping([
        RowSpec::new("phone", "phone", FieldType::Phone),
        RowSpec::new("email", "mail", FieldType::Email),
    ]);
    let highlevel = fields([("phone", "+16502530000"), ("email", "ann@example.com")]);
    let partner = fields([("phone", "(650) 253-0000"), ("mail", " Ann@Example.com")]);
    let merge = merged(&mapping, None, &highlevel, &partner);
    assert!(merge.is_empty() && merge.conflicts.is_empty());
}

#[test]
fn the_same_change_on_both_sides_is_agreed() {
    let mapping = first_name(Policy::default());
    let (before, after) = (name("Ann"), name("Anna"));
    let base = agreed(&mapping, &before.0, &before.1);
    let merge = merged(&mapping, Some(&base), &after.0, &after.1);
    assert!(merge.is_empty() && merge.conflicts.is_empty());
}

#[test]
fn the_latest_update_wins_a_conflict_and_the_conflict_is_recorded() {
    let mapping = first_name(Policy::LatestUpdate);
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let winner = |highlevel: Option<i64>, partner: Option<i64>| {
        let view = |fields: Fields, second: Option<i64>| View { fields, updated_at: second.map(at) };
        let (highlevel, partner) = (view(name("Anna").0, highlevel), view(name("Anni").1, partner));
        let merge = merge(&mapping, Some(&base), Some(&highlevel), Some(&partner), &context()).unwrap();
        let [conflict] = &merge.conflicts[..] else { panic!("one conflict") };
        assert_eq!(conflict.base, Some((Value::from("Ann"), Value::from("Ann"))));
        assert_eq!((&conflict.highlevel, &conflict.partner), (&Value::from("Anna"), &Value::from("Anni")));
        (conflict.winner.unwrap(), merge)
    };

    let (side, merge) = winner(Some(1), Some(2));
    assert_eq!((side, &merge.to_highlevel), (Side::Partner, &name("Anni").0));
    assert_eq!(merge.conflicts[0].overwritten, Some(Value::from("Anna")));
    assert!(merge.to_partner.is_empty());

    let (side, merge) = winner(Some(2), Some(1));
    assert_eq!((side, &merge.to_partner), (Side::Highlevel, &name("Anna").1));
    assert_eq!(winner(Some(1), Some(1)).0, Side::Highlevel);
    assert_eq!(winner(None, Some(1)).0, Side::Highlevel);
    assert_eq!(winner(Some(1), None).0, Side::Highlevel);
}

#[test]
fn a_policy_can_name_the_winner() {
    for (policy, side) in [(Policy::Highlevel, Side::Highlevel), (Policy::Partner, Side::Partner)] {
        let mapping = first_name(policy);
        let before = name("Ann");
        let base = agreed(&mapping, &before.0, &before.1);
        let merge = merged(&mapping, Some(&base), &name("Anna").0, &name("Anni").1);
        assert_eq!(merge.conflicts[0].winner, Some(side));
        assert_eq!(merge.writes(side.other()).len(), 1);
        assert!(merge.writes(side).is_empty());
    }
}

// ------------------------------------------------------------------------------------------------------ a person decides

#[test]
fn ask_writes_nothing_and_stays_the_same_conflict() {
    let mapping = first_name(Policy::Ask);
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    let (highlevel, partner) = (name("Anna").0, name("Anni").1);

    let asked = merged(&mapping, Some(&base), &highlevel, &partner);
    assert!(asked.is_empty());
    assert_eq!(asked.conflicts[0].winner, None);
    let (.., settled) = applied(&mapping, Some(&base), &asked, &highlevel, &partner);
    assert_eq!(settled, base);

    let again = merged(&mapping, Some(&settled), &highlevel, &partner);
    assert_eq!(again.conflicts[0].id(), asked.conflicts[0].id());
}

#[test]
fn a_conflict_that_waits_ends_when_one_side_gives_way() {
    let mapping = first_name(Policy::Ask);
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    let merge = merged(&mapping, Some(&base), &name("Anna").0, &before.1);
    assert_eq!(merge.to_partner, name("Anna").1);
    assert_eq!(merge.conflicts, []);
}

#[test]
fn a_conflict_at_the_first_link_waits_without_a_base() {
    let mapping = first_name(Policy::Ask);
    let (highlevel, partner) = (name("Anna").0, name("Anni").1);
    let asked = merged(&mapping, None, &highlevel, &partner);
    let (.., base) = applied(&mapping, None, &asked, &highlevel, &partner);
    assert!(base.is_empty());
    let again = merged(&mapping, Some(&base), &highlevel, &partner);
    assert_eq!(again.conflicts, asked.conflicts);
}

// --------------------------------------------------------------------------------------------- first link and new record

#[test]
fn at_the_first_link_each_side_fills_the_others_gaps() {
    let mapping = mapping([
        RowSpec::new("firstName", "first", FieldType::Text),
        RowSpec::new("lastName", "last", FieldType::Text),
        RowSpec::new("city", "city", FieldType::Text),
    ]);
    let merge = merged(
        &mapping,
        None,
        &fields([("firstName", "Ann"), ("city", "Berlin")]),
        &fields([("last", "Smith"), ("city", "Bonn")]),
    );
    assert_eq!(merge.to_highlevel, fields([("lastName", "Smith")]));
    assert_eq!(merge.to_partner, fields([("first", "Ann"), ("city", "Berlin")]));
    assert_eq!(merge.conflicts.len(), 1);
    assert_eq!((&*merge.conflicts[0].highlevel_field, &merge.conflicts[0].base), ("city", &None));
}

#[test]
fn a_record_that_the_other_side_lacks_is_created_from_everything_offered() {
    let mapping = mapping([
        RowSpec::new("firstName", "first", FieldType::Text),
        RowSpec { direction: Direction::ToHighlevel, ..RowSpec::new("source", "origin", FieldType::Text) },
        RowSpec::new("tags", "groups", FieldType::Tags),
        RowSpec::new("city", "city", FieldType::Text),
    ]);
    let highlevel = fields([
        ("firstName", Value::from("Ann")),
        ("source", Value::from("web")),
        ("tags", set(&["VIP"])),
        ("city", Value::from("")),
    ]);
    let merge = merge(&mapping, None, Some(&View::new(highlevel)), None, &context()).unwrap();
    assert_eq!(merge.to_partner, fields([("first", Value::from("Ann")), ("groups", set(&["vip"]))]));
    assert!(merge.to_highlevel.is_empty());
}

#[test]
fn what_the_new_record_was_given_by_its_system_comes_back_with_the_next_merge() {
    let mapping = mapping([
        RowSpec::new("firstName", "first", FieldType::Text),
        RowSpec::new("source", "origin", FieldType::Text),
    ]);
    let highlevel = fields([("firstName", "Ann")]);
    let created = merge(&mapping, None, Some(&View::new(highlevel.clone())), None, &context()).unwrap();
    let partner = fields([("first", "Ann"), ("origin", "api")]);
    let base = settle(&mapping, None, &created, &highlevel, &partner, &context());
    let merge = merged(&mapping, Some(&base), &highlevel, &partner);
    assert_eq!((merge.to_highlevel, merge.to_partner), (fields([("source", "api")]), Fields::new()));
}

#[test]
fn without_a_record_on_either_side_there_is_nothing_to_merge() {
    let nothing = merge(&first_name(Policy::Ask), None, None, None, &context());
    assert_eq!(nothing, Err(MergeError::NoRecord));
}

// ------------------------------------------------------------------------------------------------------------------ sets

#[test]
fn tags_merge_by_element_and_never_conflict() {
    let mapping = mapping([RowSpec::new("tags", "groups", FieldType::Tags)]);
    let before = ["a", "b"];
    let base = agreed(&mapping, &fields([("tags", set(&before))]), &fields([("groups", set(&before))]));
    let merge = merged(
        &mapping,
        Some(&base),
        &fields([("tags", set(&["a", "new here"]))]),
        &fields([("groups", set(&["b", "New There"]))]),
    );
    let both = set(&["new here", "new there"]);
    assert_eq!(merge.to_highlevel["tags"], both);
    assert_eq!(merge.to_partner["groups"], both);
    assert_eq!(merge.conflicts, []);
}

#[test]
fn tags_are_united_at_the_first_link() {
    let mapping = mapping([RowSpec {
        partner_type: FieldType::Set,
        ..RowSpec::new("tags", "groups", FieldType::Tags)
    }]);
    let merge = merged(
        &mapping,
        None,
        &fields([("tags", set(&["vip", "x"]))]),
        &fields([("groups", set(&["VIP", "Y"]))]),
    );
    assert_eq!(merge.to_highlevel["tags"], set(&["vip", "x", "y"]));
    assert_eq!(merge.to_partner["groups"], set(&["VIP", "Y", "x"]));
}

#[test]
fn a_tag_that_is_hidden_from_the_partner_survives_the_partners_edits() {
    let mapping = mapping([RowSpec {
        to_partner: Some("value|without('internal')".into()),
        ..RowSpec::new("tags", "groups", FieldType::Tags)
    }]);
    let highlevel = fields([("tags", set(&["internal", "a"]))]);
    let base = agreed(&mapping, &highlevel, &fields([("groups", set(&["a"]))]));
    let merge = merged(&mapping, Some(&base), &highlevel, &fields([("groups", set(&["b"]))]));
    assert_eq!(merge.to_highlevel["tags"], set(&["b", "internal"]));
    assert!(merge.to_partner.is_empty());
}

// ----------------------------------------------------------------------------------------------------------- expressions

/// HighLevel keeps the parts of a name, the partner the whole.
#[test]
fn a_successor_that_lacks_a_tag_takes_it_from_nobody_and_gets_it() {
    let mapping = mapping([RowSpec::new("tags", "tags", FieldType::Tags)]);
    let sides =
        |here: &[&str], there: &[&str]| (fields([("tags", set(here))]), fields([("tags", set(there))]));
    let (highlevel, first) = sides(&["vip", "summit"], &["vip", "summit"]);
    let base = agreed(&mapping, &highlevel, &first);
    for (second, to_highlevel) in
        [(set(&["vip", "gala"]), Some(set(&["gala", "summit", "vip"]))), (Value::Null, None)]
    {
        let second = fields([("tags", second)]);
        let base = base.for_successor(&mapping, &second, &context());
        let merge = merged(&mapping, Some(&base), &highlevel, &second);
        assert_eq!(merge.to_highlevel.get("tags"), to_highlevel.as_ref());
        let written = &merge.to_partner["tags"];
        assert!(["summit", "vip"].iter().all(|tag| written.elements().contains(*tag)), "{written:?}");
    }
}

fn split_name() -> Mapping {
    let part = |field: &str, filter: &str| RowSpec {
        to_partner: Some("firstName ~ ' ' ~ lastName".into()),
        to_highlevel: Some(format!("value|{filter}")),
        ..RowSpec::new(field, "name", FieldType::Text)
    };
    mapping([part("firstName", "first_word"), part("lastName", "rest_words")])
}

#[test]
fn a_full_name_and_its_parts_follow_each_other() {
    let mapping = split_name();
    let highlevel = fields([("firstName", "Ann"), ("lastName", "Smith")]);
    let partner = fields([("name", "Ann Smith")]);
    let base = agreed(&mapping, &highlevel, &partner);

    let married = fields([("name", "Ann Jones")]);
    assert_eq!(
        merged(&mapping, Some(&base), &highlevel, &married).to_highlevel,
        fields([("lastName", "Jones")])
    );

    let renamed = fields([("firstName", "Anna"), ("lastName", "Smith")]);
    assert_eq!(
        merged(&mapping, Some(&base), &renamed, &partner).to_partner,
        fields([("name", "Anna Smith")])
    );
}

#[test]
fn changes_to_different_parts_of_a_name_meet_in_the_whole() {
    let mapping = Mapping::compile(
        split_name().rows().cloned().map(|row| RowSpec { policy: Policy::Partner, ..row }).collect(),
    )
    .unwrap();
    let base = agreed(
        &mapping,
        &fields([("firstName", "Ann"), ("lastName", "Smith")]),
        &fields([("name", "Ann Smith")]),
    );
    let highlevel = fields([("firstName", "Anna"), ("lastName", "Smith")]);
    let partner = fields([("name", "Ann Jones")]);
    let merge = merged(&mapping, Some(&base), &highlevel, &partner);
    assert_eq!(merge.to_highlevel, fields([("lastName", "Jones")]));
    assert_eq!(merge.to_partner, fields([("name", "Anna Jones")]));
    let (highlevel, partner, base) = applied(&mapping, Some(&base), &merge, &highlevel, &partner);
    assert!(merged(&mapping, Some(&base), &highlevel, &partner).is_empty());
}

#[test]
fn an_expression_that_cannot_be_undone_does_not_echo() {
    let mapping = mapping([RowSpec {
        to_partner: Some("value|upper".into()),
        ..RowSpec::new("firstName", "first", FieldType::Text)
    }]);
    let highlevel = fields([("firstName", "Ann")]);
    let merge = merged(&mapping, None, &highlevel, &Fields::new());
    assert_eq!(merge.to_partner, fields([("first", "ANN")]));
    let (highlevel, partner, base) = applied(&mapping, None, &merge, &highlevel, &Fields::new());
    assert!(merged(&mapping, Some(&base), &highlevel, &partner).is_empty());
}

// ----------------------------------------------------------------------------------------------------------- one-way rows

fn one_way(policy: Policy) -> Mapping {
    mapping([RowSpec {
        direction: Direction::ToPartner,
        policy,
        ..RowSpec::new("firstName", "first_name", FieldType::Text)
    }])
}

#[test]
fn a_one_way_row_never_writes_the_other_way() {
    let mapping = one_way(Policy::default());
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    assert!(merged(&mapping, Some(&base), &before.0, &name("Anni").1).is_empty());
    assert!(merged(&mapping, None, &Fields::new(), &name("Anni").1).is_empty());
}

#[test]
fn the_source_of_a_one_way_row_replaces_the_targets_own_change_and_records_it() {
    let mapping = one_way(Policy::default());
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    let merge = merged(&mapping, Some(&base), &name("Anna").0, &name("Anni").1);
    assert_eq!(merge.to_partner, name("Anna").1);
    assert_eq!(merge.conflicts[0].overwritten, Some(Value::from("Anni")));
}

#[test]
fn the_target_of_a_one_way_row_keeps_its_own_change_when_the_policy_names_it() {
    let mapping = one_way(Policy::Partner);
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    let merge = merged(&mapping, Some(&base), &name("Anna").0, &name("Anni").1);
    assert!(merge.is_empty());
    assert_eq!(merge.conflicts[0].winner, Some(Side::Partner));
}

// --------------------------------------------------------------------------------------------------------------- consent

fn dnd() -> Mapping {
    mapping([RowSpec { policy: Policy::Stricter, ..RowSpec::new("dnd", "do_not_call", FieldType::Boolean) }])
}

fn flags(highlevel: bool, partner: bool) -> (Fields, Fields) {
    (fields([("dnd", highlevel)]), fields([("do_not_call", partner)]))
}

#[test]
fn consent_only_gets_stricter() {
    let mapping = dnd();
    let (highlevel, partner) = flags(false, false);
    let open = agreed(&mapping, &highlevel, &partner);
    let (highlevel, partner) = flags(true, true);
    let shut = agreed(&mapping, &highlevel, &partner);

    let (highlevel, partner) = flags(false, true);
    let merge = merged(&mapping, Some(&open), &highlevel, &partner);
    assert_eq!(merge.to_highlevel, fields([("dnd", true)]));
    assert_eq!(merge.conflicts, []);

    // HighLevel lifted it, the partner did not: it comes back, and the decision is on record.
    let merge = merged(&mapping, Some(&shut), &highlevel, &partner);
    assert_eq!(merge.to_highlevel, fields([("dnd", true)]));
    assert!(merge.to_partner.is_empty());
    assert_eq!(merge.conflicts[0].winner, Some(Side::Partner));

    let (highlevel, partner) = flags(false, false);
    assert!(merged(&mapping, Some(&shut), &highlevel, &partner).is_empty());
}

#[test]
fn consent_that_the_partner_keeps_turned_round_is_judged_in_highlevels_terms() {
    let mapping = mapping([RowSpec {
        policy: Policy::Stricter,
        to_partner: Some("not value".into()),
        to_highlevel: Some("not value".into()),
        ..RowSpec::new("dnd", "subscribed", FieldType::Boolean)
    }]);
    let base = agreed(&mapping, &fields([("dnd", false)]), &fields([("subscribed", true)]));
    let left = merged(&mapping, Some(&base), &fields([("dnd", false)]), &fields([("subscribed", false)]));
    assert_eq!(left.to_highlevel, fields([("dnd", true)]));
    let shut = merged(&mapping, Some(&base), &fields([("dnd", true)]), &fields([("subscribed", true)]));
    assert_eq!(shut.to_partner, fields([("subscribed", false)]));
    assert!(shut.to_highlevel.is_empty());
}

// -------------------------------------------------------------------------------------------------- faults and afterwards

#[test]
fn a_bad_value_leaves_out_its_row_and_nothing_else() {
    let mapping = mapping([
        RowSpec::new("firstName", "first_name", FieldType::Text),
        RowSpec::new("phone", "phone", FieldType::Phone),
        RowSpec { to_partner: Some("value|int".into()), ..RowSpec::new("score", "score", FieldType::Text) },
    ]);
    let partner = fields([("first_name", "Ann"), ("phone", "+16502530000"), ("score", "1")]);
    let highlevel = fields([("firstName", "Ann"), ("phone", "+16502530000"), ("score", "1")]);
    let base = agreed(&mapping, &highlevel, &partner);

    let highlevel = fields([("firstName", "Anna"), ("phone", "+178655689546"), ("score", "many")]);
    let merge = merged(&mapping, Some(&base), &highlevel, &partner);
    assert_eq!(merge.to_partner, fields([("first_name", "Anna")]));
    let told: Vec<String> = merge.problems.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("`phone` of HighLevel") && told[0].contains("`+178655689546`"), "{told:?}");
    assert!(told[1].contains("`value|int` failed for the value `many`: invalid operation"), "{told:?}");

    let (.., settled) = applied(&mapping, Some(&base), &merge, &highlevel, &partner);
    let phone = RowSpec::new("phone", "phone", FieldType::Phone).key();
    assert_eq!(settled.get(&phone), base.get(&phone));
}

#[test]
fn the_base_is_what_came_back_so_a_dropped_value_is_not_sent_again_and_again() {
    let mapping = first_name(Policy::default());
    let before = name("Ann");
    let base = agreed(&mapping, &before.0, &before.1);
    let merge = merged(&mapping, Some(&base), &name("Anna").0, &before.1);
    // The partner answered 200 and kept "Ann".
    let base = settle(&mapping, Some(&base), &merge, &name("Anna").0, &before.1, &context());
    assert!(merged(&mapping, Some(&base), &name("Anna").0, &before.1).is_empty());
}

#[test]
fn an_edit_made_while_the_merge_was_under_way_is_carried_over_by_the_next() {
    let mapping = mapping([
        RowSpec::new("firstName", "first", FieldType::Text),
        RowSpec::new("city", "city", FieldType::Text),
    ]);
    let highlevel = fields([("firstName", "Ann"), ("city", "Berlin")]);
    let partner = fields([("first", "Ann"), ("city", "Berlin")]);
    let base = agreed(&mapping, &highlevel, &partner);

    let edited = fields([("first", "Anna"), ("city", "Berlin")]);
    let merge = merged(&mapping, Some(&base), &highlevel, &edited);
    // HighLevel's answer to the write shows a city that somebody typed in the meantime.
    let answer = fields([("firstName", "Anna"), ("city", "Bonn")]);
    let base = settle(&mapping, Some(&base), &merge, &answer, &edited, &context());
    assert_eq!(merged(&mapping, Some(&base), &answer, &edited).to_partner, fields([("city", "Bonn")]));
}

#[test]
fn a_base_survives_its_way_through_the_store() {
    let mapping = mapping([
        RowSpec::new("tags", "groups", FieldType::Tags),
        RowSpec::new("data", "data", FieldType::Json),
        RowSpec::new("amount", "amount", FieldType::Number),
    ]);
    let record = |tags: &'static str| {
        fields([
            (tags, set(&["a"])),
            ("data", Value::Json(serde_json::json!(["b", "a"]))),
            ("amount", Value::from(0.1 + 0.2)),
        ])
    };
    let base = agreed(&mapping, &record("tags"), &record("groups"));
    let stored = serde_json::to_string(&base).unwrap();
    assert_eq!(serde_json::from_str::<Base>(&stored).unwrap(), base);
}

// --------------------------------------------------------------------------------------------------------------- mapping

#[test]
fn inputs_are_every_field_that_a_merge_looks_at() {
    let mapping = mapping([
        RowSpec {
            to_partner: Some("value|default(customFields.nick)".into()),
            to_highlevel: Some("first ~ field('utm source')".into()),
            ..RowSpec::new("firstName", "first", FieldType::Text)
        },
        RowSpec { direction: Direction::ToHighlevel, ..RowSpec::new("source", "origin", FieldType::Text) },
    ]);
    let inputs = |side| mapping.inputs(side).into_iter().collect::<Vec<_>>();
    assert_eq!(inputs(Side::Highlevel), ["customFields.nick", "firstName", "source"]);
    assert_eq!(inputs(Side::Partner), ["first", "origin", "utm source"]);
}

#[test]
fn a_fingerprint_sees_what_a_side_offers_and_nothing_else() {
    let mapping = mapping([
        RowSpec::new("phone", "phone", FieldType::Phone),
        RowSpec { direction: Direction::ToHighlevel, ..RowSpec::new("source", "origin", FieldType::Text) },
    ]);
    let print = |pairs: &[(&'static str, &'static str)]| {
        mapping.fingerprint(Side::Highlevel, &fields(pairs.iter().copied()), &context())
    };
    let first = print(&[("phone", "+16502530000")]);
    assert_eq!(print(&[("phone", "(650) 253-0000"), ("source", "web"), ("unmapped", "x")]), first);
    assert_ne!(print(&[("phone", "+16502530001")]), first);
    // Two values that cannot be read are still told apart, so that putting one right is noticed.
    assert_ne!(print(&[("phone", "12")]), print(&[("phone", "13")]));
}

#[test]
fn a_fingerprint_never_changes_its_meaning() {
    let mapping = first_name(Policy::default());
    let print = mapping.fingerprint(Side::Highlevel, &name("Ann").0, &context());
    assert_eq!(print.as_str(), "7ff679a4ea5cb1b41c8d87544aa166b90167b1e4dd5c15d2198598ecf7550093");
}

#[test]
fn offers_name_the_rows_and_keep_what_failed_apart() {
    let mapping = mapping([
        RowSpec { partner_type: FieldType::Integer, ..RowSpec::new("score", "score", FieldType::Text) },
        RowSpec::new("email", "mail", FieldType::Email),
    ]);
    let offers = mapping.offers(Side::Highlevel, &fields([("score", " 7"), ("email", "ann")]), &context());
    let [(key, value)] = &offers.values.iter().collect::<Vec<_>>()[..] else { panic!("one value") };
    assert_eq!((key.as_str(), *value), ("score=score", &Value::from(7)));
    assert_eq!(offers.problems[0].field, "email");
}

#[test]
fn a_mapping_that_cannot_work_is_refused_with_the_row_at_fault() {
    let refusal = |rows: Vec<RowSpec>| Mapping::compile(rows).unwrap_err();
    let row = |highlevel: &str, partner: &str| RowSpec::new(highlevel, partner, FieldType::Text);

    let typo = refusal(vec![RowSpec { to_partner: Some("value|tirm".into()), ..row("firstName", "first") }]);
    assert_eq!(
        typo.to_string(),
        "mapping row firstName=first: the expression for the partner, `value|tirm`, is not valid: there is no filter \
         `tirm`"
    );
    assert!(matches!(refusal(vec![row("a", "b"), row("a", "b")]), MappingError::Duplicate { .. }));
    assert!(matches!(refusal(vec![row("a", " ")]), MappingError::NoField { .. }));
    let stricter = RowSpec { policy: Policy::Stricter, ..row("a", "b") };
    assert!(matches!(refusal(vec![stricter]), MappingError::StricterNeedsBoolean { .. }));

    let MappingError::TwoWriters { field, target, .. } = refusal(vec![row("a", "name"), row("b", "name")])
    else {
        panic!("two rows write `name`");
    };
    assert_eq!((field.as_str(), target), ("name", Side::Partner));
    let apart = RowSpec { direction: Direction::ToHighlevel, ..row("b", "name") };
    assert!(Mapping::compile(vec![row("a", "name"), apart]).is_ok());
}

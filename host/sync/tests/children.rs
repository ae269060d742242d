//! Two lists of children: what one merge does, and what holds for every history of edits on both sides.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use contactor_sync::{
    Base, Child, ChildLink, Condition, Context, Direction, FieldType, Fields, Glimpse, ListRules, Mapping,
    Pair, RowSpec, Side, Then, Value, Write, merge_children,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases in every run: a failure belongs to the change that brought it.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn mapping() -> Mapping {
    Mapping::compile(vec![
        RowSpec::new("title", "subject", FieldType::Text),
        RowSpec::new("completed", "done", FieldType::Boolean),
        RowSpec::new("dueDate", "due", FieldType::Instant),
    ])
    .unwrap()
}

/// Two systems, their lists and what is remembered about them.
#[derive(Clone, Debug, Default)]
struct World {
    highlevel: Vec<Child>,
    partner: Vec<Child>,
    links: Vec<ChildLink>,
    next: usize,
    writes: usize,
}

struct Setup {
    mapping: Mapping,
    direction: Direction,
    include: Option<Condition>,
}

impl Setup {
    fn new(direction: Direction, include: Option<&str>) -> Self {
        Self { mapping: mapping(), direction, include: include.map(|text| Condition::compile(text).unwrap()) }
    }

    fn rules(&self) -> ListRules<'_> {
        ListRules {
            mapping: &self.mapping,
            direction: self.direction,
            include: self.include.as_ref(),
            moved: false,
        }
    }
}

fn task(id: &str, title: &str, done: bool) -> Child {
    let fields = Fields::from([("title".into(), title.into()), ("completed".into(), done.into())]);
    Child { id: Some(id.to_owned()), fields, updated_at: None }
}

fn item(id: Option<&str>, title: &str, done: bool) -> Child {
    let fields = Fields::from([("subject".into(), title.into()), ("done".into(), done.into())]);
    Child { id: id.map(str::to_owned), fields, updated_at: None }
}

fn titles(children: &[Child], field: &str) -> Vec<String> {
    let mut titles: Vec<_> =
        children.iter().map(|child| child.fields[field].as_text().unwrap_or_default().to_owned()).collect();
    titles.sort();
    titles
}

impl World {
    fn plan(&self, setup: &Setup) -> Vec<Pair> {
        let context = Context::default();
        merge_children(&setup.rules(), &self.links, &self.highlevel, &self.partner, &context)
    }

    /// Does what a merge says, as a careful host would.
    fn sync(&mut self, setup: &Setup) {
        let context = Context::default();
        let rules = setup.rules();
        let (mut highlevel, mut partner, mut links) = (self.highlevel.clone(), Vec::new(), Vec::new());
        for mut pair in self.plan(setup) {
            let mut task = pair.highlevel.map(|at| self.highlevel[at].clone());
            let mut item = pair.partner.map(|at| self.partner[at].clone());
            match pair.to_highlevel {
                Write::Create => {
                    self.writes += 1;
                    self.next += 1;
                    // HighLevel says of every task whether it is done.
                    let mut fields = Fields::from([("completed".into(), false.into())]);
                    fields.extend(pair.merge.to_highlevel.clone());
                    let created = Child { id: Some(format!("h{}", self.next)), fields, updated_at: None };
                    pair.created(&rules, &created.fields, item.as_ref().unwrap(), &context);
                    highlevel.push(created.clone());
                    task = Some(created);
                }
                Write::Update => {
                    self.writes += 1;
                    let task = task.as_mut().unwrap();
                    task.fields.extend(pair.merge.to_highlevel.clone());
                    *highlevel.iter_mut().find(|own| own.id == task.id).unwrap() = task.clone();
                }
                Write::Remove => panic!("nothing is removed in HighLevel"),
                Write::Nothing => {}
            }
            match pair.to_partner {
                Write::Create => {
                    self.writes += 1;
                    let id = pair.link.as_ref().map(|link| link.partner_id.clone());
                    let id = id.or_else(|| task.as_ref().unwrap().id.clone());
                    item = Some(Child { id, fields: pair.merge.to_partner.clone(), updated_at: None });
                }
                Write::Update => {
                    self.writes += 1;
                    item.as_mut().unwrap().fields.extend(pair.merge.to_partner.clone());
                }
                Write::Remove => {
                    self.writes += 1;
                    item = None;
                }
                Write::Nothing => {}
            }
            if let (Some(item), Some(task)) = (&mut item, &task)
                && pair.then == Then::Link
                // One of two with the same id gets its own.
                && item.id.as_ref().is_none_or(|id| links.iter().any(|l: &ChildLink| l.partner_id == *id))
            {
                item.id.clone_from(&task.id);
            }
            match pair.then {
                Then::Link => {
                    let (task, item) = (task.as_ref().unwrap(), item.as_ref().unwrap());
                    let ids = (task.id.as_deref().unwrap(), item.id.as_deref().unwrap());
                    links.push(pair.link(&rules, (ids.0, &task.fields), (ids.1, &item.fields), &context));
                }
                Then::Lost(side) => {
                    links.extend(pair.link.clone().map(|link| ChildLink { lost: Some(side), ..link }));
                }
                Then::Nothing => links.extend(pair.link.clone()),
                Then::Unlink => {}
            }
            partner.extend(item);
        }
        (self.highlevel, self.partner, self.links) = (highlevel, partner, links);
    }
}

fn in_step(titles_of: &[&str]) -> World {
    let mut world = World {
        highlevel: titles_of.iter().map(|title| task(&format!("t-{title}"), title, false)).collect(),
        ..World::default()
    };
    world.sync(&Setup::new(Direction::Both, None));
    world.writes = 0;
    world
}

#[test]
fn a_list_is_shown_at_a_partner_that_has_none_and_then_rests() {
    let world = in_step(&["call", "write"]);
    assert_eq!(titles(&world.partner, "subject"), ["call", "write"]);
    assert!(world.plan(&Setup::new(Direction::Both, None)).iter().all(Pair::is_settled));
}

#[test]
fn a_child_that_highlevel_lost_is_removed_at_the_partner() {
    let mut world = in_step(&["call", "write"]);
    world.highlevel.retain(|task| task.id.as_deref() != Some("t-call"));
    world.sync(&Setup::new(Direction::Both, None));
    assert_eq!(titles(&world.partner, "subject"), ["write"]);
    assert_eq!(world.links.len(), 1);
}

#[test]
fn a_child_that_the_partner_lost_stays_in_highlevel_and_is_shown_again_only_when_it_changes() {
    let setup = Setup::new(Direction::Both, None);
    let mut world = in_step(&["call", "write"]);
    world.partner.retain(|item| item.id.as_deref() != Some("t-call"));
    for _ in 0..3 {
        world.sync(&setup);
        assert_eq!(titles(&world.highlevel, "title"), ["call", "write"]);
        assert_eq!(titles(&world.partner, "subject"), ["write"]);
    }
    assert_eq!(world.writes, 0);
    let call = world.highlevel.iter_mut().find(|task| task.id.as_deref() == Some("t-call")).unwrap();
    call.fields.insert("title".into(), "call again".into());
    world.sync(&setup);
    assert_eq!(titles(&world.partner, "subject"), ["call again", "write"]);
}

#[test]
fn the_list_of_another_record_is_filled_again() {
    let mut world = in_step(&["call", "write"]);
    world.partner.clear();
    let setup = Setup::new(Direction::Both, None);
    let rules = ListRules { moved: true, ..setup.rules() };
    let plan = merge_children(&rules, &world.links, &world.highlevel, &[], &Context::default());
    assert!(plan.iter().all(|pair| pair.to_partner == Write::Create), "{plan:?}");
}

#[test]
fn two_long_lists_are_matched_without_a_merge_of_every_pair() {
    // A merge of each child with each would be two million merges for either list, which takes minutes in this build.
    let count = 1_500;
    let world = |subject: &dyn Fn(usize) -> String| World {
        highlevel: (0..count).map(|at| task(&format!("h{at}"), &format!("task {at}"), at % 2 == 0)).collect(),
        partner: (0..count)
            .rev()
            .map(|at| item(Some(&format!("p{at}")), &subject(at), at % 2 == 0))
            .collect(),
        ..World::default()
    };
    let setup = Setup::new(Direction::Both, None);
    let both = |pairs: &[Pair]| {
        pairs.iter().filter(|pair| pair.highlevel.is_some() && pair.partner.is_some()).count()
    };

    let equal = world(&|at| format!("task {at}")).plan(&setup);
    assert_eq!(both(&equal), count);
    assert!(
        equal.iter().all(|pair| (pair.to_highlevel, pair.to_partner) == (Write::Nothing, Write::Nothing))
    );

    let different = world(&|at| format!("other {at}")).plan(&setup);
    assert_eq!((both(&different), different.len()), (0, 2 * count));
}

#[test]
fn a_child_that_is_equal_goes_before_one_that_is_only_alike() {
    let mut bare = item(Some("p1"), "Call", false);
    bare.fields.remove("done");
    for partner in
        [vec![bare.clone(), item(Some("p2"), "Call", true)], vec![item(Some("p2"), "Call", true), bare]]
    {
        let highlevel = vec![task("h1", "Call", true), task("h2", "Call", false)];
        let world = World { highlevel, partner, ..World::default() };
        let pairs = world.plan(&Setup::new(Direction::Both, None));
        let of = |pair: &Pair| {
            let id = |child: &Child| child.id.clone().unwrap_or_default();
            (pair.highlevel.map(|at| id(&world.highlevel[at])), pair.partner.map(|at| id(&world.partner[at])))
        };
        let pairs: BTreeSet<_> = pairs.iter().map(of).collect();
        let pair = |one: &str, other: &str| (Some(one.to_owned()), Some(other.to_owned()));
        assert_eq!(pairs, BTreeSet::from([pair("h1", "p2"), pair("h2", "p1")]));
    }
}

#[test]
fn an_unlinked_equal_pair_is_linked_and_not_doubled() {
    let setup = Setup::new(Direction::Both, None);
    let mut world = World {
        highlevel: vec![task("t1", "Call", true), task("t2", "Write", false), task("t3", "Call", true)],
        partner: vec![item(Some("a"), "Write", false), item(None, " Call ", true)],
        ..World::default()
    };
    world.sync(&setup);
    assert_eq!(world.highlevel.len(), 3, "one of the two equal tasks was missing at the partner");
    assert_eq!(titles(&world.partner, "subject"), [" Call ", "Call", "Write"]);
    let ids: BTreeSet<_> = world.links.iter().map(|link| (&*link.highlevel_id, &*link.partner_id)).collect();
    assert!(ids.contains(&("t2", "a")), "{ids:?}");
    assert_eq!(ids.len(), 3);
}

#[test]
fn what_was_created_from_a_childs_values_is_known_again_although_it_holds_more() {
    let setup = Setup::new(Direction::Both, None);
    let bare = Child { fields: Fields::from([("subject".into(), "Call".into())]), ..Child::default() };
    let mut world =
        World { highlevel: vec![task("t1", "Call", false)], partner: vec![bare], ..World::default() };
    world.sync(&setup);
    assert_eq!((world.highlevel.len(), world.partner.len()), (1, 1));
    assert_eq!(world.partner[0].fields["done"], Value::from(false));
}

#[test]
fn what_the_partner_completes_is_completed_in_highlevel_and_leaves_a_list_of_open_tasks() {
    let setup = Setup::new(Direction::Both, Some("not completed"));
    let mut world = World {
        highlevel: vec![task("t1", "Call", false), task("t2", "Old", true)],
        partner: vec![],
        ..World::default()
    };
    world.sync(&setup);
    assert_eq!(titles(&world.partner, "subject"), ["Call"]);
    world.partner[0].fields.insert("done".into(), true.into());
    world.sync(&setup);
    assert_eq!(world.highlevel[0].fields["completed"], Value::from(true));
    assert!(world.partner.is_empty() && world.links.is_empty());
    // It comes back when it is opened again.
    world.highlevel[0].fields.insert("completed".into(), false.into());
    world.sync(&setup);
    assert_eq!(titles(&world.partner, "subject"), ["Call"]);
}

#[test]
fn a_condition_that_fails_leaves_the_child_alone_and_says_why() {
    let setup = Setup::new(Direction::Both, Some("title + 1 > 0"));
    let world = World { highlevel: vec![task("t1", "Call", false)], ..World::default() };
    let plan = world.plan(&setup);
    assert!(plan[0].problem.is_some() && plan[0].to_partner == Write::Nothing, "{plan:?}");
}

#[test]
fn one_way_lists_never_write_their_source() {
    let mut world = in_step(&["call"]);
    world.partner[0].fields.insert("subject".into(), "changed there".into());
    world.partner.push(item(None, "made there", false));
    let setup = Setup::new(Direction::ToPartner, None);
    world.sync(&setup);
    assert_eq!(titles(&world.highlevel, "title"), ["call"]);

    let mut world = in_step(&["call"]);
    world.highlevel.push(task("t9", "made here", false));
    world.partner.push(item(None, "made there", false));
    let setup = Setup::new(Direction::ToHighlevel, None);
    world.sync(&setup);
    assert_eq!(titles(&world.highlevel, "title"), ["call", "made here", "made there"]);
    assert_eq!(titles(&world.partner, "subject"), ["call", "made there"]);
    world.highlevel.clear();
    world.sync(&setup);
    world.sync(&setup);
    assert!(world.highlevel.is_empty(), "what HighLevel lost is not made again");
}

#[test]
fn of_two_children_with_one_id_each_becomes_its_own() {
    let setup = Setup::new(Direction::Both, None);
    let mut world = World {
        partner: vec![item(Some("a"), "One", false), item(Some("a"), "Two", true)],
        ..World::default()
    };
    world.sync(&setup);
    world.sync(&setup);
    assert_eq!(titles(&world.highlevel, "title"), ["One", "Two"]);
    let ids: BTreeSet<_> = world.partner.iter().map(|item| item.id.clone()).collect();
    assert_eq!(ids.len(), 2);
}

/// Whether a hint that shows these fields of a linked, open task "call" tells nothing new.
fn is_echo(rows: &[RowSpec], include: Option<&str>, whole: Option<&str>, fields: &[(&str, Value)]) -> bool {
    glimpsed(rows, include, whole, fields, false)
}

fn glimpsed(
    rows: &[RowSpec],
    include: Option<&str>,
    whole: Option<&str>,
    fields: &[(&str, Value)],
    partial: bool,
) -> bool {
    let context = Context::default();
    let mapping = Mapping::compile(rows.to_vec()).unwrap();
    let whole = whole.map(|expression| {
        let row = RowSpec::new("tasks", "open", FieldType::Text);
        let row = RowSpec { direction: Direction::ToPartner, to_partner: Some(expression.to_owned()), ..row };
        Mapping::compile(vec![row]).unwrap()
    });
    let include = include.map(|text| Condition::compile(text).unwrap());
    let rules =
        ListRules { mapping: &mapping, direction: Direction::Both, include: include.as_ref(), moved: false };
    let (before, there) = (task("h1", "call", false), item(Some("h1"), "call", false));
    let base = Base::of(&mapping, &before.fields, &there.fields, &context);
    let fields: Fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    rules.shows_nothing_new(whole.as_ref(), Glimpse { fields: &fields, partial }, &base, &context)
}

fn title() -> RowSpec {
    RowSpec::new("title", "subject", FieldType::Text)
}

fn completed() -> RowSpec {
    RowSpec::new("completed", "done", FieldType::Boolean)
}

#[test]
fn a_hint_that_shows_part_of_a_child_is_news_only_if_that_part_is() {
    let shown = |fields: &[(&str, Value)]| is_echo(&[title(), completed()], None, None, fields);
    assert!(shown(&[("title", "call".into())]));
    assert!(shown(&[("title", " call ".into()), ("completed", false.into())]));
    assert!(!shown(&[("title", "call".into()), ("completed", true.into())]));
    assert!(!shown(&[("other", "x".into())]), "it shows nothing that counts");
}

#[test]
fn a_field_that_only_the_condition_reads_is_news_when_the_condition_fails_by_it() {
    let shown = |fields: &[(&str, Value)]| is_echo(&[title()], Some("not completed"), None, fields);
    assert!(!shown(&[("title", "call".into()), ("completed", true.into())]));
    assert!(shown(&[("title", "call".into()), ("completed", false.into())]));
    assert!(shown(&[("title", "call".into())]), "what is not shown did not change");
    let both = |fields: &[(&str, Value)]| is_echo(&[title()], Some("body or completed"), None, fields);
    assert!(!both(&[("title", "call".into()), ("completed", false.into())]), "half of it decides nothing");
}

#[test]
fn a_field_that_only_the_rows_of_the_list_read_is_news() {
    let count = Some("tasks|rejectattr('completed')|list|length");
    let done = [("title", "call".into()), ("completed", true.into())];
    assert!(!is_echo(&[title()], None, count, &done));
    let open = [("title", "call".into()), ("completed", false.into()), ("body", "x".into())];
    assert!(is_echo(&[title(), completed()], None, count, &open), "the row says that it did not change");
    assert!(is_echo(&[title()], None, Some("tasks|length"), &done), "a task more or less is told otherwise");
    for any in ["tasks|pluck('body')|join", "tasks", "tasks|where('completed', tasks|length)|length"] {
        assert!(!is_echo(&[title(), completed()], None, Some(any), &open), "{any} may look at the body");
    }
}

#[test]
fn a_row_of_several_fields_is_news_when_one_of_them_is_shown_that_no_other_row_vouches_for() {
    let joined = RowSpec {
        to_partner: Some("title ~ body ~ completed".to_owned()),
        direction: Direction::ToPartner,
        ..RowSpec::new("body", "text", FieldType::Text)
    };
    let seen = [("title", "call".into()), ("completed", false.into())];
    assert!(!is_echo(&[title(), joined.clone()], None, None, &seen));
    assert!(is_echo(&[title(), completed(), joined], None, None, &seen));
}

#[test]
fn a_hint_that_never_shows_some_fields_is_news_if_anything_looks_at_them() {
    let seen = [("title", "call".into())];
    let partial = |rows: &[RowSpec], include, whole| glimpsed(rows, include, whole, &seen, true);
    assert!(partial(&[title()], None, None));
    assert!(partial(&[title()], Some("title"), Some("tasks|length")));
    assert!(!partial(&[title(), completed()], None, None));
    assert!(!partial(&[title()], Some("not completed"), None));
    assert!(!partial(&[title()], None, Some("tasks|where('completed')|length")));
    assert!(!partial(&[title()], None, Some("tasks")));
}

// ------------------------------------------------------------------------------------------------------------ properties

#[derive(Clone, Debug)]
enum Edit {
    Add { highlevel: bool, title: u8, done: bool, id: bool },
    Retitle { highlevel: bool, at: usize, title: u8 },
    Finish { highlevel: bool, at: usize, done: bool },
    Drop { highlevel: bool, at: usize },
}

fn edit() -> impl Strategy<Value = Edit> {
    let (side, at, title) = (any::<bool>, 0..6_usize, 0..4_u8);
    prop_oneof![
        3 => (side(), title.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(highlevel, title, done, id)| Edit::Add { highlevel, title, done, id }),
        3 => (side(), at.clone(), title).prop_map(|(highlevel, at, title)| Edit::Retitle { highlevel, at, title }),
        2 => (side(), at.clone(), any::<bool>())
            .prop_map(|(highlevel, at, done)| Edit::Finish { highlevel, at, done }),
        2 => (side(), at).prop_map(|(highlevel, at)| Edit::Drop { highlevel, at }),
    ]
}

fn edits() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    prop::collection::vec(prop::collection::vec(edit(), 0..6), 1..5)
}

fn setups() -> impl Strategy<Value = (Direction, Option<&'static str>)> {
    let direction = prop::sample::select(vec![Direction::Both, Direction::ToPartner, Direction::ToHighlevel]);
    (direction, prop::sample::select(vec![None, Some("not completed")]))
}

impl World {
    fn edits(&mut self, edits: &[Edit]) {
        for edit in edits {
            self.edit(edit);
        }
    }

    fn edit(&mut self, edit: &Edit) {
        self.next += 1;
        let text = |title: u8| format!("title {title}");
        match *edit {
            Edit::Add { highlevel: true, title, done, .. } => {
                self.highlevel.push(task(&format!("e{}", self.next), &text(title), done));
            }
            Edit::Add { highlevel: false, title, done, id } => {
                let id = id.then(|| format!("p{}", self.next));
                self.partner.push(item(id.as_deref(), &text(title), done));
            }
            Edit::Retitle { highlevel, at, title } => {
                self.set(highlevel, at, ("title", "subject"), text(title));
            }
            Edit::Finish { highlevel, at, done } => self.set(highlevel, at, ("completed", "done"), done),
            Edit::Drop { highlevel, at } => {
                let list = if highlevel { &mut self.highlevel } else { &mut self.partner };
                if at < list.len() {
                    list.remove(at);
                }
            }
        }
    }

    fn set(&mut self, highlevel: bool, at: usize, names: (&str, &str), value: impl Into<Value>) {
        let (list, name) =
            if highlevel { (&mut self.highlevel, names.0) } else { (&mut self.partner, names.1) };
        if let Some(child) = list.get_mut(at) {
            child.fields.insert(name.to_owned(), value.into());
        }
    }

    /// What both lists hold, without ids that a host made up.
    fn contents(&self) -> (Vec<String>, Vec<String>) {
        let sorted = |children: &[Child]| {
            let mut all: Vec<_> =
                children.iter().map(|child| serde_json::to_string(&child.fields).unwrap()).collect();
            all.sort();
            all
        };
        (sorted(&self.highlevel), sorted(&self.partner))
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// After any edits on both sides one merge brings both lists into step: a second one finds nothing to write.
    #[test]
    fn applying_a_merge_leaves_nothing_for_the_next((direction, include) in setups(), rounds in edits()) {
        let setup = Setup::new(direction, include);
        let mut world = World::default();
        for round in rounds {
            world.edits(&round);
            let before = world.writes;
            let children = world.highlevel.len() + world.partner.len();
            world.sync(&setup);
            prop_assert!(world.writes - before <= 2 * children + world.links.len(), "writes are bounded");
            let (writes, contents) = (world.writes, world.contents());
            let plan = world.plan(&setup);
            prop_assert!(plan.iter().all(Pair::is_settled), "{plan:#?}");
            world.sync(&setup);
            prop_assert_eq!(world.writes, writes);
            prop_assert_eq!(world.contents(), contents);
            if direction == Direction::Both && include.is_none() {
                // All that HighLevel has is at the partner, except what the partner threw away.
                let lost = world.links.iter().filter(|link| link.lost == Some(Side::Partner)).count();
                prop_assert_eq!(world.highlevel.len(), world.partner.len() + lost);
            }
        }
    }

    /// Neither the order of the lists nor that of the links decides anything.
    #[test]
    fn the_order_of_the_lists_does_not_matter((direction, include) in setups(), rounds in edits(), turn in 0..7_usize) {
        let setup = Setup::new(direction, include);
        let mut world = World::default();
        let (last, before) = rounds.split_last().unwrap();
        for round in before {
            world.edits(round);
            world.sync(&setup);
        }
        world.edits(last);
        let mut other = world.clone();
        other.highlevel.reverse();
        if !other.partner.is_empty() {
            let turn = turn % other.partner.len();
            other.partner.rotate_left(turn);
        }
        other.links.reverse();
        world.sync(&setup);
        other.sync(&setup);
        prop_assert_eq!(world.contents(), other.contents());
        prop_assert_eq!(world.writes, other.writes);
    }

    /// A host that dies after its writes and before it remembers them finds them again and doubles nothing.
    #[test]
    fn a_forgotten_merge_is_found_again(edits in prop::collection::vec(edit(), 1..8)) {
        let setup = Setup::new(Direction::Both, None);
        let mut world = World::default();
        world.edits(&edits);
        world.sync(&setup);
        let contents = world.contents();
        world.links.clear();
        world.sync(&setup);
        prop_assert_eq!(world.contents(), contents);
    }
}

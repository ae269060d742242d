//! Which children of two lists are the same: by their link, else by an equal id, else by equal content.
//!
//! Content decides only between children that nobody has linked: after a crash between a create and its commit, and at the
//! first sight of two lists that were kept by hand. Lists are long at times, and a merge of every child with every other would
//! take seconds: what each child shows is computed once, equal children find each other by it, and only what may still be
//! alike is merged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Child, ChildLink, Lists, Pair};
use crate::fingerprint::Hasher;
use crate::offers::{Shown, record};
use crate::{Fields, Fingerprint, Policy, Side, Value};

/// Most merges that look for children which are alike. What was not found by then counts as different.
const MOST_MERGES: usize = 10_000;

/// All children of both lists, each in one pair; first those with a link, by HighLevel's id.
pub(super) fn pairs(lists: &Lists<'_>, links: &[ChildLink]) -> Vec<Pair> {
    let mut highlevel = by_id(lists.highlevel);
    let mut partner = by_id(lists.partner);
    let mut links: Vec<&ChildLink> = links.iter().collect();
    links.sort_by(|a, b| a.highlevel_id.cmp(&b.highlevel_id));
    let mut pairs: Vec<Pair> = links
        .into_iter()
        .map(|link| Pair {
            highlevel: highlevel.remove(link.highlevel_id.as_str()),
            partner: partner.remove(link.partner_id.as_str()),
            link: Some(link.clone()),
            ..Pair::default()
        })
        .collect();

    let same: Vec<&str> = highlevel.keys().filter(|id| partner.contains_key(*id)).copied().collect();
    for id in same {
        pairs.push(Pair { highlevel: highlevel.remove(id), partner: partner.remove(id), ..Pair::default() });
    }

    // Every child that is still alone. Equal ones are told apart by nothing, so any order will do that is always the same.
    let highlevel: Vec<usize> = highlevel.into_values().collect();
    let taken: BTreeSet<usize> = pairs.iter().filter_map(|pair| pair.partner).collect();
    let mut partner: Vec<usize> = (0..lists.partner.len()).filter(|at| !taken.contains(at)).collect();
    partner.sort_by_cached_key(|at| sort_key(&lists.partner[*at]));
    let counterparts = Contents::new(lists, &highlevel, &partner).counterparts();
    let taken: BTreeSet<usize> = counterparts.values().copied().collect();
    partner.retain(|at| !taken.contains(at));
    pairs.extend(highlevel.into_iter().map(|at| Pair {
        highlevel: Some(at),
        partner: counterparts.get(&at).copied(),
        ..Pair::default()
    }));
    pairs.extend(partner.into_iter().map(|at| Pair { partner: Some(at), ..Pair::default() }));
    pairs
}

/// What the children that are still alone show, in an order that is always the same.
struct Contents<'a> {
    lists: &'a Lists<'a>,
    highlevel: Vec<(usize, Content)>,
    partner: Vec<(usize, Content)>,
}

impl<'a> Contents<'a> {
    fn new(lists: &'a Lists<'a>, highlevel: &[usize], partner: &[usize]) -> Self {
        let whole = |fields: &Fields| lists.rules.mapping.whole(fields);
        let of_highlevel =
            |at: &usize| (*at, Content::of(lists, Side::Highlevel, &lists.highlevel[*at].fields));
        let of_partner =
            |at: &usize| (*at, Content::of(lists, Side::Partner, &whole(&lists.partner[*at].fields)));
        Self {
            lists,
            highlevel: highlevel.iter().map(of_highlevel).collect(),
            partner: partner.iter().map(of_partner).collect(),
        }
    }

    /// HighLevel's children with the partner's that are equal, else alike.
    fn counterparts(&self) -> BTreeMap<usize, usize> {
        let mut found = self.showing_the_same();
        let mut taken: BTreeSet<usize> = found.values().copied().collect();
        let mut merges = MOST_MERGES;
        let mut alike = BTreeMap::<usize, Vec<usize>>::new();
        for (one, content) in &self.highlevel {
            if found.contains_key(one) {
                continue;
            }
            for (other, _) in self.partner.iter().filter(|(_, other)| self.may_be_alike(content, other)) {
                if taken.contains(other) {
                    continue;
                }
                let Some(left) = merges.checked_sub(1) else { break };
                merges = left;
                match likeness(self.lists, *one, *other) {
                    Likeness::Equal => {
                        taken.insert(*other);
                        found.insert(*one, *other);
                        break;
                    }
                    Likeness::Alike => alike.entry(*one).or_default().push(*other),
                    Likeness::Different => {}
                }
            }
        }
        for (one, others) in alike {
            if !found.contains_key(&one)
                && let Some(other) = others.into_iter().find(|other| !taken.contains(other))
            {
                taken.insert(other);
                found.insert(one, other);
            }
        }
        found
    }

    /// The equal ones among those where either side offers exactly what the other one holds.
    fn showing_the_same(&self) -> BTreeMap<usize, usize> {
        let mut showing: HashMap<Fingerprint, Vec<usize>> = HashMap::new();
        for (other, content) in self.partner.iter().rev() {
            showing.entry(content.as_seen_from(Side::Partner)).or_default().push(*other);
        }
        let mut found = BTreeMap::new();
        for (one, content) in &self.highlevel {
            // Those that show the same are told apart by nothing: a look at one of them is enough.
            let same = showing.get_mut(&content.as_seen_from(Side::Highlevel));
            if let Some(same) = same
                && same.last().is_some_and(|other| likeness(self.lists, *one, *other) == Likeness::Equal)
            {
                found.extend(same.pop().map(|other| (*one, other)));
            }
        }
        found
    }

    /// Whether no row tells that a merge would find a conflict.
    fn may_be_alike(&self, highlevel: &Content, partner: &Content) -> bool {
        let rows = self.lists.rules.mapping.compiled();
        rows.iter().zip(highlevel.0.iter().zip(&partner.0)).all(|(row, (highlevel, partner))| {
            let is_merged = row.spec.is_set() || row.spec.policy == Policy::Stricter;
            let one_is_open = highlevel.held == Value::Null || partner.held == Value::Null;
            is_merged || one_is_open || highlevel.is_held_by(partner) || partner.is_held_by(highlevel)
        })
    }
}

/// What a child shows in every row.
struct Content(Vec<Shown>);

impl Content {
    fn of(lists: &Lists<'_>, side: Side, fields: &Fields) -> Self {
        let record = record(fields, lists.context);
        let rows = lists.rules.mapping.compiled();
        Self(rows.iter().map(|row| Shown::of(row, side, &record, lists.context)).collect())
    }

    /// Equal for two children of different sides, if each offers what the other one holds.
    fn as_seen_from(&self, side: Side) -> Fingerprint {
        let mut hasher = Hasher::new("contactor child 1");
        for Shown { offered, held, .. } in &self.0 {
            // What cannot be offered is equal to nothing that can.
            let offered = offered.as_ref().unwrap_or(&Value::Null);
            let (first, second) = match side {
                Side::Highlevel => (offered, held),
                Side::Partner => (held, offered),
            };
            hasher.value(first);
            hasher.value(second);
        }
        hasher.finish()
    }
}

impl Shown {
    fn is_held_by(&self, other: &Self) -> bool {
        // A value that cannot be offered is no conflict, but it is not alike either: the merge says so.
        self.offered.as_ref().map_or(true, |offered| *offered == other.held)
    }
}

/// The children that have an id.
fn by_id(children: &[Child]) -> BTreeMap<&str, usize> {
    let mut found = BTreeMap::new();
    for (at, child) in children.iter().enumerate() {
        if let Some(id) = child.id.as_deref() {
            found.entry(id).or_insert(at);
        }
    }
    found
}

fn sort_key(child: &Child) -> (Option<String>, String) {
    (child.id.clone(), serde_json::to_string(&child.fields).unwrap_or_default())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Different,
    /// One holds everything that the other offers, and more.
    Alike,
    /// Both hold the same.
    Equal,
}

fn likeness(lists: &Lists<'_>, highlevel: usize, partner: usize) -> Likeness {
    let (highlevel, partner) = (&lists.highlevel[highlevel], &lists.partner[partner]);
    let merged = lists.merged(None, Some(highlevel), Some(partner));
    let shared = merged.agreed_values();
    if !shared || !merged.conflicts.is_empty() || !merged.open.is_empty() {
        return Likeness::Different;
    }
    match (merged.to_highlevel.is_empty(), merged.to_partner.is_empty()) {
        (true, true) => Likeness::Equal,
        (true, false) | (false, true) => Likeness::Alike,
        (false, false) => Likeness::Different,
    }
}

impl crate::Merge {
    /// Whether the two records share at least one value: two that have nothing in common are not the same.
    fn agreed_values(&self) -> bool {
        let nothing = |value: &Value| matches!(value, Value::Null | Value::Boolean(_));
        self.seen_rows().any(|(_, agreed)| !nothing(&agreed.highlevel) && !nothing(&agreed.partner))
    }
}

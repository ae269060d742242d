//! Which children of two lists are the same: by their link, else by an equal id, else by equal content.
//!
//! Content decides only between children that nobody has linked: after a crash between a create and its commit, and at the
//! first sight of two lists that were kept by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::{Child, ChildLink, Lists, Pair};
use crate::Value;

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
    let mut partner: Vec<Option<usize>> = partner.into_iter().map(Some).collect();
    let mut counterparts: BTreeMap<usize, usize> = BTreeMap::new();
    for wanted in [Likeness::Equal, Likeness::Alike] {
        for one in &highlevel {
            if counterparts.contains_key(one) {
                continue;
            }
            let fits =
                |other: &Option<usize>| other.is_some_and(|other| likeness(lists, *one, other) >= wanted);
            if let Some(found) = partner.iter_mut().find(|other| fits(other)) {
                counterparts.extend(found.take().map(|other| (*one, other)));
            }
        }
    }
    pairs.extend(highlevel.into_iter().map(|at| Pair {
        highlevel: Some(at),
        partner: counterparts.get(&at).copied(),
        ..Pair::default()
    }));
    pairs.extend(partner.into_iter().flatten().map(|at| Pair { partner: Some(at), ..Pair::default() }));
    pairs
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

//! Whether a hint about a child of HighLevel's tells anything that both sides do not know.

use std::collections::BTreeSet;

use super::ListRules;
use crate::mapping::Row;
use crate::offers::{Shown, record};
use crate::{Agreed, Base, Context, Fields, Mapping, Side};

/// HighLevel's side: hints of the partner are about whole lists.
const SIDE: Side = Side::Highlevel;

/// What a hint shows of one of HighLevel's children.
#[derive(Clone, Copy, Debug)]
pub struct Glimpse<'a> {
    /// The fields that it shows, and no others.
    pub fields: &'a Fields,
    /// Fields that it does not show may have changed as well. Otherwise they are as they were.
    pub partial: bool,
}

impl Glimpse<'_> {
    /// Whether it shows this field, or the field that a name with dots reaches into.
    fn shows(&self, name: &str) -> bool {
        let root = name.split('.').next().unwrap_or(name);
        self.fields.contains_key(name) || self.fields.contains_key(root)
    }
}

impl ListRules<'_> {
    /// Whether a child, linked with `base`, is as it was in everything that is looked at: by the rows of the child, by the
    /// condition `include` and by `whole`, the rows of the list. A glimpse that no row can be read from says nothing.
    pub fn shows_nothing_new(
        &self,
        whole: Option<&Mapping>,
        glimpse: Glimpse<'_>,
        base: &Base,
        context: &Context,
    ) -> bool {
        let Some(unchanged) = self.unchanged(glimpse, base, context) else { return false };
        // What cannot be seen is as it was only if the hint would have shown its change.
        let same = |name: &str| if glimpse.shows(name) { unchanged.contains(name) } else { !glimpse.partial };
        self.is_still_included(glimpse, &same, context)
            && whole.is_none_or(|whole| match whole.reads_of_elements() {
                Some(names) => names.iter().all(|name| same(name)),
                None => !glimpse.partial && glimpse.fields.keys().all(|name| same(name)),
            })
    }

    /// The fields that the rows show to be as they were; `None` when a row may offer something new, or none can be read.
    fn unchanged(&self, glimpse: Glimpse<'_>, base: &Base, context: &Context) -> Option<BTreeSet<&str>> {
        let record = record(glimpse.fields, context);
        let rows = self.mapping.compiled().iter().filter(|row| row.spec.direction.flows_from(SIDE));
        let (readable, hidden): (Vec<&Row>, Vec<&Row>) =
            rows.partition(|row| row.reads(SIDE).iter().all(|name| glimpse.shows(name)));
        let mut unchanged = BTreeSet::new();
        for row in &readable {
            let Agreed { highlevel: before, .. } = base.get(&row.key)?;
            if Shown::of(row, SIDE, &record, context).offered.ok().as_ref() != Some(before) {
                return None;
            }
            if row.carries_all(SIDE) {
                unchanged.insert(row.spec.field(SIDE));
            }
        }
        let same = |name: &String| {
            if glimpse.shows(name) { unchanged.contains(name.as_str()) } else { !glimpse.partial }
        };
        let known = !readable.is_empty() && hidden.iter().all(|row| row.reads(SIDE).iter().all(same));
        known.then_some(unchanged)
    }

    /// A linked child was included: it still is, if the condition holds or nothing that it reads has changed.
    fn is_still_included(
        &self,
        glimpse: Glimpse<'_>,
        same: &impl Fn(&str) -> bool,
        context: &Context,
    ) -> bool {
        let Some(include) = self.include.filter(|_| self.direction.flows_from(SIDE)) else { return true };
        let reads = include.0.fields();
        reads.iter().all(|name| same(name))
            || (reads.iter().all(|name| glimpse.shows(name))
                && include.holds(glimpse.fields, context) == Ok(true))
    }
}

impl Mapping {
    /// The fields of a list's elements that rows of the whole list look at; `None` when it may be any.
    fn reads_of_elements(&self) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for row in self.compiled().iter().filter(|row| row.spec.direction.flows_from(SIDE)) {
            names.extend(row.expression(SIDE)?.counted_by(&row.spec.highlevel)?);
        }
        Some(names)
    }
}

//! The base of the next merge.

use crate::mapping::{Row, is_within};
use crate::offers::{Shown, record};
use crate::{Agreed, Base, Context, Fields, Mapping, Merge, Side, Value};

/// Makes the next base after the writes of `merge` were done.
///
/// `highlevel_after` and `partner_after` are the records as the systems answered the writes, which is what counts: they
/// trim, lower-case, re-format and silently drop. A side that was not written to may be given as it was read.
///
/// The answer counts only where the merge wrote. A field that somebody else changed between the merge's read and the
/// answer keeps its old base, so the next merge sees that change and carries it over.
///
/// A row that [is open](Merge::open), or whose written value comes back unreadable, keeps its entry of `previous`, or
/// goes on without one. So a conflict that waits for a person stays the same conflict, under the same
/// [`id`](crate::ConflictRecord::id), until one side gives way or a person decides ([`Decision`](crate::Decision)).
pub fn settle(
    mapping: &Mapping,
    previous: Option<&Base>,
    merge: &Merge,
    highlevel_after: &Fields,
    partner_after: &Fields,
    context: &Context,
) -> Base {
    let (highlevel, partner) = (record(highlevel_after, context), record(partner_after, context));
    let offered = |row: &Row, side: Side, seen: &Value| -> Option<Value> {
        let written = row.reads(side).iter().any(|field| wrote(merge.writes(side), field));
        let after = match side {
            Side::Highlevel => &highlevel,
            Side::Partner => &partner,
        };
        let known = !row.is_unknown(side, &after.fields);
        if written && known { Shown::of(row, side, after, context).offered.ok() } else { Some(seen.clone()) }
    };

    let mut base = Base::default();
    for row in mapping.compiled() {
        let agreed = merge.seen.get(&row.key).filter(|_| !merge.open.contains(&row.key)).and_then(|seen| {
            let highlevel = offered(row, Side::Highlevel, &seen.highlevel)?;
            let partner = offered(row, Side::Partner, &seen.partner)?;
            Some(Agreed { highlevel, partner })
        });
        if let Some(agreed) = agreed.or_else(|| previous.and_then(|base| base.get(&row.key)).cloned()) {
            base.insert(row.key.clone(), agreed);
        }
    }
    base
}

/// Whether a field that a row reads was written.
fn wrote(writes: &Fields, field: &str) -> bool {
    writes.keys().any(|written| is_within(written, field) || is_within(field, written))
}

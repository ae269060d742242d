//! Filters for lists of objects, such as a contact's tasks, and for look-up tables. Each looks at an element once.

use minijinja::value::{Rest, Value as Data, ValueKind};
use minijinja::{Error, ErrorKind};

use super::budget::{Cost, Metered};
use super::filters::text_of;

pub(super) fn install(environment: &mut Metered<'_>) {
    environment.add_filter("where", Cost::EACH, where_field);
    environment.add_filter("pluck", Cost::EACH, pluck);
    environment.add_filter("compact", Cost::LINEAR, compact);
    environment.add_filter("take", Cost::LINEAR, take);
    environment.add_filter("sort_by", Cost::SORTED, sort_by);
    environment.add_filter("lookup", Cost::LINEAR, lookup);
}

/// A list's elements; no value is an empty list, a single value a list of one.
fn items(value: &Data) -> Result<Vec<Data>, Error> {
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.collect(),
        _ => vec![value.clone()],
    })
}

/// A member by its name, or by names with dots between.
pub(super) fn member(value: &Data, path: &str) -> Data {
    let mut found = value.clone();
    for name in path.split('.') {
        found = found.get_attr(name).unwrap_or(Data::UNDEFINED);
        if found.is_undefined() {
            break;
        }
    }
    found
}

fn is_nothing(value: &Data) -> bool {
    value.is_undefined() || value.is_none() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// The elements whose member has this value; without a value, those where it counts as true. A missing member is as good as
/// false.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn where_field(value: &Data, field: String, wanted: Rest<Data>) -> Result<Vec<Data>, Error> {
    let fits = |element: &Data| {
        let found = member(element, &field);
        match wanted.first() {
            None => found.is_true(),
            Some(wanted) if wanted.kind() == ValueKind::Bool && is_nothing(&found) => !wanted.is_true(),
            Some(wanted) => found == *wanted,
        }
    };
    Ok(items(value)?.into_iter().filter(fits).collect())
}

/// One member of every element that has it.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn pluck(value: &Data, field: String) -> Result<Vec<Data>, Error> {
    let members = items(value)?.into_iter().map(|element| member(&element, &field));
    Ok(members.filter(|found| !found.is_undefined() && !found.is_none()).collect())
}

/// The elements that hold something.
fn compact(value: &Data) -> Result<Vec<Data>, Error> {
    Ok(items(value)?.into_iter().filter(|element| !is_nothing(element)).collect())
}

/// The first elements, at most so many.
fn take(value: &Data, count: usize) -> Result<Vec<Data>, Error> {
    Ok(items(value)?.into_iter().take(count).collect())
}

/// The elements by one of their members, the smallest first; those without it come last.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn sort_by(value: &Data, field: String) -> Result<Vec<Data>, Error> {
    let mut items = items(value)?;
    items.sort_by_cached_key(|element| {
        let found = member(element, &field);
        (is_nothing(&found), found)
    });
    Ok(items)
}

/// What a table says of a value, or of each element of a list. What it does not say is the default, or nothing.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn lookup(value: &Data, table: &Data, default: Rest<Data>) -> Result<Data, Error> {
    if table.kind() != ValueKind::Map {
        let text = "`lookup` needs a table, for example `lookup({'gold': 1, 'silver': 2}, 0)`";
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    let default = default.first().cloned().unwrap_or(Data::UNDEFINED);
    let of = |value: &Data| {
        let found = table.get_attr(&text_of(value)).unwrap_or(Data::UNDEFINED);
        if found.is_undefined() { default.clone() } else { found }
    };
    Ok(match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let found = value.try_iter()?.map(|element| of(&element));
            found.filter(|found| !found.is_undefined()).collect()
        }
        _ => of(value),
    })
}

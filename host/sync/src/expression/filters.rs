//! What expressions can call. The list is closed: a filter that a new minijinja brings is not there until its cost has
//! been looked at.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, Expression, State, Value as Data, context, filters, tests};

use super::ENVIRONMENT;
use super::budget::{Cost, Metered, scope};

/// The functions; they are names that no field can take.
const FUNCTIONS: [&str; 1] = ["field"];

pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// Whether `value|name` works.
pub(super) fn is_filter(name: &str) -> bool {
    static KNOWN: LazyLock<Expression<'static, 'static>> = LazyLock::new(|| compiled("name is filter"));
    KNOWN.eval(context!(name)).is_ok_and(|known| known.is_true())
}

/// Whether `value is name` works.
pub(super) fn is_test(name: &str) -> bool {
    static KNOWN: LazyLock<Expression<'static, 'static>> = LazyLock::new(|| compiled("name is test"));
    KNOWN.eval(context!(name)).is_ok_and(|known| known.is_true())
}

fn compiled(source: &'static str) -> Expression<'static, 'static> {
    ENVIRONMENT.compile_expression(source).expect("a constant expression, compiled in every test")
}

pub(super) fn install(environment: &mut Metered<'_>) {
    environment.0.add_function("field", field);

    // Ours.
    super::dates::install(environment);
    super::lists::install(environment);
    super::names::install(environment);
    super::numbers::install(environment);
    environment.add_filter("with", Cost::LINEAR, with);
    environment.add_filter("without", Cost::LINEAR, without);

    // minijinja's that would do more than their input warrants; see each.
    environment.add_filter("join", Cost::LINEAR, join);
    environment.add_filter("replace", Cost::LINEAR, replace);
    environment.add_filter("sum", Cost::EACH, sum);
    environment.add_filter("trim", Cost::LINEAR, trim);

    // minijinja's as they are.
    environment.add_filter("abs", Cost::LINEAR, filters::abs);
    environment.add_filter("attr", Cost::LINEAR, filters::attr);
    environment.add_filter("bool", Cost::LINEAR, filters::bool);
    environment.add_filter("capitalize", Cost::CHARACTERS, filters::capitalize);
    environment.add_filter("count", Cost::LINEAR, filters::length);
    environment.add_filter("d", Cost::LINEAR, filters::default);
    environment.add_filter("default", Cost::LINEAR, filters::default);
    environment.add_filter("first", Cost::LINEAR, filters::first);
    environment.add_filter("float", Cost::LINEAR, filters::float);
    environment.add_filter("int", Cost::LINEAR, filters::int);
    environment.add_filter("last", Cost::LINEAR, filters::last);
    environment.add_filter("length", Cost::LINEAR, filters::length);
    environment.add_filter("lines", Cost::CHARACTERS, filters::lines);
    environment.add_filter("list", Cost::CHARACTERS, filters::list);
    environment.add_filter("lower", Cost::CHARACTERS, filters::lower);
    environment.add_filter("map", Cost::EACH, filters::map);
    environment.add_filter("max", Cost::RESPELT, filters::max);
    environment.add_filter("min", Cost::RESPELT, filters::min);
    environment.add_filter("reject", Cost::EACH, filters::reject);
    environment.add_filter("rejectattr", Cost::EACH, filters::rejectattr);
    environment.add_filter("reverse", Cost::CHARACTERS, filters::reverse);
    environment.add_filter("round", Cost::DIGITS, filters::round);
    environment.add_filter("select", Cost::EACH, filters::select);
    environment.add_filter("selectattr", Cost::EACH, filters::selectattr);
    environment.add_filter("sort", Cost::RESPELT, filters::sort);
    environment.add_filter("split", Cost::CHARACTERS, filters::split);
    environment.add_filter("string", Cost::CHARACTERS, filters::string);
    environment.add_filter("title", Cost::WRITTEN, filters::title);
    environment.add_filter("unique", Cost::SORTED, filters::unique);
    environment.add_filter("upper", Cost::CHARACTERS, filters::upper);

    // Tests only look.
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("divisibleby", tests::is_divisibleby);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("even", tests::is_even);
    environment.add_test("false", tests::is_false);
    environment.add_test("ge", tests::is_ge);
    environment.add_test("gt", tests::is_gt);
    environment.add_test("in", tests::is_in);
    environment.add_test("iterable", tests::is_iterable);
    environment.add_test("le", tests::is_le);
    environment.add_test("lower", tests::is_lower);
    environment.add_test("lt", tests::is_lt);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("ne", tests::is_ne);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("true", tests::is_true);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("upper", tests::is_upper);
    // Not metered: they look at names alone, and compiling an expression asks them.
    environment.0.add_test("filter", tests::is_filter);
    environment.0.add_test("test", tests::is_test);
}

/// A field whose name is no identifier: `field('utm source')`, `field('customFields.plan')`.
fn field(state: &State<'_, '_>, name: &str) -> Result<Data, Error> {
    Ok(scope(state)?.get(name).unwrap_or(Data::UNDEFINED))
}

/// The set with more elements: `tags|with('customer')`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn with(set: &Data, more: Rest<Data>) -> Result<Vec<String>, Error> {
    let mut elements = elements(set)?;
    let mut known: BTreeSet<String> = elements.iter().cloned().collect();
    for addition in more.iter() {
        for element in self::elements(addition)? {
            if known.insert(element.clone()) {
                elements.push(element);
            }
        }
    }
    Ok(elements)
}

/// The set without some elements: `tags|without('internal', 'test')`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn without(set: &Data, fewer: Rest<Data>) -> Result<Vec<String>, Error> {
    let mut removed = BTreeSet::new();
    for removal in fewer.iter() {
        removed.extend(elements(removal)?);
    }
    Ok(elements(set)?.into_iter().filter(|element| !removed.contains(element)).collect())
}

/// A list's elements as texts; a single value is a list of one, no value an empty one.
fn elements(data: &Data) -> Result<Vec<String>, Error> {
    Ok(match data.kind() {
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        ValueKind::Seq | ValueKind::Iterable => data.try_iter()?.map(|element| text_of(&element)).collect(),
        _ => vec![text_of(data)],
    })
}

pub(super) fn text_of(data: &Data) -> String {
    if data.is_undefined() || data.is_none() { String::new() } else { data.to_string() }
}

/// The elements as one text. The text between them is paid for before it is written.
fn join(state: &State<'_, '_>, value: &Data, joiner: Option<&str>) -> Result<Data, Error> {
    let joiner = joiner.unwrap_or_default();
    let parts: Vec<String> = match value.kind() {
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        _ => value.try_iter()?.map(|element| text_of(&element)).collect(),
    };
    scope(state)?.budget.grow(parts.len().saturating_mul(joiner.len()))?;
    Ok(Data::from(parts.join(joiner)))
}

/// minijinja's, except that what it inserts is paid for before it is written.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn replace(state: &State<'_, '_>, text: &Data, from: String, to: String) -> Result<String, Error> {
    let text = text_of(text);
    let places = text.matches(from.as_str()).count();
    scope(state)?.budget.grow(places.saturating_mul(to.len()))?;
    Ok(text.replace(from.as_str(), &to))
}

/// minijinja's, except that the characters to remove are a set rather than a list that is searched for each one.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn trim(text: String, characters: Option<String>) -> String {
    match characters {
        None => text.trim().to_owned(),
        Some(characters) => {
            let characters: BTreeSet<char> = characters.chars().collect();
            text.trim_matches(|c| characters.contains(&c)).to_owned()
        }
    }
}

/// minijinja's, except that it starts from a number: it would put texts together by copying them for every element.
fn sum(
    state: &State<'_, '_>,
    values: Data,
    attribute: Option<&str>,
    start: Option<Data>,
    named: Kwargs,
) -> Result<Data, Error> {
    let start = match start {
        None => named.get::<Option<Data>>("start")?,
        given => given,
    };
    if start.as_ref().is_some_and(|start| start.kind() != ValueKind::Number) {
        return Err(Error::new(ErrorKind::InvalidOperation, "`sum` starts from a number"));
    }
    filters::sum(state, values, attribute, start, named)
}

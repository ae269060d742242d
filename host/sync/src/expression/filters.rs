//! What expressions can call. The list is closed: a filter that a new minijinja brings is not there until its cost has
//! been looked at.

use std::sync::{Arc, LazyLock};

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Expression, State, Value as Data, context, filters, tests};

use super::{ENVIRONMENT, SCOPE, Scope};

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

pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_function("field", field);

    // Ours.
    super::dates::install(environment);
    super::lists::install(environment);
    super::names::install(environment);
    super::numbers::install(environment);
    environment.add_filter("with", with);
    environment.add_filter("without", without);

    // minijinja's that can make a text longer than their input; they pay for it.
    environment.add_filter("join", join);
    environment.add_filter("map", map);
    environment.add_filter("replace", replace);

    // minijinja's whose result is no larger than their input.
    environment.add_filter("abs", filters::abs);
    environment.add_filter("attr", filters::attr);
    environment.add_filter("bool", filters::bool);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("count", filters::length);
    environment.add_filter("d", filters::default);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lines", filters::lines);
    environment.add_filter("list", filters::list);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("max", filters::max);
    environment.add_filter("min", filters::min);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("round", filters::round);
    environment.add_filter("select", filters::select);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("split", filters::split);
    environment.add_filter("string", filters::string);
    environment.add_filter("sum", filters::sum);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("upper", filters::upper);

    // Tests only look.
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("divisibleby", tests::is_divisibleby);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("even", tests::is_even);
    environment.add_test("false", tests::is_false);
    environment.add_test("filter", tests::is_filter);
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
    environment.add_test("test", tests::is_test);
    environment.add_test("true", tests::is_true);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("upper", tests::is_upper);
}

pub(super) fn scope(state: &State<'_, '_>) -> Result<Arc<Scope>, Error> {
    let found = state.lookup(SCOPE).and_then(|value| value.downcast_object::<Scope>());
    found.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "there is no record to read"))
}

/// A field whose name is no identifier: `field('utm source')`, `field('customFields.plan')`.
fn field(state: &State<'_, '_>, name: &str) -> Result<Data, Error> {
    Ok(scope(state)?.record.get(name).unwrap_or(Data::UNDEFINED))
}

/// The set with more elements: `tags|with('customer')`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn with(set: &Data, more: Rest<Data>) -> Result<Vec<String>, Error> {
    let mut elements = elements(set)?;
    for addition in more.iter() {
        for element in self::elements(addition)? {
            if !elements.contains(&element) {
                elements.push(element);
            }
        }
    }
    Ok(elements)
}

/// The set without some elements: `tags|without('internal', 'test')`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn without(set: &Data, fewer: Rest<Data>) -> Result<Vec<String>, Error> {
    let mut elements = elements(set)?;
    for removal in fewer.iter() {
        let removal = self::elements(removal)?;
        elements.retain(|element| !removal.contains(element));
    }
    Ok(elements)
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

/// Bytes that a value contributes when it is turned into text, roughly.
fn bytes(data: &Data) -> usize {
    data.as_str().map_or(16, str::len)
}

fn all_bytes(data: &Data) -> Result<(usize, usize), Error> {
    let mut sum = (0, 0);
    if !data.is_undefined() && !data.is_none() {
        for element in data.try_iter()? {
            sum = (sum.0 + 1, sum.1 + bytes(&element));
        }
    }
    Ok(sum)
}

fn join(state: &mut State<'_, '_>, value: &Data, joiner: Option<&str>) -> Result<Data, Error> {
    let joiner = joiner.unwrap_or_default();
    let (count, size) = all_bytes(value)?;
    scope(state)?.grow(size.saturating_add(count.saturating_mul(joiner.len())))?;
    let parts: Vec<String> = match value.kind() {
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        _ => value.try_iter()?.map(|element| text_of(&element)).collect(),
    };
    Ok(Data::from(parts.join(joiner)))
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn replace(state: &mut State<'_, '_>, text: &Data, from: String, to: String) -> Result<String, Error> {
    let text = text_of(text);
    let places = text.matches(from.as_str()).count();
    scope(state)?.grow(text.len().saturating_add(places.saturating_mul(to.len())))?;
    Ok(text.replace(from.as_str(), &to))
}

fn map(state: &mut State<'_, '_>, value: Data, args: Rest<ValueOrKwargs>) -> Result<Vec<Data>, Error> {
    let given: Vec<Data> = args.0.iter().map(|argument| argument.clone().into()).collect();
    let per_element = given.iter().map(bytes).sum::<usize>();
    let (count, size) = all_bytes(&value)?;
    scope(state)?.grow(size.saturating_add(count.saturating_mul(per_element)))?;
    filters::map(state, value, args)
}

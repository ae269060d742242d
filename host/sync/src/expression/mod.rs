//! Mapping expressions: minijinja expressions over one side's record.
//!
//! An expression is written by a connector author or an admin and runs for every record, so it has to be harmless: it
//! reads the record and nothing else, and it ends. minijinja's fuel counts instructions but not what a filter does with
//! one, so only filters whose cost is bounded by their input are there ([`filters`]), the ones that can grow a text
//! pay for it from a budget, and `*`, which repeats texts and lists, is refused when the expression is compiled.

mod dates;
mod filters;
mod lists;
mod names;
mod numbers;
mod scan;

use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object, Serde, ValueKind};
use minijinja::{Environment, Error, UndefinedBehavior, Value as Data};

use crate::{Context, Fields, Value};

/// Instructions per evaluation. An expression of the greatest length compiles to fewer; this is the second fence.
const FUEL: u64 = 20_000;
/// Longest expression, in bytes.
const LONGEST: usize = 2_000;
/// Most bytes of one field that an expression may read.
const LARGEST_INPUT: usize = 128 * 1024;
/// Most bytes that the filters of one evaluation may produce by growing texts.
const GROWTH: usize = 1024 * 1024;
/// Most bytes of a result.
const LARGEST_RESULT: usize = 256 * 1024;
/// Most elements of a list in a result.
const MOST_ELEMENTS: usize = 10_000;

/// The row's own field.
const OWN: &str = "value";
/// The scope itself, for functions and filters. No identifier can spell it.
const SCOPE: &str = "\0scope";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    // A contact without a last name is no fault of the expression that joins the names.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    filters::install(&mut environment);
    environment
});

/// What is wrong with an expression's text.
#[derive(Debug)]
pub(crate) struct CompileError(pub(crate) String);

/// A compiled expression.
pub(crate) struct Expression {
    source: String,
    compiled: minijinja::Expression<'static, 'static>,
    fields: BTreeSet<String>,
    reads_own_field: bool,
}

impl Expression {
    pub(crate) fn compile(source: &str) -> Result<Self, CompileError> {
        if source.len() > LONGEST {
            return Err(CompileError(format!("it is longer than {LONGEST} bytes")));
        }
        let named = scan::named_fields(source).map_err(CompileError)?;
        let compiled = contained(|| {
            ENVIRONMENT.compile_expression_owned(source.to_owned()).map_err(|error| reason(&error))
        })
        .map_err(CompileError)?;

        let mut fields = compiled.undeclared_variables(true);
        let reads_own_field = fields.iter().any(|name| name == OWN || name.starts_with("value."));
        fields.retain(|name| name != OWN && !name.starts_with("value.") && !filters::is_function(name));
        let fields = fields.into_iter().chain(named).collect();
        Ok(Self { source: source.to_owned(), compiled, fields, reads_own_field })
    }

    /// The text that it was compiled from.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The fields that it mentions, apart from `value`.
    pub(crate) fn fields(&self) -> &BTreeSet<String> {
        &self.fields
    }

    /// The members that decide which elements of `list` it counts, if it does nothing else; `None` for any other expression.
    pub(crate) fn counted_by(&self, list: &str) -> Option<BTreeSet<String>> {
        scan::counted_by(&self.source, list)
    }

    /// Whether it uses `value`.
    pub(crate) fn reads_own_field(&self) -> bool {
        self.reads_own_field
    }

    /// The expression's value for a record whose own field in this row is `own`.
    pub(crate) fn evaluate(&self, record: &Arc<Record>, own: &Value) -> Result<Value, String> {
        let scope = Scope { record: Arc::clone(record), own: own.clone(), growth: AtomicUsize::new(GROWTH) };
        // A result may be lazy: reading it is part of the evaluation.
        contained(|| {
            let result = self.compiled.eval(Data::from_object(scope)).map_err(|error| reason(&error))?;
            from_data(&result)
        })
    }
}

/// Evaluates one expression over named values, for conditions and texts that are no mapping rows. Nothing else can be reached,
/// and it always ends; see the limits of this module.
///
/// # Errors
/// What is wrong with the expression, or why it failed on these values.
pub fn evaluate(expression: &str, fields: Fields, context: &Context) -> Result<Value, String> {
    let compiled = Expression::compile(expression).map_err(|CompileError(reason)| reason)?;
    let record = Arc::new(Record::new(fields, context.clone()));
    compiled.evaluate(&record, &Value::Null)
}

/// Whether an expression can be compiled.
///
/// # Errors
/// What is wrong with it.
pub fn check_expression(expression: &str) -> Result<(), String> {
    Expression::compile(expression).map(drop).map_err(|CompileError(reason)| reason)
}

/// Runs minijinja on text or data from outside. A panic in there, such as that of 3.0.5 on `()[::-1]`, has to stay one
/// field that could not be computed. Nothing that outlives the call can be left half changed: the environment is
/// never written to after its construction.
fn contained<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err("the expression engine failed on it; write it in another way".to_owned()))
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.source)
    }
}

fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// One side's record as expressions see it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) fields: Fields,
    context: Context,
}

impl Record {
    pub(crate) fn new(fields: Fields, context: Context) -> Self {
        Self { fields, context }
    }

    /// A field by its full name, or the group of the fields whose names begin with `name` and a dot.
    fn get(self: &Arc<Self>, name: &str) -> Option<Data> {
        if let Some(value) = self.fields.get(name) {
            return Some(to_data(name, value));
        }
        let prefix = format!("{name}.");
        let mut from_prefix = self.fields.range(prefix.clone()..);
        from_prefix
            .next()
            .filter(|(name, _)| name.starts_with(&prefix))
            .map(|_| Data::from_object(Group { record: Arc::clone(self), prefix }))
    }
}

/// The names of one evaluation.
#[derive(Debug)]
struct Scope {
    record: Arc<Record>,
    own: Value,
    growth: AtomicUsize,
}

impl Scope {
    /// The country in which national phone numbers are read.
    fn country(&self) -> Option<&str> {
        self.record.context.country.as_deref()
    }

    /// Takes `bytes` from what filters may still produce.
    fn grow(&self, bytes: usize) -> Result<(), Error> {
        // One evaluation runs on one thread; the atomic only satisfies `Sync`.
        let left = self.growth.load(Ordering::Relaxed).checked_sub(bytes);
        left.map(|left| self.growth.store(left, Ordering::Relaxed)).ok_or_else(|| {
            let text = format!("the result would grow beyond {GROWTH} bytes");
            Error::new(minijinja::ErrorKind::InvalidOperation, text)
        })
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Data) -> Option<Data> {
        match key.as_str()? {
            OWN => Some(to_data(OWN, &self.own)),
            SCOPE => Some(Data::from_dyn_object(Arc::clone(self))),
            // A field of that name is still in reach, as `field('field')`.
            name if filters::is_function(name) => None,
            name => self.record.get(name),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// Fields whose names share a prefix: `customFields` of `customFields.plan`.
#[derive(Debug)]
struct Group {
    record: Arc<Record>,
    prefix: String,
}

impl Object for Group {
    fn get_value(self: &Arc<Self>, key: &Data) -> Option<Data> {
        self.record.get(&format!("{}{}", self.prefix, key.as_str()?))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// No value is undefined rather than none, so that it prints as nothing and `default` replaces it.
fn to_data(name: &str, value: &Value) -> Data {
    if size(value) > LARGEST_INPUT {
        let text =
            format!("`{name}` holds more than {LARGEST_INPUT} bytes, which is too much for an expression");
        return Data::from(Error::new(minijinja::ErrorKind::InvalidOperation, text));
    }
    match value {
        Value::Null => Data::UNDEFINED,
        Value::Text(text) => Data::from(text.as_str()),
        Value::Integer(number) => Data::from(*number),
        Value::Number(number) => Data::from(*number),
        Value::Boolean(boolean) => Data::from(*boolean),
        Value::Set(set) => set.iter().map(|element| Data::from(element.as_str())).collect(),
        Value::Json(json) => Data::from(Serde(json)),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Set(set) => set.iter().map(String::len).sum(),
        Value::Json(json) => json_size(json),
        _ => 0,
    }
}

fn json_size(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(|item| 1 + json_size(item)).sum(),
        serde_json::Value::Object(object) => {
            object.iter().map(|(key, value)| key.len() + json_size(value)).sum()
        }
        _ => 8,
    }
}

fn from_data(data: &Data) -> Result<Value, String> {
    let value = match data.kind() {
        ValueKind::Undefined | ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Boolean(data.is_true()),
        ValueKind::String => Value::from(data.as_str().unwrap_or_default()),
        ValueKind::Number => match (data.is_integer(), data.as_i64()) {
            (true, Some(whole)) => Value::Integer(whole),
            _ => f64::try_from(data.clone()).map(Value::Number).map_err(|error| reason(&error))?,
        },
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Data> =
                data.try_iter().map_err(|error| reason(&error))?.take(MOST_ELEMENTS + 1).collect();
            if items.len() > MOST_ELEMENTS {
                return Err(format!("the result has more than {MOST_ELEMENTS} elements"));
            }
            Value::from_json(json(&Data::from(items))?)
        }
        ValueKind::Map => Value::Json(json(data)?),
        _ => return Err("the result is not a text, number, truth value, list or map".into()),
    };
    if size(&value) > LARGEST_RESULT {
        return Err(format!("the result is larger than {LARGEST_RESULT} bytes"));
    }
    Ok(value)
}

fn json(data: &Data) -> Result<serde_json::Value, String> {
    serde_json::to_value(data).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;

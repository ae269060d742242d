//! Mapping expressions: minijinja expressions over one side's record.
//!
//! An expression is written by a connector author or an admin and runs for every record, so it has to be harmless: it
//! reads the record and nothing else, it ends within some tens of milliseconds, and a small stack is enough for it:
//!
//! - Its text is short, and nests and chains little ([`shape`]): minijinja compiles it by recursion. `*`, which repeats texts
//!   and lists, is refused, and `~` and slices are counted.
//! - minijinja's fuel counts instructions but not what a filter does with one. So what is read, what filters add and what
//!   they do is taken from a [`budget`], and the list of filters is closed ([`filters`]).

mod budget;
mod convert;
mod dates;
mod filters;
mod lists;
mod names;
mod numbers;
mod scan;
mod shape;

use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, Error, UndefinedBehavior, Value as Data};

use self::budget::{Budget, Metered};
use self::convert::{from_data, to_data};
use crate::{Context, Fields, Value};

/// Instructions per evaluation. An expression of the greatest length compiles to fewer; this is the second fence.
const FUEL: u64 = 20_000;
/// Longest expression, in bytes.
const LONGEST: usize = 2_000;
/// Longest reason for a failure, in characters: some of minijinja's repeat the value.
const LONGEST_REASON: usize = 300;

/// The row's own field.
const OWN: &str = "value";
/// The scope itself, for functions and filters. No identifier can spell it.
const SCOPE: &str = "\0scope";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    // A contact without a last name is no fault of the expression that joins the names.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    filters::install(&mut Metered(&mut environment));
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
        self.evaluate_within(&Arc::default(), record, own)
    }

    fn evaluate_within(
        &self,
        budget: &Arc<Budget>,
        record: &Arc<Record>,
        own: &Value,
    ) -> Result<Value, String> {
        let scope = Scope { record: Arc::clone(record), own: own.clone(), budget: Arc::clone(budget) };
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
    let text = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    text.chars().take(LONGEST_REASON).collect()
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
}

/// The names of one evaluation, and what it may still do.
#[derive(Debug)]
struct Scope {
    record: Arc<Record>,
    own: Value,
    budget: Arc<Budget>,
}

impl Scope {
    /// The country in which national phone numbers are read.
    fn country(&self) -> Option<&str> {
        self.record.context.country.as_deref()
    }

    /// A field by its full name, or the group of the fields whose names begin with `name` and a dot.
    fn get(self: &Arc<Self>, name: &str) -> Option<Data> {
        if let Some(value) = self.record.fields.get(name) {
            return Some(to_data(name, value, &self.budget));
        }
        let prefix = format!("{name}.");
        let mut from_prefix = self.record.fields.range(prefix.clone()..);
        from_prefix
            .next()
            .filter(|(name, _)| name.starts_with(&prefix))
            .map(|_| Data::from_object(Group { scope: Arc::clone(self), prefix }))
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Data) -> Option<Data> {
        match key.as_str()? {
            OWN => Some(to_data(OWN, &self.own, &self.budget)),
            SCOPE => Some(Data::from_dyn_object(Arc::clone(self))),
            // A field of that name is still in reach, as `field('field')`.
            name if filters::is_function(name) => None,
            name => self.get(name),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// Fields whose names share a prefix: `customFields` of `customFields.plan`.
#[derive(Debug)]
struct Group {
    scope: Arc<Scope>,
    prefix: String,
}

impl Object for Group {
    fn get_value(self: &Arc<Self>, key: &Data) -> Option<Data> {
        self.scope.get(&format!("{}{}", self.prefix, key.as_str()?))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

#[cfg(test)]
mod tests;

//! What one evaluation may read, produce and do.
//!
//! An expression has no variables: a value is used once, by the operator or filter around it. So what lives at any
//! moment is what was read, what filters added to it and what stands in the text, and an operator's work is bounded by
//! the first two budgets. Filters and tests pay for their own work from the third, which is counted in units of about
//! a nanosecond, never in time: the same expression always fails on the same values.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::functions::Function;
use minijinja::value::{DynObject, FunctionArgs, FunctionResult, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value as Data};

use super::lists::member;
use super::{SCOPE, Scope};

/// Most that the fields' values may weigh, all mentions of them together.
const READS: usize = 1024 * 1024;
/// Most that filters may add to what they are given.
const GROWTH: usize = 1024 * 1024;
/// Most units of work of filters and tests.
pub(super) const WORK: usize = 16 * 1024 * 1024;
/// Most lists and tables within each other in a value. Printing and comparing them recurses.
pub(super) const DEEPEST: usize = 64;
/// Weight of a value apart from its text; a list or table weighs this and its elements.
const NODE: usize = 16;
/// Weight of a character that is escaped where lists are printed. A text may be printed within a list three times over, see
/// [`super::shape`], and a backslash is eight of them then.
const ESCAPED: usize = 8;
/// Weight of a number that prints as hundreds of digits.
const LONG_NUMBER: usize = 350;

/// What is left for one evaluation.
#[derive(Debug)]
pub(super) struct Budget {
    // One evaluation runs on one thread; the atomics only satisfy `Sync`.
    reads: AtomicUsize,
    growth: AtomicUsize,
    work: AtomicUsize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { reads: READS.into(), growth: GROWTH.into(), work: WORK.into() }
    }
}

impl Budget {
    /// Takes a field's weight from what may still be read.
    pub(super) fn read(&self, data: &Data) -> Result<(), Error> {
        let weight = self.weigh(data, usize::MAX)?;
        take(&self.reads, weight).ok_or_else(|| {
            fault(format!("it reads more than {READS} bytes, counting each mention of a field"))
        })
    }

    /// Takes from what filters may still add.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), Error> {
        take(&self.growth, bytes).ok_or_else(too_large)
    }

    /// Takes from the work that filters and tests may still do.
    pub(super) fn work(&self, units: usize) -> Result<(), Error> {
        take(&self.work, units).ok_or_else(|| {
            fault("it is too much work on values of this size; use fewer filters on them, or shorter lists")
        })
    }

    /// Units of work so far.
    #[cfg(test)]
    pub(super) fn worked(&self) -> usize {
        WORK - self.work.load(Ordering::Relaxed)
    }

    /// The weight of a value with all that it holds. The walk is work as well, and ends with the budget or beyond `most`.
    fn weigh(&self, data: &Data, most: usize) -> Result<usize, Error> {
        let mut weight = 0;
        self.walk(data, most, DEEPEST, &mut weight)?;
        Ok(weight)
    }

    fn walk(&self, data: &Data, most: usize, deeper: usize, weight: &mut usize) -> Result<(), Error> {
        let own = match data.kind() {
            ValueKind::String => NODE + data.as_str().map_or(0, text_weight),
            ValueKind::Number if !data.is_integer() => float_weight(data),
            _ => NODE,
        };
        self.work(own)?;
        *weight += own;
        if *weight > most {
            return Err(too_large());
        }
        let deeper = || {
            deeper
                .checked_sub(1)
                .ok_or_else(|| fault(format!("a value nests lists and tables more than {DEEPEST} deep")))
        };
        match data.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                for element in data.try_iter()? {
                    self.walk(&element, most, deeper()?, weight)?;
                }
            }
            ValueKind::Map => {
                for (key, value) in data.as_object().and_then(DynObject::try_iter_pairs).into_iter().flatten()
                {
                    self.walk(&key, most, deeper()?, weight)?;
                    self.walk(&value, most, deeper()?, weight)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn take(from: &AtomicUsize, amount: usize) -> Option<()> {
    let left = from.load(Ordering::Relaxed).checked_sub(amount);
    // What is refused leaves nothing: an expression cannot go on with smaller steps.
    from.store(left.unwrap_or(0), Ordering::Relaxed);
    left.map(drop)
}

fn too_large() -> Error {
    fault(format!("the result would grow beyond {GROWTH} bytes"))
}

fn fault(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.into())
}

fn text_weight(text: &str) -> usize {
    // 0xc2 begins the control characters of Latin-1.
    let escaped =
        text.bytes().filter(|byte| *byte < b' ' || matches!(byte, b'\'' | b'"' | b'\\' | 0x7f | 0xc2));
    text.len() + (ESCAPED - 1) * escaped.count()
}

fn float_weight(data: &Data) -> usize {
    let plain =
        f64::try_from(data.clone()).is_ok_and(|number| number == 0.0 || (1e-9..1e18).contains(&number.abs()));
    if plain { NODE } else { LONG_NUMBER }
}

/// What a call of a filter or test costs, beside looking at what it is given and what it gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Units of each call.
    call: usize,
    /// Times that it goes over what it is given.
    passes: usize,
    /// Whether each element of its list is held against its other arguments.
    each: bool,
    /// Whether elements are compared in a spelling that is made anew for every comparison.
    respelt: bool,
}

impl Cost {
    /// Goes over its arguments once.
    pub(super) const LINEAR: Self = Self { call: 64, passes: 1, each: false, respelt: false };
    /// Looks at every character.
    pub(super) const CHARACTERS: Self = Self { passes: 8, ..Self::LINEAR };
    /// Writes every character by itself.
    pub(super) const WRITTEN: Self = Self { passes: 32, ..Self::LINEAR };
    /// Does something with its other arguments for each element.
    pub(super) const EACH: Self = Self { each: true, ..Self::LINEAR };
    /// Sorts, with keys made once.
    pub(super) const SORTED: Self = Self { passes: 4, each: true, ..Self::LINEAR };
    /// Sorts or picks by comparisons in lower case.
    pub(super) const RESPELT: Self = Self { respelt: true, ..Self::SORTED };
    /// Reads or writes a day or an instant.
    pub(super) const DATE: Self = Self { call: 2 * 1024, ..Self::LINEAR };
    /// Reads a phone number by its country's plan.
    pub(super) const PHONE: Self = Self { call: 16 * 1024, ..Self::LINEAR };
    /// Writes a number to any precision.
    pub(super) const DIGITS: Self = Self { call: 2 * 1024, ..Self::LINEAR };

    fn of(self, budget: &Budget, args: &[Data], weight: usize) -> Result<usize, Error> {
        let mut units = self.call.saturating_add(weight.saturating_mul(self.passes - 1));
        let Some((list, others)) = args.split_first() else { return Ok(units) };
        let count = if self.each || self.respelt { list.len().unwrap_or(1) } else { 0 };
        if self.each {
            let others: usize = others
                .iter()
                .try_fold(0, |sum, other| budget.weigh(other, usize::MAX).map(|weight| sum + weight))?;
            units = units.saturating_add(count.saturating_mul(others));
        }
        if self.respelt && list.kind() != ValueKind::String {
            let path = others.last().and_then(|named| named.get_attr("attribute").ok());
            let path = path.as_ref().and_then(Data::as_str);
            let mut longest = 0;
            for element in list.try_iter().into_iter().flatten() {
                let key = path.map_or_else(|| element.clone(), |path| member(&element, path));
                longest = longest.max(budget.weigh(&key, usize::MAX)?);
            }
            units = units.saturating_add(count.saturating_mul(longest));
        }
        Ok(units)
    }
}

/// An environment whose filters and tests pay from the budget of the evaluation that calls them.
pub(super) struct Metered<'e>(pub(super) &'e mut Environment<'static>);

impl Metered<'_> {
    pub(super) fn add_filter<F, Rv, Args>(&mut self, name: &'static str, cost: Cost, filter: F)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        self.0.add_filter(name, metered(cost, Data::from_function(filter)));
    }

    pub(super) fn add_test<F, Rv, Args>(&mut self, name: &'static str, test: F)
    where
        F: Function<Rv, Args>,
        Rv: FunctionResult,
        Args: for<'a> FunctionArgs<'a>,
    {
        self.0.add_test(name, metered(Cost::LINEAR, Data::from_function(test)));
    }
}

fn metered(
    cost: Cost,
    inner: Data,
) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Data, Error> + Send + Sync + 'static {
    move |state, args| {
        let args: Vec<Data> = args.0.into_iter().map(Into::into).collect();
        let scope = scope(state)?;
        let budget = &scope.budget;
        let given =
            args.iter().try_fold(0, |sum, arg| budget.weigh(arg, usize::MAX).map(|weight| sum + weight))?;
        budget.work(cost.of(budget, &args, given)?)?;
        let made = inner.call(state, &args)?;
        let most = given.saturating_add(budget.growth.load(Ordering::Relaxed));
        let weight = budget.weigh(&made, most)?;
        budget.grow(weight.saturating_sub(given))?;
        Ok(made)
    }
}

/// The evaluation that a filter or function is called from.
pub(super) fn scope(state: &State<'_, '_>) -> Result<Arc<Scope>, Error> {
    let found = state.lookup(SCOPE).and_then(|value| value.downcast_object::<Scope>());
    found.ok_or_else(|| fault("there is no record to read"))
}

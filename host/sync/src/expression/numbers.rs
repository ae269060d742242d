//! Filters for phones, numbers and truth values.

use minijinja::value::{Value as Data, ValueKind};
use minijinja::{Error, ErrorKind, State};

use super::budget::{Cost, Metered, scope};
use super::filters::text_of;
use crate::canonical::e164 as canonical_e164;

/// Digits after the point that `fixed` writes at most.
const DIGITS: usize = 12;

pub(super) fn install(environment: &mut Metered<'_>) {
    environment.add_filter("digits", Cost::LINEAR, digits);
    environment.add_filter("e164", Cost::PHONE, e164);
    environment.add_filter("national_phone", Cost::PHONE, national_phone);
    environment.add_filter("calling_code", Cost::PHONE, calling_code);
    environment.add_filter("number", Cost::LINEAR, number);
    environment.add_filter("times", Cost::LINEAR, times);
    environment.add_filter("fixed", Cost::DIGITS, fixed);
    environment.add_filter("clamp", Cost::LINEAR, clamp);
    environment.add_filter("yes_no", Cost::CHARACTERS, yes_no);
    environment.add_filter("choose", Cost::LINEAR, choose);
}

fn fault(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.into())
}

// ------------------------------------------------------------------------------------------------------------------ phones

/// The digits 0 to 9 of a text.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn digits(text: String) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The phone number in E.164, read in the record's country or the given one.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn e164(state: &State<'_, '_>, text: &Data, country: Option<String>) -> Result<Data, Error> {
    Ok(canonical(state, text, country.as_deref())?.map_or(Data::UNDEFINED, Data::from))
}

fn canonical(state: &State<'_, '_>, text: &Data, country: Option<&str>) -> Result<Option<String>, Error> {
    let scope = scope(state)?;
    let country = country.or_else(|| scope.country());
    match text_of(text).trim() {
        "" => Ok(None),
        text => canonical_e164(text, country).map(Some).map_err(|error| fault(error.to_string())),
    }
}

/// The phone number as people of its country write it, without the country's code.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn national_phone(state: &State<'_, '_>, text: &Data, country: Option<String>) -> Result<Data, Error> {
    let Some(number) = canonical(state, text, country.as_deref())? else { return Ok(Data::UNDEFINED) };
    let number = phonenumber::parse(None, &number).map_err(|error| fault(error.to_string()))?;
    Ok(Data::from(number.format().mode(phonenumber::Mode::National).to_string()))
}

/// `+44` of a phone number in the United Kingdom.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn calling_code(state: &State<'_, '_>, text: &Data, country: Option<String>) -> Result<Data, Error> {
    let Some(number) = canonical(state, text, country.as_deref())? else { return Ok(Data::UNDEFINED) };
    let number = phonenumber::parse(None, &number).map_err(|error| fault(error.to_string()))?;
    Ok(Data::from(format!("+{}", number.country().code())))
}

// ----------------------------------------------------------------------------------------------------------------- numbers

/// The number in a text such as `$1,234.50`, or with the decimal mark `,` in `1.234,50 €`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn number(value: &Data, mark: Option<String>) -> Result<Data, Error> {
    if value.kind() == ValueKind::Number {
        return Ok(value.clone());
    }
    let text = text_of(value);
    if text.trim().is_empty() {
        return Ok(Data::UNDEFINED);
    }
    let mark = match mark.as_deref() {
        None | Some(".") => '.',
        Some(",") => ',',
        Some(_) => return Err(fault("the decimal mark is '.' or ','")),
    };
    let kept: String = text
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == mark || *c == '-')
        .map(|c| if c == mark { '.' } else { c })
        .collect();
    let shown: String = text.chars().take(40).collect();
    let no = || fault(format!("`{shown}` is no number with the decimal mark `{mark}`"));
    match kept.parse::<i64>() {
        Ok(whole) => Ok(Data::from(whole)),
        Err(_) => kept.parse::<f64>().ok().filter(|number| number.is_finite()).map(Data::from).ok_or_else(no),
    }
}

/// Multiplication of numbers, in place of `*`.
fn times(number: &Data, factor: &Data) -> Result<Data, Error> {
    let numbers = number.kind() == ValueKind::Number && factor.kind() == ValueKind::Number;
    if !numbers {
        return Err(fault(
            "`times` multiplies two numbers; `value|number|times(2)` reads a text as a number",
        ));
    }
    if number.is_integer() && factor.is_integer() {
        let product = number.as_i64().zip(factor.as_i64()).and_then(|(a, b)| a.checked_mul(b));
        return product.map(Data::from).ok_or_else(|| fault("the product is beyond 64 bits"));
    }
    Ok(Data::from(f64::try_from(number.clone())? * f64::try_from(factor.clone())?))
}

/// A number as a text with so many digits after the point.
fn fixed(value: &Data, digits: usize) -> Result<Data, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(Data::UNDEFINED);
    }
    if digits > DIGITS {
        return Err(fault(format!("at most {DIGITS} digits after the point")));
    }
    let number = f64::try_from(value.clone())
        .map_err(|_| fault("`fixed` writes a number; `value|number|fixed(2)` reads one"))?;
    Ok(Data::from(format!("{number:.digits$}")))
}

/// A number no smaller and no larger than these.
fn clamp(value: &Data, least: f64, most: f64) -> Result<Data, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(Data::UNDEFINED);
    }
    let number = f64::try_from(value.clone()).map_err(|_| fault("`clamp` takes a number"))?;
    if least > most {
        return Err(fault("the smallest number is larger than the largest"));
    }
    let bounded = number.max(least).min(most);
    let same = bounded.to_bits() == number.to_bits();
    Ok(if same { value.clone() } else { whole_if_it_is(bounded) })
}

fn whole_if_it_is(number: f64) -> Data {
    // Beyond 2^53 a float no longer tells neighbouring whole numbers apart.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        return Data::from(number as i64);
    }
    Data::from(number)
}

// ------------------------------------------------------------------------------------------------------------ truth values

/// The truth value in a text such as `yes`, `no`, `on`, `off`, `1`, `0`.
fn yes_no(value: &Data) -> Result<Data, Error> {
    if value.kind() == ValueKind::Bool {
        return Ok(value.clone());
    }
    let text = text_of(value);
    match text.trim().to_lowercase().as_str() {
        "" => Ok(Data::UNDEFINED),
        "yes" | "y" | "true" | "on" | "1" | "ja" | "si" | "sí" | "oui" => Ok(Data::from(true)),
        "no" | "n" | "false" | "off" | "0" | "nein" | "non" => Ok(Data::from(false)),
        _ => {
            let shown: String = text.chars().take(40).collect();
            Err(fault(format!("`{shown}` is neither yes nor no")))
        }
    }
}

/// The first value where this counts as true, and the second where it does not.
fn choose(value: &Data, yes: Data, no: Option<Data>) -> Data {
    if value.is_true() { yes } else { no.unwrap_or(Data::UNDEFINED) }
}

//! Phone numbers as E.164.

use std::collections::BTreeSet;

use phonenumber::country;
use phonenumber::metadata::{DATABASE, Descriptor, Metadata};

use super::{CanonicalError, shown, text_only};
use crate::{Context, Value};

/// Longest text that is looked at; E.164 has 15 digits, the rest is decoration and an extension.
const LONGEST: usize = 64;

pub(super) fn canonical(value: &Value, context: &Context) -> Result<Value, CanonicalError> {
    // Some systems send phones as whole numbers; then a leading + or 0 is lost and only the country can tell.
    let text = match value {
        Value::Integer(digits) => Some(digits.to_string()),
        _ => text_only(value, "a phone number")?,
    };
    text.map_or(Ok(Value::Null), |text| e164(&text, context.country.as_deref()).map(Value::Text))
}

/// E.164 of a phone number as people write it. An extension is dropped: E.164 has no place for one.
///
/// A number that begins with + is read as it stands. Any other number is national and read in `country`; without one
/// it is refused, because HighLevel prefixes the location's country to whatever it gets, and the result is the phone
/// of a stranger.
pub(crate) fn e164(text: &str, country: Option<&str>) -> Result<String, CanonicalError> {
    let found = || shown(&Value::from(text));
    let fault = |reason: &str| CanonicalError::Phone { found: found(), reason: reason.to_owned() };
    let digits = Digits::read(text).map_err(fault)?;

    if digits.international {
        return international(&digits.digits).map_err(fault);
    }
    let Some(country) = country else {
        return Err(CanonicalError::PhoneWithoutCountry { found: found() });
    };
    let unknown = || CanonicalError::UnknownCountry(country.to_owned());
    let code = country.trim().to_uppercase();
    let id: country::Id = code.parse().map_err(|_| unknown())?;
    let plan = DATABASE.by_id(code.as_str()).ok_or_else(unknown)?;
    let parsed = phonenumber::parse(Some(id), &digits.digits).map_err(|error| fault(&error.to_string()))?;
    // A number dialled with the international prefix leaves the country.
    let plans = match parsed.country().code() {
        same if same == plan.country_code() => vec![plan],
        other => DATABASE.by_code(&other).unwrap_or_default(),
    };
    let national = parsed.national().to_string();
    if belongs(&plans, &national) {
        Ok(format!("+{}{national}", parsed.country().code()))
    } else {
        Err(fault(&format!("no number of {code} looks like that")))
    }
}

/// Fewest digits of a spelling without the country's code and without anything between them: a shorter one may be any number.
const TELLING: usize = 9;

/// How people and systems write a number that is given as E.164: with and without the country's code, with blanks, dashes, dots,
/// brackets or nothing between its groups. For looking for it in texts.
pub fn phone_spellings(number: &str) -> BTreeSet<String> {
    let mut spellings = BTreeSet::from([number.to_owned()]);
    let Ok(parsed) = phonenumber::parse(None, number) else { return spellings };
    let code = parsed.country().code().to_string();
    let written = |mode| parsed.format().mode(mode).to_string();
    let groups = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (national, international) =
        (written(phonenumber::Mode::National), written(phonenumber::Mode::International));
    let mut abroad = groups(&international);
    abroad.retain(|group| *group != code);
    for groups in [groups(&national), abroad] {
        for between in [" ", "-", ".", ""] {
            let plain = groups.join(between);
            for lead in ["", " ", "-", "."] {
                spellings.insert(format!("{code}{lead}{plain}"));
            }
            if let [first, rest @ ..] = groups.as_slice() {
                let rest = rest.join(between);
                spellings.extend([format!("({first}) {rest}"), format!("({first}){rest}")]);
            }
            if !between.is_empty() || plain.len() >= TELLING {
                spellings.insert(plain);
            }
        }
    }
    spellings.extend([national, international]);
    spellings
}

/// `digits` follow a +. They are kept as they are when the country's plan knows them; only otherwise is a national
/// prefix such as the 0 in +44 020 … taken out, so that a canonical number stays what it is.
fn international(digits: &str) -> Result<String, &'static str> {
    let (code, plans) = (1..=3)
        .filter_map(|length| digits.get(..length))
        .filter_map(|code| code.parse::<u16>().ok())
        .find_map(|code| DATABASE.by_code(&code).map(|plans| (code.to_string(), plans)))
        .filter(|_| !digits.starts_with('0'))
        .ok_or("it does not begin with a country's code")?;
    if belongs(&plans, &digits[code.len()..]) {
        return Ok(format!("+{digits}"));
    }
    let parsed = phonenumber::parse(None, format!("+{digits}")).ok();
    let national =
        parsed.map(|number| number.national().to_string()).filter(|national| belongs(&plans, national));
    match national {
        Some(national) => Ok(format!("+{code}{national}")),
        None => Err("no number of its country looks like that, or it has too few or too many digits"),
    }
}

/// Whether one of a country's plans knows numbers of this shape and length. Whether the number is assigned is not asked:
/// plans change faster than this library, and numbers for films and tests (555) are never assigned.
fn belongs(plans: &[&Metadata], national: &str) -> bool {
    plans
        .iter()
        .any(|plan| has_length(plan, national.len()) && plan.descriptors().general().is_match(national))
}

/// The metadata gives lengths for each kind of number and none for the plan as a whole.
fn has_length(plan: &Metadata, length: usize) -> bool {
    let kinds = plan.descriptors();
    let kinds = [
        kinds.fixed_line(),
        kinds.mobile(),
        kinds.toll_free(),
        kinds.premium_rate(),
        kinds.shared_cost(),
        kinds.personal_number(),
        kinds.voip(),
        kinds.pager(),
        kinds.uan(),
        kinds.voicemail(),
    ];
    let mut lengths = kinds.into_iter().flatten().flat_map(Descriptor::possible_length);
    lengths.any(|possible| usize::from(*possible) == length)
}

/// A phone number's digits without its decoration.
struct Digits {
    international: bool,
    digits: String,
}

impl Digits {
    fn read(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("it is far too long");
        }
        let text = text.trim();
        let text = text.strip_prefix("tel:").unwrap_or(text);
        let number = without_extension(text).replace("(0)", "");
        let (international, number) = match number.trim_start().strip_prefix(['+', '＋']) {
            Some(rest) => (true, rest),
            None => (false, number.as_str()),
        };
        let mut digits = String::new();
        for c in number.chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{202f}' | '\u{2010}'..='\u{2015}'
                // Invisible, and often copied along from address books.
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' => {}
                _ => return Err("it holds something other than digits and the usual separators"),
            }
        }
        match digits.len() {
            0..=2 => Err("it has too few digits"),
            3..=20 => Ok(Self { international, digits }),
            _ => Err("it has too many digits"),
        }
    }
}

/// The text without `ext. 12`, `x12`, `#12` or `;ext=12` at its end.
fn without_extension(text: &str) -> &str {
    let Some(start) = text.find(|c: char| c.is_ascii_alphabetic() || c == '#' || c == ';') else {
        return text;
    };
    let (number, rest) = text.split_at(start);
    let lower = rest.to_ascii_lowercase();
    let markers = [";ext=", "extension", "extn.", "extn", "ext.", "ext", "x", "#"];
    let extension =
        markers.into_iter().find_map(|marker| lower.strip_prefix(marker)).unwrap_or_default().trim();
    let valid = (1..=8).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_digit());
    if valid { number } else { text }
}

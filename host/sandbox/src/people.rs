//! Sample people: the same ones for the same seed, with the awkward cases of real data among them.
//!
//! Names and addresses are made up: emails use the reserved `example` domains, phones the numbers set aside for
//! fiction (555-01xx in North America, 7700 900xxx in Britain).

use crate::random::Random;

const FIRST: &[&str] = &[
    "Ann", "Ben", "Chloé", "Dmitri", "Eve", "Farah", "Gus", "Hana", "Ines", "Jürgen", "Kofi", "Lena",
    "María", "Nils", "Olu", "Priya", "Quinn", "Rosa", "Søren", "Tariq", "Uma", "Víctor", "Wen", "Xenia",
    "Yusuf", "Zoë",
];
const LAST: &[&str] = &[
    "Adams",
    "Brûlé",
    "Castro",
    "de la Cruz",
    "Eriksson",
    "Fischer",
    "García",
    "Hughes",
    "Ito",
    "Jones",
    "Kowalski",
    "Lee",
    "Müller",
    "Nguyen",
    "O'Neil",
    "Patel",
    "Quirk",
    "Ruiz",
    "Smith-Jones",
    "Tanaka",
    "Usman",
    "van Dyk",
    "Wójcik",
    "Xu",
    "Yılmaz",
    "Zhang",
];
const CITIES: &[&str] = &["Springfield", "Leeds", "Köln", "Málaga", "Saint-Étienne", "Kraków"];
const COMPANIES: &[&str] = &["Acme & Sons", "Böhm GmbH", "O'Neil \"Quick\" Repairs", "Initech", "Café Sol"];
const TAGS: &[&str] = &["vip", "newsletter", "waitlist", "beta tester", "trade show 2026", "do not call"];

/// One made-up person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Position in the sequence, from 0.
    pub number: usize,
    /// First name, possibly with surplus blanks.
    pub first_name: String,
    /// Last name; `None` for people with one name.
    pub last_name: Option<String>,
    /// Email; one in thirteen has none, one in ninety-seven is malformed, some have capitals.
    pub email: Option<String>,
    /// Phone; never absent together with the email. National, E.164, or with odd punctuation.
    pub phone: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Tags, some with capitals and blanks to be normalised.
    pub tags: Vec<String>,
}

/// The endless sequence of people of a seed.
pub fn people(seed: u64) -> impl Iterator<Item = Person> {
    let mut random = Random::new(seed, "people");
    (0..).map(move |number| person(number, &mut random))
}

fn person(number: usize, random: &mut Random) -> Person {
    let (first, last) = (*random.pick(FIRST), *random.pick(LAST));
    let ascii = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    let address = format!("{}.{}.{number}@example.com", ascii(first), ascii(last));
    let email = match number {
        n if n % 97 == 96 => Some(format!("{} at example.com", ascii(first))),
        n if n % 13 == 12 => None,
        n if n % 11 == 10 => Some(address.to_uppercase()),
        n if n % 7 == 6 => Some(address.replacen('@', "+list@", 1)),
        _ => Some(address),
    };
    let unreachable = email.as_deref().is_none_or(|email| !email.contains('@'));
    let phone = match number {
        n if !unreachable && n % 5 == 4 => None,
        // Area codes 200 to 999 times the hundred fictional numbers: unique for 80,000 people.
        n if n % 3 == 0 => Some(format!("({}) 555-01{:02}", 200 + n / 100 % 800, n % 100)),
        n if n % 3 == 1 => Some(format!("+1{}55501{:02}", 200 + n / 100 % 800, n % 100)),
        n => Some(format!("+44 7700 900{:03} x{}", n % 1000, n / 1000)),
    };
    let tags = (0..random.below(3)).map(|_| (*random.pick(TAGS)).to_owned());
    let tags =
        tags.map(|tag| if number % 4 == 1 { format!(" {}", tag.to_uppercase()) } else { tag }).collect();
    Person {
        number,
        first_name: if number % 17 == 16 { format!(" {first} ") } else { first.to_owned() },
        last_name: (number % 19 != 18).then(|| last.to_owned()),
        email,
        phone,
        company: random.chance(0.3).then(|| (*random.pick(COMPANIES)).to_owned()),
        city: random.chance(0.5).then(|| (*random.pick(CITIES)).to_owned()),
        tags,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people() {
        assert!(people(5).take(200).eq(people(5).take(200)));
        assert!(!people(5).take(200).eq(people(6).take(200)));
    }

    #[test]
    fn everybody_can_be_reached_and_no_address_repeats() {
        let all: Vec<Person> = people(1).take(5_000).collect();
        assert!(all.iter().all(|person| person.email.is_some() || person.phone.is_some()));
        let emails: Vec<_> =
            all.iter().filter_map(|p| p.email.as_deref()).filter(|email| email.contains('@')).collect();
        assert_eq!(emails.iter().collect::<HashSet<_>>().len(), emails.len());
        assert!(all.iter().any(|person| person.email.is_none()));
    }
}

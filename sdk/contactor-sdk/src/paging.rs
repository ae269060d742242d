//! Paging as partners do it.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Error, Result};

/// The number of the page behind this one, when the partner tells the total: `None` at the end. Pages count from 1. A page without
/// records is the last one, whatever the total says.
pub fn next_by_total(page: u64, per_page: u64, records: usize, total: u64) -> Option<u64> {
    (records > 0 && page.checked_mul(per_page.max(1))? < total).then(|| page + 1)
}

/// A query parameter of the address that a partner calls the next page, decoded. Only this value goes into a request: the host decides
/// where requests go, whatever an address in an answer says.
///
/// ```
/// # use contactor_sdk::paging;
/// let next = "https://api.partner.example/v3/people/?page_size=100&page=2&after=a%2Fb+c";
/// assert_eq!(paging::parameter(next, "page").as_deref(), Some("2"));
/// assert_eq!(paging::parameter(next, "after").as_deref(), Some("a/b c"));
/// assert_eq!(paging::parameter(next, "cursor"), None);
/// ```
pub fn parameter(address: &str, name: &str) -> Option<String> {
    let query = address.split_once('?')?.1.split('#').next()?;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(own, _)| decode(own) == name).map(|(_, value)| decode(value))
}

/// A form-encoded text, decoded: `+` is a blank, `%XX` a byte. What is no escape stays as it is.
pub fn decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut decoded) = (text.as_bytes(), Vec::with_capacity(text.len()));
    while let Some((first, rest)) = bytes.split_first() {
        let escape = digit(rest.first()).zip(digit(rest.get(1))).filter(|_| *first == b'%');
        let byte = match escape {
            Some((high, low)) => u8::try_from(16 * high + low).unwrap_or_default(),
            None if *first == b'+' => b' ',
            None => *first,
        };
        decoded.push(byte);
        bytes = &rest[if escape.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Reads page after page until there is no next cursor.
///
/// For lists that are short by their nature, such as the fields of a form. A stream of records goes page by page through
/// [`poll`](crate::Connector::poll).
///
/// # Errors
/// What `page` answers, and [`Error::Other`] when the list has more pages than `most`: a part of it passes for the whole nowhere.
pub fn all<T>(
    most: usize,
    mut page: impl FnMut(Option<&str>) -> Result<(Vec<T>, Option<String>)>,
) -> Result<Vec<T>> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..most {
        let (items, next) = page(cursor.as_deref())?;
        all.extend(items);
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
    Err(too_many(most))
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T = Json> {
    /// Its records.
    pub items: Vec<T>,
    /// The number of the next page; none behind the last.
    pub next: Option<u64>,
    /// Records in all, if the partner tells.
    pub total: Option<u64>,
}

/// The pages of a list one after the other, from the first, for a search that may end early. Each is read when it is asked for.
///
/// After `most` pages that are followed by yet another one comes [`Error::Other`], and after any error nothing more: a part of the list
/// passes for the whole nowhere.
///
/// ```
/// # use contactor_sdk::{Error, paging::{Page, pages}};
/// let read = |number| Ok(Page { items: vec![number * 10], next: Some(number + 1), total: None });
/// for page in pages(9, read) {
///     if page?.items.contains(&30) {
///         break;
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
pub fn pages<T>(
    most: u64,
    mut read: impl FnMut(u64) -> Result<Page<T>>,
) -> impl Iterator<Item = Result<Page<T>>> {
    let (mut next, mut count) = (Some(1), 0);
    std::iter::from_fn(move || {
        let number = next.take()?;
        if count == most {
            return Some(Err(too_many(most)));
        }
        count += 1;
        Some(read(number).inspect(|page| next = page.next))
    })
}

fn too_many(most: impl Display) -> Error {
    Error::other(format!("the partner's list has more than {most} pages, which is too much for one call"))
}

/// A place that a connector keeps in a cursor, as [`cursor`] wrote it; the beginning without one.
///
/// # Errors
/// [`Error::Other`] when the cursor is not one of this connector.
pub fn place<T: DeserializeOwned + Default>(cursor: Option<&str>) -> Result<T> {
    let Some(text) = cursor else { return Ok(T::default()) };
    serde_json::from_str(text)
        .map_err(|error| Error::other(format!("the stream cannot go on from the cursor `{text}`: {error}")))
}

/// The cursor of a place, which [`place`] reads.
///
/// # Errors
/// [`Error::Other`] when it cannot be serialised.
pub fn cursor(place: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(place)?)
}

/// Where a walk over several lists stands, for example over the submissions of each form: which list, and which page of it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The list, by its position.
    pub list: usize,
    /// The page.
    pub page: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self { list: 0, page: 1 }
    }
}

impl Walk {
    /// Goes on to the next page or, without one, to the next list. At the end of the last one it is at the start again and says no.
    pub fn forward(&mut self, next: Option<u64>, lists: usize) -> bool {
        match next {
            Some(page) => self.page = page,
            None => *self = Self { list: self.list + 1, page: 1 },
        }
        if self.list < lists {
            return true;
        }
        *self = Self::default();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_until_the_last_and_no_further_than_allowed() {
        let numbers = |most, last| {
            let read = |number| {
                Ok(Page { items: vec![number], next: (number < last).then_some(number + 1), total: None })
            };
            pages(most, read).map(|page| page.map(|page| page.items[0])).collect::<Vec<_>>()
        };
        assert_eq!(numbers(3, 3), [Ok(1), Ok(2), Ok(3)]);
        let cut = numbers(2, 3);
        assert_eq!((cut.len(), &cut[..2]), (3, &[Ok(1), Ok(2)][..]));
        assert!(cut[2].as_ref().is_err_and(|error| error.message().contains("more than 2 pages")));
        let failed: Vec<_> = pages(9, |_| Err::<Page, _>(Error::Limited(None))).collect();
        assert_eq!(failed, [Err(Error::Limited(None))]);
    }

    #[test]
    fn a_place_survives_the_way_through_a_cursor() {
        let there = Walk { list: 2, page: 3 };
        assert_eq!(place(Some(&cursor(&there).unwrap())), Ok(there));
        assert_eq!(place(None), Ok(Walk::default()));
        let error = place::<Walk>(Some("page 3")).unwrap_err().message();
        assert!(error.contains("cannot go on from the cursor `page 3`"), "{error}");
    }

    #[test]
    fn a_walk_goes_through_the_pages_of_each_list_and_ends_at_the_start() {
        let mut walk = Walk::default();
        assert!(walk.forward(Some(2), 2) && walk == Walk { list: 0, page: 2 });
        assert!(walk.forward(None, 2) && walk == Walk { list: 1, page: 1 });
        assert!(!walk.forward(None, 2) && walk == Walk::default());
    }

    #[test]
    fn the_last_page_by_total_has_no_next() {
        assert_eq!(next_by_total(1, 30, 30, 61), Some(2));
        assert_eq!(next_by_total(2, 30, 30, 60), None);
        assert_eq!(next_by_total(2, 30, 0, 100), None, "records were removed meanwhile");
        assert_eq!(next_by_total(u64::MAX, 30, 1, 100), None);
    }

    #[test]
    fn what_is_no_escape_stays_as_it_is() {
        assert_eq!(decode("100%+%zz%C3%A9%"), "100% %zzé%");
        assert_eq!(parameter("/people", "page"), None);
        assert_eq!(parameter("?page&x=1#page=3", "page").as_deref(), Some(""));
    }

    #[test]
    fn all_pages_are_read_and_a_list_without_end_is_an_error() {
        let pages = |cursor: Option<&str>| {
            let page = cursor.map_or(1, |cursor| cursor.parse().unwrap());
            Ok((vec![page], (page < 3).then(|| (page + 1).to_string())))
        };
        assert_eq!(all(3, pages), Ok(vec![1, 2, 3]));
        assert!(all(2, pages).unwrap_err().message().contains("more than 2 pages"));
    }
}

//! Tables that partners export: a CSV file, or a ZIP archive of one.
//!
//! ```
//! use contactor_sdk::table;
//!
//! let rows = table::rows(b"email,name\r\nada@example.com,\"Ada, Countess\"\r\n", ',')?;
//! assert_eq!(rows[0]["name"], "Ada, Countess");
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde_json::{Map, Value as Json};

use crate::{Error, Result};

/// The most that a file may be unpacked; a component's memory has to hold it.
const LARGEST: usize = 16 * 1024 * 1024;

/// A CSV file with a heading, zipped or not.
#[derive(Debug)]
pub struct Table {
    text: String,
    delimiter: char,
    heading: Vec<String>,
    /// Where the first line behind the heading begins.
    start: usize,
}

/// A line by the names of its columns. Every cell is a text.
pub type Row = Map<String, Json>;

impl Table {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Other`] when the archive cannot be read, is larger than 16 MiB unpacked, or the text is not in UTF-8.
    pub fn open(file: &[u8], delimiter: char) -> Result<Self> {
        let content = if file.starts_with(b"PK") {
            unzip(file).ok_or_else(|| {
                let most = LARGEST / (1024 * 1024);
                Error::other(format!(
                    "the partner's ZIP archive cannot be read, or is larger than {most} MiB unpacked"
                ))
            })?
        } else {
            file.to_vec()
        };
        let text =
            String::from_utf8(content).map_err(|_| Error::other("the partner's file is not in UTF-8"))?;
        let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let (heading, length) = line(&text[begin..], delimiter).unwrap_or_default();
        Ok(Self { heading, start: begin + length, text, delimiter })
    }

    /// The names of the columns.
    pub fn heading(&self) -> &[String] {
        &self.heading
    }

    /// The lines from a place on, each with the place behind it: a byte of the unpacked file, from which another look at the same file
    /// goes on. No place is the first line.
    pub fn rows(&self, from: Option<usize>) -> impl Iterator<Item = (Row, usize)> {
        let mut place = from.unwrap_or(self.start);
        std::iter::from_fn(move || {
            let (cells, length) = line(self.text.get(place..)?, self.delimiter)?;
            place += length;
            Some((self.heading.iter().cloned().zip(cells.into_iter().map(Json::from)).collect(), place))
        })
    }
}

/// The lines of a CSV file with a heading, zipped or not, by the names of its columns.
///
/// # Errors
/// As [`Table::open`].
pub fn rows(file: &[u8], delimiter: char) -> Result<Vec<Row>> {
    Ok(Table::open(file, delimiter)?.rows(None).map(|(row, _)| row).collect())
}

/// The first file of an archive. Only the directory at its end tells reliably where data lies and how long it is (APPNOTE 4.3).
fn unzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let long = |at: usize| usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok();
    let end = bytes.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let entry = long(end + 16)?;
    if bytes.get(entry..entry + 4)? != b"PK\x01\x02" {
        return None;
    }
    let (method, packed, local) = (short(entry + 10)?, long(entry + 20)?, long(entry + 42)?);
    let start = local + 30 + short(local + 26)? + short(local + 28)?;
    let data = bytes.get(start..start.checked_add(packed)?)?;
    match method {
        0 => Some(data.to_vec()),
        8 => miniz_oxide::inflate::decompress_to_vec_with_limit(data, LARGEST).ok(),
        _ => None,
    }
}

/// The cells of the first line (RFC 4180), and its length in bytes with its end.
fn line(text: &str, delimiter: char) -> Option<(Vec<String>, usize)> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' if quoted && characters.next_if(|(_, next)| *next == '"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            '\n' if !quoted => {
                cells.push(cell);
                return Some((cells, at + 1));
            }
            '\r' if !quoted => {}
            other if other == delimiter && !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if cell.is_empty() && cells.is_empty() {
        return None;
    }
    cells.push(cell);
    Some((cells, text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `zip -` writes it: sizes behind the data and in the directory only.
    fn zipped(content: &[u8]) -> Vec<u8> {
        let packed = miniz_oxide::deflate::compress_to_vec(content, 6);
        let size = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        let mut file = b"PK\x03\x04\x14\0\x08\0\x08\0".to_vec();
        file.extend([0; 16]);
        file.extend([1, 0, 0, 0, b'x']);
        file.extend(&packed);
        file.extend([b"PK\x07\x08".as_slice(), &[0; 4], &size(packed.len()), &size(content.len())].concat());
        let directory = file.len();
        file.extend(b"PK\x01\x02\x14\0\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0");
        file.extend([size(packed.len()), size(content.len())].concat());
        file.extend([1, 0]);
        file.extend([0; 16]);
        file.push(b'x');
        file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\0\0\0\0");
        file.extend(size(directory));
        file.extend([0; 2]);
        file
    }

    #[test]
    fn awkward_cells_are_read_with_and_without_an_archive() {
        let csv = "\u{feff}email;note\r\na@example.com;\"x; \"\"y\"\"\nz\"\nb@example.com;";
        for file in [csv.as_bytes().to_vec(), zipped(csv.as_bytes())] {
            let rows = rows(&file, ';').unwrap();
            assert_eq!(rows.len(), 2);
            assert_eq!(
                (&rows[0]["email"], &rows[0]["note"]),
                (&Json::from("a@example.com"), &Json::from("x; \"y\"\nz"))
            );
            assert_eq!(rows[1]["note"], "");
        }
    }

    #[test]
    fn another_look_goes_on_behind_a_line() {
        let table = Table::open(
            "\u{feff}email;note\na@example.com;\"é\nz\"\r\nb@example.com;\n\nc@example.com".as_bytes(),
            ';',
        )
        .unwrap();
        let places: Vec<usize> = table.rows(None).map(|(_, place)| place).collect();
        assert_eq!(places.len(), 4, "an empty line is one");
        for (seen, place) in places.iter().enumerate() {
            assert_eq!(table.rows(Some(*place)).count(), 3 - seen);
        }
        let (row, _) = table.rows(Some(places[0])).next().unwrap();
        assert_eq!(row["email"], "b@example.com");
        for nowhere in [usize::MAX, places[0] - 5] {
            assert!(table.rows(Some(nowhere)).count() <= 4, "it never traps");
        }
    }

    #[test]
    fn a_broken_or_a_huge_archive_is_an_error_and_no_trap() {
        let whole = zipped(b"email\na@example.com\n");
        for end in 2..whole.len() {
            let _ = rows(&whole[..end], ',');
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xFF;
            let _ = rows(&broken, ',');
        }
        assert!(rows(&whole[..whole.len() - 4], ',').is_err());
        assert!(rows(&zipped(&vec![b'x'; LARGEST + 1]), ',').is_err());
    }
}

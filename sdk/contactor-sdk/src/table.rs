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

/// The lines of a CSV file with a heading, zipped or not, by the names of its columns. Every cell is a text.
///
/// # Errors
/// [`Error::Other`] when the archive cannot be read, is larger than 16 MiB unpacked, or the text is not in UTF-8.
pub fn rows(file: &[u8], delimiter: char) -> Result<Vec<Map<String, Json>>> {
    let content = if file.starts_with(b"PK") {
        unzip(file)
            .ok_or_else(|| Error::other("the partner's ZIP archive cannot be read, or is too large"))?
    } else {
        file.to_vec()
    };
    let text = String::from_utf8(content).map_err(|_| Error::other("the partner's file is not in UTF-8"))?;
    let mut lines = lines(text.trim_start_matches('\u{feff}'), delimiter).into_iter();
    let heading = lines.next().unwrap_or_default();
    let row = |cells: Vec<String>| heading.iter().cloned().zip(cells.into_iter().map(Json::from)).collect();
    Ok(lines.map(row).collect())
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

/// The cells of every line (RFC 4180).
fn lines(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut characters) = (false, text.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            '\r' if !quoted => {}
            other if other == delimiter && !quoted => line.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !line.is_empty() {
        line.push(cell);
        lines.push(line);
    }
    lines
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

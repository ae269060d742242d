//! The files of exports and imports: CSV, and a ZIP archive of one.

use crc32fast::hash;

/// One line of a CSV file, quoted where needed.
pub(super) fn line(cells: &[String], delimiter: char) -> String {
    let quoted = |cell: &String| {
        if cell.contains([delimiter, '"', '\n', '\r']) {
            return format!("\"{}\"", cell.replace('"', "\"\""));
        }
        cell.clone()
    };
    let cells: Vec<String> = cells.iter().map(quoted).collect();
    format!("{}\r\n", cells.join(&delimiter.to_string()))
}

/// The lines of a CSV file.
pub(super) fn parse(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut characters) = (false, text.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            other if quoted => cell.push(other),
            '\r' => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other if other == delimiter => row.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// A ZIP archive of one compressed file (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>). As streaming
/// writers do, the sizes stand behind the data and in the directory only, so a reader has to use the directory.
pub(super) fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec(content, 6);
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let (crc, compressed, plain) = (hash(content).to_le_bytes(), size(&packed), size(content));
    let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
    // Version 2.0, bit 3 (sizes follow) and bit 11 (UTF-8 name), deflate, no time, the first possible date.
    let common = [20_u16, 0x0808, 8, 0, 0x21].map(u16::to_le_bytes).concat();
    let mut file = Vec::new();
    file.extend(b"PK\x03\x04");
    file.extend(&common);
    file.extend([0; 12]);
    file.extend(name_length);
    file.extend([0; 2]);
    file.extend(name.as_bytes());
    file.extend(&packed);
    file.extend(b"PK\x07\x08");
    file.extend([crc, compressed, plain].concat());
    let directory = file.len();
    file.extend(b"PK\x01\x02");
    file.extend(20_u16.to_le_bytes());
    file.extend(&common);
    file.extend([crc, compressed, plain].concat());
    file.extend(name_length);
    // No extra field, no comment, first disk, no attributes; the file begins at the start.
    file.extend([0; 16]);
    file.extend(name.as_bytes());
    let length = file.len() - directory;
    file.extend(b"PK\x05\x06");
    file.extend([0; 4]);
    file.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    file.extend([length, directory].map(|at| u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes()).concat());
    file.extend([0; 2]);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_cells_survive_a_csv_file() {
        let cells = ["a;b", "say \"hi\"", "two\nlines", "", "é"].map(str::to_owned).to_vec();
        let text = line(&cells, ';') + &line(&cells, ';');
        assert_eq!(parse(&text, ';'), [cells.clone(), cells]);
    }

    #[test]
    fn the_directory_of_an_archive_says_where_the_data_lies() {
        let content = b"email;name\r\n".repeat(50);
        let file = zip("contacts.csv", &content);
        let end = file.len() - 22;
        assert_eq!(&file[end..end + 4], b"PK\x05\x06");
        let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let directory = number(end + 16);
        assert_eq!(&file[directory..directory + 4], b"PK\x01\x02");
        let (packed, plain) = (number(directory + 20), number(directory + 24));
        let data = 30 + "contacts.csv".len();
        let unpacked = miniz_oxide::inflate::decompress_to_vec(&file[data..data + packed]).unwrap();
        assert_eq!((unpacked.len(), unpacked), (plain, content));
    }
}

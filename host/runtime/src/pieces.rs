//! Large files, written so that whoever waits for the same disk meanwhile does not wait for all of them.

use std::io::{self, Write as _};

use cap_std::fs::File;

/// What a disk writes in about the time that a small commit takes.
const PIECE: usize = 256 << 10;

/// Writes a file to the disk, one piece after the other.
///
/// A file that is written in one go keeps the disk for as long as it takes, and every commit of the store waits behind it: the journal
/// of the file system brings what it refers to to the disk first.
///
/// # Errors
/// What the file system says; a part may be written then.
pub fn write_in_pieces(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        file.write_all(piece)?;
        file.sync_data()?;
    }
    Ok(())
}

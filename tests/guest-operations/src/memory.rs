//! The guest's own memory, for whoever looks whether something is in it that the guest must not have.

use contactor_sdk::partner::{self, Method, Request};
use contactor_sdk::{Error, Result};
use serde_json::{Value as Json, json};

/// Bytes of one request.
const PIECE: usize = 256 * 1024;
const PAGE: usize = 64 * 1024;

/// Sends all of it to the partner, piece by piece, and looks for nothing itself: what it looked for would be in its memory.
pub(crate) fn send() -> Result<Json> {
    // What making the first piece takes is there before the end is looked at.
    let mut piece = Vec::with_capacity(PIECE);
    let end = core::arch::wasm32::memory_size(0) * PAGE;
    // Nothing lies at address 0, and nothing may be read there.
    for start in (0..end).step_by(PIECE) {
        piece.clear();
        piece.extend((start..end.min(start + PIECE)).map(|address| match address {
            0 => 0,
            address => read(address),
        }));
        let answer = partner::send(&Request {
            method: Method::Post,
            path: "/memory".to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Some(piece.clone()),
        })?;
        if answer.status != 200 {
            return Err(Error::Other(format!("the partner answered {}", answer.status)));
        }
    }
    Ok(json!({ "ok": { "bytes": end } }))
}

#[expect(unsafe_code, reason = "the guest reads what lies in its memory, whatever that is")]
fn read(address: usize) -> u8 {
    // SAFETY: the address is within the memory, and a byte has no alignment and any value.
    unsafe { (address as *const u8).read_volatile() }
}

//! The attacks. `input` is the text of a number where an attack needs one: how often, how many bytes, which pattern.

use std::hint::black_box;
use std::sync::atomic::AtomicU8;

use crate::guest::{Error, NamedValue, Value, clock, contacts, log};

const PAGE: usize = 65_536;
const MIB: usize = 1 << 20;

/// Lets the memory begin beyond 1 MiB, so that a limit of 1 MiB is met before any code runs.
static BALLAST: [AtomicU8; MIB] = [const { AtomicU8::new(0) }; MIB];

/// Runs one. A name that is not here is answered `unsupported`.
pub(crate) fn run(name: &str, input: String) -> Result<String, Error> {
    let number = || input.parse::<u64>().map_err(|_| Error::Other(format!("{name} needs a number")));
    let size = || number().map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    match name {
        // Well-behaved, for comparison.
        "echo" => {
            black_box(&BALLAST);
            Ok(input)
        }
        "refuse" => Err(Error::Conflict(input)),
        "map-json" => map_json(&input),
        "now" => Ok(clock::now().to_string()),

        // Time.
        "loop" => endless(|| {}),
        "loop-in-host-calls" => endless(|| {
            black_box(clock::now());
        }),
        "copy-storm" => copy_storm(),
        "compute-and-call" => {
            (0..number()?).for_each(|step| _ = black_box(step));
            contacts::get("any").map(|contact| contact.id)
        }
        "wait" => contacts::get("wait").map(|contact| contact.id),
        "wait-often" => (0..number()?).try_for_each(|_| contacts::get("pause").map(drop)).map(|()| input),

        // Memory.
        "grow" => grow(),
        "allocate" => Ok(vec![1_u8; black_box(size()?)].len().to_string()),
        "recurse" => Ok(recurse(1).to_string()),

        // Crashes.
        "panic" => panic!("made up"),
        "unreachable" => core::arch::wasm32::unreachable(),
        "divide" => Ok((1 / black_box(0_u64)).to_string()),
        "host-panic" => contacts::get("panic").map(|contact| contact.id),

        // The boundary.
        "host-calls" => (0..number()?).try_for_each(|_| contacts::get("any").map(drop)).map(|()| input),
        "log" => {
            log::write(log::Level::Info, &"x".repeat(size()?), &[]);
            Ok(input)
        }
        "log-often" => {
            let line = "x".repeat(64 << 10);
            (0..number()?).for_each(|_| log::write(log::Level::Info, &line, &[]));
            Ok(input)
        }
        "many-fields" => {
            let field = NamedValue { name: String::new(), value: Value::Empty };
            log::write(log::Level::Info, "", &vec![field; size()?]);
            Ok(input)
        }
        "fetch-often" => (0..number()?).try_for_each(|_| contacts::get("large").map(drop)).map(|()| input),
        "return" => Ok("x".repeat(size()?)),
        "return-bad-utf8" => Ok(bad_utf8()),
        "return-lie" => Ok(lie()),
        "pass-bad-utf8" => {
            log::write(log::Level::Info, &bad_utf8(), &[]);
            Ok(input)
        }

        // What another call left behind.
        "leave" => {
            leave(number()?);
            Ok(input)
        }
        "scan" => Ok(scan(number()?).to_string()),
        "leave-and-scan" => {
            leave(number()?);
            Ok(scan(number()?).to_string())
        }
        other => Err(Error::Unsupported(other.to_owned())),
    }
}

fn map_json(input: &str) -> Result<String, Error> {
    let invalid = |error: serde_json::Error| Error::Other(error.to_string());
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(input).map_err(invalid)?;
    let mapped: serde_json::Map<_, _> =
        fields.into_iter().map(|(name, value)| (format!("mapped_{name}"), value)).collect();
    serde_json::to_string(&mapped).map_err(invalid)
}

fn endless(mut step: impl FnMut()) -> ! {
    loop {
        step();
        black_box(());
    }
}

/// One instruction, a lot of work: epochs are looked at only between instructions.
fn copy_storm() -> ! {
    let mut block = vec![1_u8; 8 * MIB];
    endless(|| black_box(&mut block).copy_within(..7 * MIB, MIB))
}

/// One page after the other, until the host says no.
fn grow() -> ! {
    endless(|| assert!(core::arch::wasm32::memory_grow(0, 1) != usize::MAX, "the host said no"))
}

#[allow(unconditional_recursion, reason = "the attack")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1))) + depth
}

fn bad_utf8() -> String {
    // SAFETY: none is claimed; the host has to notice.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xFF, 0xFE]) }
}

/// A text that ends far outside the memory.
fn lie() -> String {
    let text = String::from("short").leak();
    let (length, capacity) = (0x7000_0000, black_box(0x7000_0000));
    // SAFETY: none is claimed; the host has to notice.
    unsafe { String::from_raw_parts(text.as_mut_ptr(), length, capacity) }
}

/// Fills 8 MiB with a pattern and leaves them so.
fn leave(seed: u64) {
    black_box(vec![pattern(seed); MIB]).leak();
}

/// How often the pattern is anywhere in the memory, up to the most that the limit allows.
fn scan(seed: u64) -> usize {
    let most = 15 * MIB / PAGE;
    let now = core::arch::wasm32::memory_size(0);
    if now < most {
        core::arch::wasm32::memory_grow(0, most - now);
    }
    let end = core::arch::wasm32::memory_size(0) * PAGE;
    // Only the complement is kept, lest the scan finds itself.
    let complement = black_box(!pattern(seed));
    (8..end)
        .step_by(8)
        // SAFETY: aligned and within the memory.
        .filter(|address| !unsafe { (*address as *const u64).read_volatile() } == complement)
        .count()
}

fn pattern(seed: u64) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
}

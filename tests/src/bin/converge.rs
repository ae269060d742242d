//! `cargo xtask converge`: five connections on one workspace, edited at random on all sides, with faults.

#![expect(clippy::print_stdout, reason = "the report is what it is for")]

use std::time::Instant;

use anyhow::{Context as _, Result};
use contactor_tests::convergence::{check, play};

/// See `tests/tests/convergence.rs`.
const WRITES_PER_EDIT: u64 = 8;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>().context(argument));
    let mut next = |otherwise: u64| numbers.next().unwrap_or(Ok(otherwise));
    let (contacts, edits, seed) = (next(1_000)?, next(2_000)?, next(7)?);
    let begun = Instant::now();
    let report = play(usize::try_from(contacts)?, usize::try_from(edits)?, seed).await?;
    println!("{report}; seed {seed}, {:.0} s", begun.elapsed().as_secs_f64());
    check(&report, WRITES_PER_EDIT)
}

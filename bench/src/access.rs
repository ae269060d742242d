//! What a connector's call is asked before it has any effect: whether an admin granted it. That it allocates nothing, and so neither
//! locks nor waits, is the test `host/engine/tests/access.rs`.

use std::hint::black_box;
use std::time::Instant;

use contactor_engine::access::{Access, check};

use crate::report::{Bar, Figure, median};

/// Checks of one sample.
const CHECKS: usize = 1_000_000;

pub(crate) fn measure(samples: usize) -> Vec<Figure> {
    // What a connector for contacts and messages is granted.
    let granted = ["contacts.readonly", "contacts.write", "notifications"].map(str::to_owned).to_vec();
    let time = |granted: &[String]| {
        let begun = Instant::now();
        for _ in 0..CHECKS {
            // The last of them: each is compared with.
            let _ = black_box(check(black_box(granted), black_box(Access::Notify)));
        }
        begun.elapsed().as_secs_f64() * 1e9 / CHECKS as f64
    };
    let nanos = |granted: &[String]| median((0..samples).map(|_| time(granted)));
    let checks = samples * CHECKS;
    vec![
        Figure::new("permission of a call, allowed", nanos(&granted), "ns", checks)
            .bar(Bar::AtMost(100.0))
            .note("a call of a connector that reaches the host costs some 600 ns without it"),
        Figure::new("permission of a call, denied", nanos(&granted[..2]), "ns", checks)
            .note("a refusal carries the scope's name"),
    ]
}

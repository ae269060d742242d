//! What the fuzz targets hold every input to.
//!
//! A target is a function of bytes that panics when a promise is broken: that nothing panics, and what is said in the module of each.
//! The binaries in `fuzz/fuzz_targets` let libFuzzer call them (`cargo xtask fuzz`), and this crate's own test calls them with the
//! committed corpora, so that what was found once stays found.
//!
//! Inputs are lines where that is possible: a seed can be written and a crash be read by a person.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a target fails by panicking")]

mod canonical;
mod component;
mod expression;
mod guest_values;
mod highlevel_answer;
mod highlevel_webhook;
mod input;
mod login_token;
mod manifest;
mod mapping;
mod merge;
mod oauth_answer;
mod outbound_url;
mod partner_answer;
mod partner_request;
mod partner_webhook;
mod rules;
mod signature;

use std::sync::Once;

/// A target by its name.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: that of its binary and of its folder of the corpus.
    pub name: &'static str,
    /// Holds one input to what it promises.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 17] = [
    Target { name: "canonical", run: canonical::run },
    Target { name: "component", run: component::run },
    Target { name: "expression", run: expression::run },
    Target { name: "guest_values", run: guest_values::run },
    Target { name: "highlevel_answer", run: highlevel_answer::run },
    Target { name: "highlevel_webhook", run: highlevel_webhook::run },
    Target { name: "login_token", run: login_token::run },
    Target { name: "manifest", run: manifest::run },
    Target { name: "mapping", run: mapping::run },
    Target { name: "merge", run: merge::run },
    Target { name: "oauth_answer", run: oauth_answer::run },
    Target { name: "outbound_url", run: outbound_url::run },
    Target { name: "partner_answer", run: partner_answer::run },
    Target { name: "partner_request", run: partner_request::run },
    Target { name: "partner_webhook", run: partner_webhook::run },
    Target { name: "rules", run: rules::run },
    Target { name: "signature", run: signature::run },
];

/// Lets panics of the expression engine pass, which the host contains (`host/sync/src/expression`): libFuzzer ends the process at every
/// panic, also at one that is caught. All others still do.
pub fn let_contained_panics_pass() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(clippy::print_stderr, reason = "libFuzzer's report goes there")]
        std::panic::set_hook(Box::new(|panic| {
            let contained = panic.location().is_some_and(|at| at.file().contains("minijinja"));
            if !contained {
                eprintln!("{panic}");
                std::process::abort();
            }
        }));
    });
}

/// Runs the target of this name.
///
/// # Panics
/// When there is none, and when it finds a promise broken.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.run)(input);
}

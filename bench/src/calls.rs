//! What the guards around a guest call cost. The measurement is an example of the runtime, which knows wasmtime; here it
//! is run and its figures are taken over.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::report::{Bar, Figure};
use crate::size::Size;

pub(crate) async fn measure(size: &Size) -> Result<Vec<Figure>> {
    let executable = std::env::current_exe()?;
    let release = executable.parent().context("the benchmark lies in no directory")?;
    let output = Command::new(release.join("examples/call_floor"))
        .arg(size.calls.to_string())
        .output()
        .await
        .context("cannot run the runtime's example call_floor; `cargo xtask bench` builds it")?;
    ensure!(output.status.success(), "call_floor failed: {}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout)?;
    let mut figures = Vec::new();
    for (case, p50, p99) in [
        ("empty", "isolated call, empty, p50", "isolated call, empty, p99"),
        ("ten-host-calls", "isolated call, ten host calls, p50", "isolated call, ten host calls, p99"),
        ("map-json", "isolated call, maps 2 KB of JSON, p50", "isolated call, maps 2 KB of JSON, p99"),
    ] {
        let number =
            |name: &str| seen[case][name].as_f64().with_context(|| format!("{case}.{name} in {seen}"));
        figures.push(
            Figure::new(p50, number("call_p50")?, "µs", size.calls)
                .over(number("floor_p50")?)
                .bar(Bar::RatioAtMost(1.25)),
        );
        figures.push(Figure::new(p99, number("call_p99")?, "µs", size.calls).over(number("floor_p99")?));
    }
    Ok(figures)
}

//! Figures, the table and the JSON.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::machine;

/// What the design asks of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// The ratio to the floor.
    RatioAtLeast(f64),
    /// The ratio to the floor.
    RatioAtMost(f64),
    /// The figure itself.
    AtLeast(f64),
    /// The figure itself.
    AtMost(f64),
}

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    floor: Option<f64>,
    ratio: Option<f64>,
    bar: Option<Bar>,
    samples: usize,
    note: String,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str, samples: usize) -> Self {
        Self { name, value, unit, floor: None, ratio: None, bar: None, samples, note: String::new() }
    }

    /// Over a floor of the same run, in the same unit.
    pub(crate) fn over(self, floor: f64) -> Self {
        Self { floor: Some(floor), ratio: Some(self.value / floor), ..self }
    }

    /// The ratio, when it is the median of each round's own rather than the ratio of two medians.
    pub(crate) fn ratio(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    pub(crate) fn bar(self, bar: Bar) -> Self {
        Self { bar: Some(bar), ..self }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn holds(&self) -> Option<bool> {
        Some(match self.bar? {
            Bar::RatioAtLeast(bar) => self.ratio? >= bar,
            Bar::RatioAtMost(bar) => self.ratio? <= bar,
            Bar::AtLeast(bar) => self.value >= bar,
            Bar::AtMost(bar) => self.value <= bar,
        })
    }

    fn line(&self) -> String {
        let cell = |number: Option<f64>| number.map(short).unwrap_or_default();
        let bar = match self.bar {
            None => String::new(),
            Some(Bar::RatioAtLeast(bar)) => format!("ratio ≥ {bar}"),
            Some(Bar::RatioAtMost(bar)) => format!("ratio ≤ {bar}"),
            Some(Bar::AtLeast(bar)) => format!("≥ {bar}"),
            Some(Bar::AtMost(bar)) => format!("≤ {bar}"),
        };
        let holds = match self.holds() {
            None => "",
            Some(true) => "holds",
            Some(false) => "BELOW",
        };
        let line = format!(
            "{:<44} {:>10} {:<6} {:>10} {:>7}  {bar:<12} {holds:<6} {:>8}  {}",
            self.name,
            short(self.value),
            self.unit,
            cell(self.floor),
            cell(self.ratio),
            self.samples,
            self.note
        );
        line.trim_end().to_owned()
    }

    fn json(&self) -> Value {
        let bar = self.bar.map(|bar| match bar {
            Bar::RatioAtLeast(bar) => json!({ "of": "ratio", "at_least": bar }),
            Bar::RatioAtMost(bar) => json!({ "of": "ratio", "at_most": bar }),
            Bar::AtLeast(bar) => json!({ "of": "value", "at_least": bar }),
            Bar::AtMost(bar) => json!({ "of": "value", "at_most": bar }),
        });
        json!({
            "name": self.name, "value": self.value, "unit": self.unit, "floor": self.floor, "ratio": self.ratio,
            "bar": bar, "holds": self.holds(), "samples": self.samples, "note": self.note,
        })
    }
}

/// The report: lines as soon as they are known, JSON at the end.
pub(crate) struct Report {
    machine: Value,
    quick: bool,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn begin(quick: bool, dir: &Path) -> Result<Self> {
        let machine = machine::facts(dir);
        let facts: Vec<String> = machine
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        say(&facts.join(", "))?;
        if quick {
            say("quick: the numbers are too small to be quoted")?;
        }
        say("")?;
        say(&format!(
            "{:<44} {:>10} {:<6} {:>10} {:>7}  {:<12} {:<6} {:>8}  note",
            "figure", "value", "unit", "floor", "ratio", "bar", "", "samples"
        ))?;
        Ok(Self { machine, quick, figures: Vec::new() })
    }

    pub(crate) fn section(name: &str) -> Result<()> {
        say(&format!("— {name}"))
    }

    pub(crate) fn add(&mut self, figure: Figure) -> Result<()> {
        say(&figure.line())?;
        self.figures.push(figure);
        Ok(())
    }

    pub(crate) fn end(self, file: Option<&Path>) -> Result<()> {
        let below = self.figures.iter().filter(|figure| figure.holds() == Some(false)).count();
        say(&format!("\n{} figures, {below} below their bar", self.figures.len()))?;
        let Some(file) = file else { return Ok(()) };
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let report = json!({
            "measured_at": jiff::Timestamp::now().to_string(), "quick": self.quick, "machine": self.machine,
            "figures": figures,
        });
        std::fs::write(file, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Three significant digits are more than a noisy machine gives.
fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 100.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// The middle one; with an even number the upper of the two.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_about_the_ratio_or_about_the_figure_itself() {
        let figure = Figure::new("accepts", 60.0, "/s", 1).over(100.0);
        assert_eq!(figure.clone().bar(Bar::RatioAtLeast(0.6)).holds(), Some(true));
        assert_eq!(figure.clone().bar(Bar::RatioAtMost(0.5)).holds(), Some(false));
        assert_eq!(figure.clone().bar(Bar::AtLeast(61.0)).holds(), Some(false));
        assert_eq!(figure.clone().bar(Bar::AtMost(60.0)).holds(), Some(true));
        assert_eq!(figure.holds(), None);
    }

    #[test]
    fn a_figure_below_its_bar_says_so_in_the_table_and_in_the_json() {
        let figure = Figure::new("accepts", 50.0, "/s", 7).over(100.0).bar(Bar::RatioAtLeast(0.6));
        assert!(
            figure.line().contains("BELOW") && figure.line().contains("ratio ≥ 0.6"),
            "{}",
            figure.line()
        );
        assert_eq!(figure.json()["holds"], false);
        assert_eq!(figure.json()["ratio"], 0.5);
    }

    #[test]
    fn the_median_is_not_moved_by_one_slow_round() {
        assert!((median([3.0, 1000.0, 1.0, 2.0, 2.5]) - 2.5).abs() < f64::EPSILON);
    }
}

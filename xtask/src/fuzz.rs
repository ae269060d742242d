//! `cargo xtask fuzz`: every fuzz target with its corpus, for so many minutes.
//!
//! The binaries of `fuzz/` are instrumented by flags that the pinned compiler takes as it is, so neither another toolchain nor
//! `cargo-fuzz` has to be there; `cargo fuzz run TARGET` works as well where they are. No sanitizer: what is fuzzed has no `unsafe`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::cargo::{self, Workspace};

/// Counters of edges and comparisons for libFuzzer; `cfg(fuzzing)` as `cargo-fuzz` sets it.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// Seconds that one input may take. An expression's budget is some tens of milliseconds; instrumented and beside others, this is ample.
const TIMEOUT: u32 = 10;
/// MiB that a target may take.
const MEMORY: u32 = 2_048;
/// Bytes of an input: the largest manifests of this repository, which are seeds, and little more.
const LONGEST: u32 = 64 * 1024;
/// Minutes that a target may run.
const WEEK: i64 = 7 * 24 * 60;

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz                                   a minute of each target
  cargo xtask fuzz manifest merge --minutes 10       ten minutes of these two
  cargo xtask fuzz manifest --reproduce FILE         one input, as a report of a crash names it
  cargo xtask fuzz --merge                           takes what new inputs reach into the committed corpora")]
pub(crate) struct Fuzz {
    /// The targets; all of them when none is named.
    targets: Vec<String>,
    /// How long each of them runs.
    // None at all are libFuzzer's word for ever, and so are more seconds than its number holds.
    #[arg(long, value_name = "MINUTES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=WEEK))]
    minutes: u32,
    /// How many run at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    jobs: usize,
    /// Runs the target on this file alone.
    #[arg(long, value_name = "FILE", conflicts_with = "merge")]
    reproduce: Option<PathBuf>,
    /// Runs nothing: of the inputs that earlier runs found, takes those into `fuzz/corpus` that reach what no other one does.
    #[arg(long)]
    merge: bool,
}

impl Fuzz {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let workspace = Workspace::find()?;
        cargo::require_c_compiler()?;
        let bench = Bench::new(&workspace)?;
        let targets = bench.targets(&self.targets)?;
        bench.build()?;
        if let Some(input) = &self.reproduce {
            let [target] = targets.as_slice() else {
                bail!("name the one target that reads {}", input.display())
            };
            return cargo::step(
                bench.binary(target).arg(input),
                "the target breaks its promise on this input",
            );
        }
        if self.merge {
            return targets.iter().try_for_each(|target| bench.merge(target));
        }
        let mut broken = Vec::new();
        report(&["target", "executions", "edges", "corpus", "result"]);
        for some in targets.chunks(self.jobs.max(1)) {
            let running: Vec<(&String, Child)> = some
                .iter()
                .map(|target| Ok((target, bench.start(target, self.minutes)?)))
                .collect::<anyhow::Result<_>>()?;
            for (target, mut child) in running {
                let held = child.wait()?.success();
                let seen = bench.seen(target)?;
                let result = if held { "held" } else { "BROKEN" };
                report(&[target, &seen.executions, &seen.edges, &seen.corpus, result]);
                if !held {
                    broken.push(bench.log(target));
                }
            }
        }
        let logs: Vec<String> = broken.iter().map(|log| log.display().to_string()).collect();
        ensure!(broken.is_empty(), "what was found is told, with its input, in {}", logs.join(", "));
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn report(cells: &[&str; 5]) {
    let [target, executions, edges, corpus, result] = cells;
    println!("{target:<20} {executions:>14} {edges:>8} {corpus:>8}  {result}");
}

/// Where the targets, their corpora and what they find lie.
struct Bench<'w> {
    workspace: &'w Workspace,
    fuzz: PathBuf,
    /// Builds, grown corpora and logs: nothing of it is committed.
    work: PathBuf,
    host: String,
}

/// What a run says of itself.
struct Seen {
    executions: String,
    edges: String,
    corpus: String,
}

impl<'w> Bench<'w> {
    fn new(workspace: &'w Workspace) -> anyhow::Result<Self> {
        let version = Command::new("rustc").arg("-vV").current_dir(&workspace.root).output()?;
        let version = String::from_utf8(version.stdout)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not say for which machine it builds")?.to_owned();
        let work = workspace.target_dir.join("fuzz");
        Ok(Self { workspace, fuzz: workspace.root.join("fuzz"), work, host })
    }

    fn targets(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        let mut known = BTreeSet::new();
        for entry in fs::read_dir(self.fuzz.join("fuzz_targets"))? {
            let path = entry?.path();
            known.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
        if let Some(unknown) = named.iter().find(|name| !known.contains(*name)) {
            let known: Vec<String> = known.into_iter().collect();
            bail!("there is no fuzz target `{unknown}`; there are {}", known.join(", "));
        }
        Ok(if named.is_empty() { known.into_iter().collect() } else { named.to_vec() })
    }

    fn build(&self) -> anyhow::Result<()> {
        let mut build = self.workspace.cargo("build");
        // With the machine named, build scripts and macros are built without the flags.
        build
            .args(["--release", "--target", &self.host, "--manifest-path"])
            .arg(self.fuzz.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &self.work)
            .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
        cargo::step(&mut build, "the fuzz targets do not compile")
    }

    fn binary(&self, target: &str) -> Command {
        Command::new(self.work.join(&self.host).join("release").join(target))
    }

    fn seeds(&self, target: &str) -> PathBuf {
        self.fuzz.join("corpus").join(target)
    }

    /// What earlier runs found, to begin with the next time.
    fn grown(&self, target: &str) -> anyhow::Result<PathBuf> {
        let grown = self.work.join("corpus").join(target);
        fs::create_dir_all(&grown)?;
        Ok(grown)
    }

    fn log(&self, target: &str) -> PathBuf {
        self.work.join(format!("{target}.log"))
    }

    fn start(&self, target: &str, minutes: u32) -> anyhow::Result<Child> {
        let artefacts = self.fuzz.join("artifacts").join(target);
        fs::create_dir_all(&artefacts)?;
        let mut run = self.binary(target);
        run.arg(format!("-max_total_time={}", minutes * 60))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(format!("-rss_limit_mb={MEMORY}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-artifact_prefix={}/", artefacts.display()))
            .arg("-print_final_stats=1")
            .arg(self.grown(target)?)
            .arg(self.seeds(target));
        let log = File::create(self.log(target))?;
        run.stdout(log.try_clone()?).stderr(log);
        run.spawn().with_context(|| format!("cannot run {target}"))
    }

    fn seen(&self, target: &str) -> anyhow::Result<Seen> {
        Ok(read(&String::from_utf8_lossy(&fs::read(self.log(target))?)))
    }

    fn merge(&self, target: &str) -> anyhow::Result<()> {
        let (seeds, grown) = (self.seeds(target), self.grown(target)?);
        fs::create_dir_all(&seeds)?;
        let mut merge = self.binary(target);
        // The fewest that reach every edge: a corpus is committed, and replayed with the tests. No input is cut: the rest of it reaches
        // something else.
        merge
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(&seeds)
            .arg(&grown);
        cargo::step(&mut merge, "the corpora could not be merged")?;
        let count = |path: &Path| fs::read_dir(path).map(Iterator::count);
        report(&[target, "", "", &count(&seeds)?.to_string(), "merged"]);
        Ok(())
    }
}

/// Reads libFuzzer's report: `#2097152 pulse cov: 1234 ft: 5678 corp: 90/12Kb …` and `stat::number_of_executed_units: 2097152`.
fn read(log: &str) -> Seen {
    let after = |mark: &str| {
        let found = log.rmatch_indices(mark).next().map(|(at, _)| &log[at + mark.len()..]);
        let word = found.and_then(|rest| rest.split_whitespace().next());
        word.map_or_else(|| "-".to_owned(), |word| word.split('/').next().unwrap_or(word).to_owned())
    };
    Seen { executions: after("number_of_executed_units:"), edges: after("cov:"), corpus: after("corp:") }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_target_runs_for_a_time_that_ends() {
        let parsed =
            |minutes: &str| crate::Arguments::try_parse_from(["xtask", "fuzz", "--minutes", minutes]);
        assert!(parsed("1").is_ok() && parsed("10080").is_ok());
        for endless in ["0", "10081", "4294967295"] {
            let refused = parsed(endless).err().map(|error| error.to_string());
            assert!(refused.as_deref().is_some_and(|why| why.contains("10080")), "{endless}: {refused:?}");
        }
    }

    #[test]
    fn what_a_run_did_is_read_from_its_report() {
        let log = "#2\tINITED cov: 1 ft: 1 corp: 1/1b\n#4096\tDONE   cov: 812 ft: 90 corp: 77/3Kb lim: 9\n\
                   stat::number_of_executed_units: 4096\nstat::peak_rss_mb: 9\n";
        let seen = read(log);
        assert_eq!(
            (seen.executions.as_str(), seen.edges.as_str(), seen.corpus.as_str()),
            ("4096", "812", "77")
        );
        assert_eq!(read("==1== ERROR: libFuzzer: deadly signal").executions, "-");
    }

    #[test]
    fn a_target_that_is_not_there_is_named_with_those_that_are() {
        let workspace = Workspace::find().unwrap();
        let bench = Bench::new(&workspace).unwrap();
        assert!(bench.targets(&[]).unwrap().len() >= 16);
        let error = bench.targets(&["manifests".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`manifests`") && error.contains("merge, "), "{error}");
    }
}

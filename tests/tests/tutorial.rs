//! docs/tutorial.md, word by word: its files are written as they stand there and its commands run in order, with `$SDK` alone filled in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use contactor_tests::artefacts;

/// One thing that the guide tells its reader to do.
#[derive(Debug, PartialEq)]
enum Step {
    /// A command, and the lines that the guide shows below it.
    Run { command: String, shown: Vec<String> },
    /// A file, with its whole content.
    Write { file: String, text: String },
    /// What is added at a file's end.
    Append { file: String, text: String },
}

/// The steps of a guide: `console` blocks, and blocks below a line that names a file.
fn steps(guide: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut before = "";
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            if !line.trim().is_empty() {
                before = line;
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if language == "console" {
            commands(&block, &mut steps);
        } else {
            steps.push(file(before, block.join("\n") + "\n"));
        }
        before = "";
    }
    steps
}

fn commands(block: &[&str], steps: &mut Vec<Step>) {
    for line in block {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step::Run { command: command.to_owned(), shown: Vec::new() }),
            (None, Some(Step::Run { shown, .. })) => shown.push((*line).to_owned()),
            (None, _) => panic!("`{line}` stands below no command"),
        }
    }
}

fn file(before: &str, text: String) -> Step {
    let (append, name) = match before.strip_prefix("At the end of ") {
        Some(name) => (true, name),
        None => (false, before),
    };
    let name = name.strip_prefix('`').and_then(|name| name.strip_suffix("`:"));
    let file = name.unwrap_or_else(|| panic!("`{before}` names no file for the block below it")).to_owned();
    if append { Step::Append { file, text } } else { Step::Write { file, text } }
}

/// Where the guide is followed.
struct Reader {
    folder: PathBuf,
    target: PathBuf,
}

impl Reader {
    /// In an empty folder below cargo's own for tests, the same each time: cargo then builds again what it built there before, and
    /// leaves nothing behind for each run.
    fn new() -> Self {
        let target = artefacts::target().unwrap();
        let folder = target.join("tmp/tutorial");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        Self { folder, target }
    }

    fn follow(&mut self, step: &Step) {
        match step {
            Step::Write { file, text } => {
                let path = self.folder.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Step::Append { file, text } => {
                let path = self.folder.join(file);
                let before = fs::read_to_string(&path).unwrap();
                fs::write(path, before + "\n" + text).unwrap();
            }
            Step::Run { command, shown } => match command.strip_prefix("cd ") {
                Some(folder) => self.enter(folder),
                None => self.run(command, shown),
            },
        }
    }

    /// The crate's `target` is the workspace's, where dependencies are built.
    fn enter(&mut self, folder: &str) {
        self.folder.push(folder);
        assert!(self.folder.is_dir(), "there is no {}", self.folder.display());
        std::os::unix::fs::symlink(&self.target, self.folder.join("target")).unwrap();
    }

    fn run(&self, command: &str, shown: &[String]) {
        let output = Command::new("sh")
            .args(["-ec", command])
            .current_dir(&self.folder)
            .env("SDK", workspace().join("sdk/contactor-sdk"))
            .env("PATH", path_with_contactor())
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "`{command}` failed: {}\n{said}", output.status);
        for line in shown {
            assert!(
                said.lines().any(|said| is_shown(line, said)),
                "`{command}` does not say `{line}`:\n{said}"
            );
        }
    }
}

/// Whether a line of output is the one that the guide shows, in which `…` stands for anything.
fn is_shown(shown: &str, said: &str) -> bool {
    let (mut rest, mut anything) = (said.trim_end(), false);
    for piece in shown.split('…') {
        let Some(at) = rest.find(piece).filter(|at| anything || *at == 0) else { return false };
        rest = &rest[at + piece.len()..];
        anything = true;
    }
    shown.ends_with('…') || rest.is_empty()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn path_with_contactor() -> OsString {
    let built = artefacts::binary("contactor").unwrap().parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(built).chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn the_tutorial_ends_with_a_connector_that_passes_its_tests_and_the_acceptance_suite() {
    let guide = fs::read_to_string(workspace().join("docs/tutorial.md")).unwrap();
    let steps = steps(&guide);
    let runs = |words: &str| {
        steps.iter().any(|step| matches!(step, Step::Run { command, .. } if command.starts_with(words)))
    };
    for words in
        ["contactor connector new", "cargo test", "contactor connector build", "contactor connector check"]
    {
        assert!(runs(words), "the guide does not run `{words}`");
    }
    let mut reader = Reader::new();
    for step in &steps {
        reader.follow(step);
    }
}

#[test]
fn a_guide_is_read_in_order_and_a_block_for_no_file_is_a_mistake() {
    let guide = "Text.\n\n`a/b.rs`:\n\n```rust\nx\n\ny\n```\n\nAt the end of `c.toml`:\n\n```toml\nz\n```\n\n\
                 ```console\n$ one\nsaid\n$ two\n```\n";
    let run = |command: &str, shown: &[&str]| Step::Run {
        command: command.into(),
        shown: shown.iter().map(ToString::to_string).collect(),
    };
    let expected = [
        Step::Write { file: "a/b.rs".into(), text: "x\n\ny\n".into() },
        Step::Append { file: "c.toml".into(), text: "z\n".into() },
        run("one", &["said"]),
        run("two", &[]),
    ];
    assert_eq!(steps(guide), expected);
    assert!(std::panic::catch_unwind(|| steps("Some text.\n\n```rust\nx\n```\n")).is_err());
}

#[test]
fn a_shown_line_is_the_whole_line_but_for_its_gaps() {
    assert!(is_shown("ok. 4 passed;…", "ok. 4 passed; in 0.1s") && is_shown("a…b", "a long b"));
    assert!(!is_shown("4 passed", "ok. 4 passed") && !is_shown("a…b", "a b c") && !is_shown("ok", "ok?"));
}

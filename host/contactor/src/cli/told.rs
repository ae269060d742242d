//! The command lines that the guides and the help show are those of this program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A command line that is shown, and where.
#[derive(Debug)]
struct Shown {
    place: String,
    words: Vec<String>,
    /// It stands in a sentence, which may leave out what does not matter there.
    in_passing: bool,
}

/// Every `contactor …` of the guides and of the help.
fn shown() -> Vec<Shown> {
    let mut found = Vec::new();
    let mut guides = vec![root().join("README.md")];
    for directory in ["docs", "docs/connectors"] {
        let entries = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
        guides.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    for guide in guides {
        let place = guide.strip_prefix(root()).unwrap().display().to_string();
        of_guide(&place, &fs::read_to_string(&guide).unwrap(), &mut found);
    }
    of_help(&Cli::command(), "contactor", &mut found);
    found
}

fn of_guide(place: &str, text: &str, found: &mut Vec<Shown>) {
    let mut block = None;
    // A line that ends in a backslash goes on.
    for line in text.replace("\\\n", " ").lines() {
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language == "console"),
            (Some(_), Some(_)) => block = None,
            (None, Some(true)) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    found.extend(command.split("&&").filter_map(|one| of_line(place, one, false)));
                }
            }
            (None, Some(false)) => {}
            (None, None) => {
                let code = line.split('`').skip(1).step_by(2);
                found.extend(code.filter_map(|code| of_line(place, code, true)));
            }
        }
    }
}

fn of_help(command: &clap::Command, path: &str, found: &mut Vec<Shown>) {
    let place = format!("{path} --help");
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for line in help.replace("\\\n", " ").lines() {
        match line.strip_prefix("  ") {
            Some(example) => found.extend(example.split("&&").filter_map(|one| of_line(&place, one, false))),
            None => {
                let code = line.split('`').skip(1).step_by(2);
                found.extend(code.filter_map(|code| of_line(&place, code, true)));
            }
        }
    }
    for below in command.get_subcommands() {
        of_help(below, &format!("{path} {}", below.get_name()), found);
    }
}

/// The words of a line that calls this program. Variables before it, a comment and an `&` after it do not belong to it.
fn of_line(place: &str, line: &str, in_passing: bool) -> Option<Shown> {
    let mut words = words(line);
    let start = words.iter().position(|word| !word.contains('='))?;
    words.drain(..start);
    // In the help a remark stands far behind the command.
    let is_call = words.first().map(String::as_str) == Some("contactor") && words.len() > 1;
    // A drawing of crates is none.
    (is_call && words[1] != "→").then(|| Shown { place: place.to_owned(), words, in_passing })
}

/// As a shell splits them, as far as guides need it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut begun = false;
    let mut blanks = 0;
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(end), _) if letter == end => quote = None,
            (None, '\'' | '"') => (quote, begun) = (Some(letter), true),
            (None, '#' | '&' | '>' | '|') if word.is_empty() && !begun => break,
            (None, ' ') => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                    blanks = 0;
                }
                blanks += 1;
                if blanks > 3 {
                    break;
                }
            }
            _ => word.push(letter),
        }
    }
    words
}

#[test]
fn every_command_line_that_is_shown_is_one_of_this_program() {
    let shown = shown();
    assert!(shown.len() > 100, "only {} were found", shown.len());
    let mut wrong = Vec::new();
    for Shown { place, words, in_passing } in &shown {
        let given = words.iter().filter(|word| !word.contains('…'));
        let Err(error) = Cli::try_parse_from(given) else { continue };
        let fine = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                *in_passing || words.iter().any(|word| word.contains('…'))
            }
            // An option may be named without its value.
            ErrorKind::InvalidValue => *in_passing && error.to_string().contains("none was supplied"),
            _ => false,
        };
        if !fine {
            wrong.push(format!(
                "{place}: {}\n    {}",
                words.join(" "),
                error.to_string().lines().next().unwrap_or_default()
            ));
        }
    }
    // A trigger and an action are called by their whole ids.
    let by_name = shown.iter().filter(|one| ["emit", "run"].contains(&one.words[1].as_str()));
    for Shown { place, words, .. } in by_name {
        if words.get(3).is_some_and(|id| !id.contains('.') && id.chars().any(char::is_lowercase)) {
            wrong.push(format!("{place}: {}: `{}` is no id", words.join(" "), words[3]));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_template_that_is_named_with_its_connector_is_there() {
    let mut templates = BTreeMap::new();
    for entry in fs::read_dir(root().join("plugins")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(manifest) = fs::read_to_string(path.join("connector.toml")) else { continue };
        let manifest: toml::Table = toml::from_str(&manifest).unwrap();
        let names = manifest["template"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned());
        templates.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), names.collect::<Vec<_>>());
    }
    let mut seen = 0;
    for Shown { place, words, .. } in shown() {
        let named = words.iter().position(|word| word == "--template").and_then(|at| words.get(at + 1));
        let (Some(template), Some(connector)) = (named, words.get(4)) else { continue };
        let Some(known) = templates.get(connector) else { continue };
        if template != "NAME" {
            seen += 1;
            assert!(known.contains(template), "{place}: {connector} has {known:?} and no {template}");
        }
    }
    assert!(seen > 0, "no template is named");
}

#[test]
fn a_shown_line_is_split_as_a_shell_does() {
    let line = r#"TOKEN=… contactor run acme x --input '{"a": "b c"}' # says"#;
    let shown = of_line("here", line, false).unwrap();
    assert_eq!(shown.words, ["contactor", "run", "acme", "x", "--input", r#"{"a": "b c"}"#]);
    assert_eq!(
        of_line("here", "contactor serve            with a remark", false).unwrap().words,
        ["contactor", "serve"]
    );
    assert!(of_line("here", "cargo test", false).is_none() && of_line("here", "contactor", true).is_none());
}

/// Calls `look` with every command that has none below it, and its path.
fn leaves(command: &mut clap::Command, path: &str, look: &mut impl FnMut(&mut clap::Command, &str)) {
    if command.get_subcommands().next().is_none() {
        return look(command, path);
    }
    for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
        let path = format!("{path} {}", below.get_name());
        leaves(below, &path, look);
    }
}

#[test]
fn the_help_of_every_command_names_json_and_shows_an_example_of_it() {
    let mut program = Cli::command();
    // Options of every command are handed down.
    program.build();
    let (mut seen, mut wrong) = (0, Vec::new());
    leaves(&mut program, "contactor", &mut |command, path| {
        seen += 1;
        let help = command.render_long_help().to_string();
        if !help.contains("--json") {
            wrong.push(format!("{path} --help does not name --json"));
        }
        let example =
            help.split_once("Example").is_some_and(|(_, after)| after.contains(&format!("  {path}")));
        if !example {
            wrong.push(format!("{path} --help shows no example"));
        }
    });
    assert!(seen > 50, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}

//! `contactor connector new`: a crate that builds and passes its tests at once.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::Context;
use crate::exit::{Exit, Failure};

/// What is written, with `{{…}}` where the connector's own words go.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("connector.toml", include_str!("template/connector.toml")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("tests/connector.rs", include_str!("template/tests.rs")),
    (".gitignore", include_str!("template/gitignore")),
];

/// Where this program was built.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[derive(Args)]
#[command(after_help = "\
Example:
  contactor connector new acme-people --sdk ~/contactor
  cd acme-people && cargo test
  contactor connector build
  contactor connector check target/components/acme-people.wasm")]
pub(crate) struct NewArgs {
    /// Name of the connector, its crate and its directory: words of lower-case letters and digits with hyphens between them.
    name: String,
    /// The SDK: a checkout of this repository, or the address of one in git. The checkout that this program was built from, if it is
    /// still there, unless given.
    #[arg(long, value_name = "PATH|URL")]
    sdk: Option<String>,
    /// Where the connector's directory is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(crate) fn run(context: &Context, args: &NewArgs) -> Result<(), Failure> {
    let name = checked(&args.name).map_err(|problem| Failure::say(Exit::Usage, problem))?;
    let directory = args.dir.join(name);
    if !is_free(&directory)? {
        let problem =
            format!("{} is there already and is not empty; nothing was written", directory.display());
        return Err(Failure::say(Exit::Usage, problem));
    }
    let sdk = Sdk::of(args.sdk.as_deref()).map_err(|problem| Failure::say(Exit::Usage, problem))?;
    for (path, template) in FILES {
        write(&directory.join(path), &filled(template, name, &sdk.dependency))?;
    }
    // Cargo drops what the connector does not need, and keeps to the versions that the SDK was tested with.
    if let Some(lock) = sdk.lock {
        fs::copy(lock, directory.join("Cargo.lock"))?;
    }
    if context.out.json {
        let files: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        let made = serde_json::json!({ "name": name, "directory": directory, "files": files });
        return Ok(crate::output::json(&made)?);
    }
    context.out.text(&directory.display().to_string())?;
    Ok(context.out.note(&format!(
        "next: `cd {} && cargo test`, then `contactor connector build`",
        directory.display()
    ))?)
}

/// Whether nothing is in the way: no such directory, or an empty one.
fn is_free(directory: &Path) -> std::io::Result<bool> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

/// Words of Rust, which no crate can be called, and crates that one of such a name would hide.
const TAKEN: [&str; 62] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "contactor-sdk",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "build",
    "target",
];

/// The name, if it can be that of a crate, of a directory and of a connector.
fn checked(name: &str) -> Result<&str, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.len() <= 63
        && name.bytes().all(fits);
    if !good {
        return Err(format!(
            "`{name}` is no name for a connector: up to 63 lower-case letters and digits, a letter first, with single hyphens between \
             words, for example `acme-people`"
        ));
    }
    if TAKEN.contains(&name) {
        return Err(format!(
            "`{name}` cannot be the name of a crate: it is a word of Rust or the name of another crate; take for example \
             `{name}-people`"
        ));
    }
    Ok(name)
}

/// Where the SDK comes from.
struct Sdk {
    /// The value of the dependency in `Cargo.toml`.
    dependency: String,
    /// The versions that a local SDK is built with.
    lock: Option<PathBuf>,
}

impl Sdk {
    fn of(given: Option<&str>) -> Result<Self, String> {
        match given {
            Some(url) if url.contains("://") => {
                Ok(Self { dependency: format!("{{ git = {url:?} }}"), lock: None })
            }
            Some(path) => Self::local(Path::new(path)),
            None => Self::beside(Path::new(CHECKOUT)),
        }
    }

    /// The SDK of the checkout that this program was built from.
    fn beside(checkout: &Path) -> Result<Self, String> {
        Self::local(checkout).map_err(|_| {
            "the checkout that this program was built from is not there any more: name the SDK with --sdk, a checkout of the \
             repository or its address in git"
                .to_owned()
        })
    }

    /// The SDK's own directory, or that of the repository.
    fn local(path: &Path) -> Result<Self, String> {
        let path =
            path.canonicalize().map_err(|_| format!("--sdk: there is no directory {}", path.display()))?;
        let repository = path.join("sdk/contactor-sdk");
        let directory = if repository.is_dir() { repository } else { path };
        if !directory.join("src/connector.rs").is_file() {
            return Err(format!("--sdk: {} is not the directory of contactor-sdk", directory.display()));
        }
        let lock = directory.ancestors().map(|above| above.join("Cargo.lock")).find(|lock| lock.is_file());
        Ok(Self { dependency: format!("{{ path = {:?} }}", directory.display().to_string()), lock })
    }
}

fn filled(template: &str, name: &str, sdk: &str) -> String {
    let words: Vec<String> = name.split('-').map(capitalised).collect();
    template
        .replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{type}}", &words.concat())
        .replace("{{title}}", &words.join(" "))
        .replace("{{host}}", env!("CARGO_PKG_VERSION"))
        .replace("{{sdk}}", sdk)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    Ok(fs::write(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_a_crate_a_directory_and_a_connector() {
        for name in ["acme", "acme-people", "a1"] {
            assert_eq!(checked(name), Ok(name));
        }
        for name in ["", "Acme", "1a", "a_b", "a-", "a--b", "../a", "a/b", "a b", "ä"] {
            let problem = checked(name).unwrap_err();
            assert!(problem.contains("lower-case letters") && problem.contains("`acme-people`"), "{problem}");
        }
        for name in ["test", "impl", "async", "match", "std", "contactor-sdk"] {
            assert!(checked(name).unwrap_err().contains("word of Rust"), "{name}");
        }
    }

    #[test]
    fn a_directory_with_something_in_it_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_free(dir.path()).unwrap() && is_free(&dir.path().join("new")).unwrap());
        fs::write(dir.path().join("notes"), "mine").unwrap();
        assert!(!is_free(dir.path()).unwrap() && !is_free(&dir.path().join("notes")).unwrap());
    }

    #[test]
    fn every_placeholder_of_the_templates_is_filled() {
        for (path, template) in FILES {
            let text = filled(template, "acme-people", "{ path = \"/sdk\" }");
            assert!(!text.contains("{{"), "{path}");
            if Path::new(path).extension().is_some_and(|kind| kind == "toml") {
                toml::from_str::<toml::Table>(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
        let text = filled("{{name}} {{crate}} {{type}} {{title}}", "acme-people", "");
        assert_eq!(text, "acme-people acme_people AcmePeople Acme People");
    }

    #[test]
    fn the_sdk_is_a_directory_a_repository_or_the_checkout_of_this_program() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let local = Sdk::of(Some(&here.display().to_string())).unwrap();
        assert!(
            local.dependency.contains("sdk/contactor-sdk") && local.lock.is_some(),
            "{}",
            local.dependency
        );
        let git = Sdk::of(Some("https://example.com/fork")).unwrap();
        assert_eq!(git.dependency, r#"{ git = "https://example.com/fork" }"#);
        assert_eq!(Sdk::of(None).unwrap().dependency, local.dependency);
        let gone = Sdk::beside(Path::new("/nowhere")).err().unwrap();
        assert!(gone.contains("--sdk"), "{gone}");
        assert!(Sdk::of(Some("/nowhere")).is_err());
    }
}

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

#[derive(Args)]
#[command(after_help = "\
Example:
  contactor connector new acme-people
  cd acme-people && cargo test
  contactor connector build
  contactor connector check target/components/acme-people.wasm")]
pub(crate) struct NewArgs {
    /// Name of the connector, its crate and its directory: lower-case letters, digits and hyphens.
    name: String,
    /// The SDK: a directory, or the address of a git repository. The release of this program unless given.
    #[arg(long, value_name = "PATH|URL")]
    sdk: Option<String>,
    /// Where the connector's directory is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(crate) fn run(context: &Context, args: &NewArgs) -> Result<(), Failure> {
    let name = checked(&args.name).map_err(|problem| Failure::say(Exit::Usage, problem))?;
    let directory = args.dir.join(name);
    if directory.exists() {
        let problem = format!("{} is there already; nothing was written", directory.display());
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
    context.out.text(&directory.display().to_string())?;
    Ok(context.out.note(&format!(
        "next: `cd {} && cargo test`, then `contactor connector build`",
        directory.display()
    ))?)
}

/// The name, if it can be that of a crate, of a directory and of a connector.
fn checked(name: &str) -> Result<&str, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.len() <= 63
        && name.bytes().all(fits);
    if !good {
        return Err(format!("`{name}` is no name for a connector, expected for example `acme-people`"));
    }
    // A crate of such a name would shadow another, or is a word of Rust.
    if ["test", "core", "std", "alloc", "contactor-sdk", "serde-json", "self", "super", "crate"]
        .contains(&name)
    {
        return Err(format!("`{name}` is taken: a crate of this name would hide another one"));
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
        let version = env!("CARGO_PKG_VERSION");
        let url = match given {
            Some(url) if url.contains("://") => url,
            Some(path) => return Self::local(Path::new(path)),
            None => env!("CARGO_PKG_REPOSITORY"),
        };
        let tag =
            if given.is_none() { format!(", tag = {:?}", format!("v{version}")) } else { String::new() };
        Ok(Self { dependency: format!("{{ git = {url:?}{tag} }}"), lock: None })
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
        for name in ["", "Acme", "1a", "a_b", "a-", "a--b", "../a", "test", "ä"] {
            assert!(checked(name).is_err(), "{name}");
        }
    }

    #[test]
    fn every_placeholder_of_the_templates_is_filled() {
        for (path, template) in FILES {
            let text = filled(template, "acme-people", "{ path = \"/sdk\" }");
            assert!(!text.contains("{{"), "{path}");
            if path.ends_with(".toml") {
                toml::from_str::<toml::Table>(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
        let text = filled("{{name}} {{crate}} {{type}} {{title}}", "acme-people", "");
        assert_eq!(text, "acme-people acme_people AcmePeople Acme People");
    }

    #[test]
    fn the_sdk_is_a_directory_a_repository_or_the_release_of_this_program() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let local = Sdk::of(Some(&here.display().to_string())).unwrap();
        assert!(
            local.dependency.contains("sdk/contactor-sdk") && local.lock.is_some(),
            "{}",
            local.dependency
        );
        let git = Sdk::of(Some("https://example.com/fork")).unwrap();
        assert_eq!(git.dependency, r#"{ git = "https://example.com/fork" }"#);
        assert!(Sdk::of(None).unwrap().dependency.contains("tag = \"v"));
        assert!(Sdk::of(Some("/nowhere")).is_err());
    }
}

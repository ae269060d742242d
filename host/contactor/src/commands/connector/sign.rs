//! `contactor connector keygen`, `sign` and `verify`: who vouches for a component. No host is needed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use clap::Args;
use contactor_engine::{ConnectorsConfig, PublisherConfig, Unsigned, vouch};
use contactor_signature::{PublicKey, SecretKey};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::super::Context;
use super::{manifest, read};
use crate::exit::{Exit, Failure};
use crate::secrets::{SecretSource, read_private_file, write_private_file};

#[derive(Args)]
#[command(after_help = "\
Example:
  contactor connector keygen acme.key

The secret key goes into the file, as PKCS#8 in PEM, which only its owner can read. The line with the public key is for the operators
of the hosts that are to trust it. Whoever has the secret key can sign in your name: keep it where releases are made and nowhere else.")]
pub(crate) struct KeygenArgs {
    /// Where the secret key goes; never over a file that exists.
    file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor connector sign prefinery.wasm --key acme.key
  contactor connector sign prefinery.wasm --key env:ACME_SIGNING_KEY --out release/prefinery.wasm

Signing is the last step of a release: it changes the file, and so the digest by which hosts pin it. What the manifest says is signed
with the rest. Several publishers can sign one component, one after the other; signing again with the same key changes nothing.")]
pub(crate) struct SignArgs {
    /// The component file.
    file: PathBuf,
    /// The publisher's secret key: a file that only its owner can read, or env:NAME, or - for standard input.
    #[arg(long, value_name = "KEYFILE")]
    key: String,
    /// Where the signed component goes; over the file itself unless given.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor connector verify prefinery.wasm --key ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
  contactor connector verify prefinery.wasm --json       by the publishers of contactor.toml

Ends with status 0 if a publisher that is trusted vouches for the component, and 1 if none does or a signature does not fit.")]
pub(crate) struct VerifyArgs {
    /// The component file.
    file: PathBuf,
    /// A public key to be trusted, in place of the publishers of the configuration; may be given several times.
    #[arg(long, value_name = "KEY")]
    key: Vec<PublicKey>,
}

#[derive(Serialize)]
struct Key<'k> {
    file: &'k Path,
    public: String,
}

pub(crate) fn keygen(context: &Context, args: &KeygenArgs) -> Result<(), Failure> {
    let failed = |error| Failure::new(Exit::Failed, error);
    let key = SecretKey::generate().map_err(failed)?;
    let pem = key.to_pem().map_err(failed)?;
    write_private_file(&args.file, pem.expose_secret().trim_end()).map_err(|error| {
        Failure::say(Exit::Usage, format_args!("{} cannot be written: {error}", args.file.display()))
    })?;
    let made = Key { file: &args.file, public: key.public().to_string() };
    context.out.one(
        &made,
        &[("secret key", args.file.display().to_string()), ("public key", made.public.clone())],
    )?;
    Ok(context.out.note(&format!(
        "an operator trusts it with these lines in contactor.toml:\n[connectors.publishers.NAME]\nkey = \"{}\"",
        made.public
    ))?)
}

#[derive(Serialize)]
struct SignedFile {
    file: PathBuf,
    digest: String,
    signed_by: Vec<String>,
}

pub(crate) fn sign(context: &Context, args: &SignArgs) -> Result<(), Failure> {
    let key = secret_key(&args.key)?;
    let bytes = read(&args.file)?;
    // Nobody signs what no host could read.
    manifest(&args.file)?;
    let signed = sign_bytes(&args.file, &bytes, &key)?;
    let out = args.out.as_ref().unwrap_or(&args.file);
    replace(out, &signed).map_err(|error| {
        Failure::say(Exit::Failed, format_args!("{} cannot be written: {error}", out.display()))
    })?;
    let signers =
        contactor_signature::read(&signed).map_err(|error| Failure::new(Exit::Failed, error))?.signers;
    let done = SignedFile {
        file: out.clone(),
        digest: contactor_runtime::Digest::of(&signed).to_string(),
        signed_by: signers.iter().map(ToString::to_string).collect(),
    };
    let mut lines = vec![("component", done.file.display().to_string()), ("digest", done.digest.clone())];
    lines.extend(done.signed_by.iter().map(|key| ("signed by", key.clone())));
    Ok(context.out.one(&done, &lines)?)
}

/// Signs the bytes of a file.
pub(super) fn sign_bytes(file: &Path, bytes: &[u8], key: &SecretKey) -> Result<Vec<u8>, Failure> {
    contactor_signature::sign(bytes, key)
        .map_err(|error| Failure::say(Exit::Failed, format_args!("{}: {error}", file.display())))
}

/// A publisher's secret key, from a private file or from where secrets come from.
pub(super) fn secret_key(place: &str) -> Result<SecretKey, Failure> {
    let text: SecretString = match SecretSource::from_str(place) {
        Ok(SecretSource::File(file)) => read_private_file(&file)?,
        Ok(SecretSource::Typed) => read_private_file(Path::new(place))?,
        Ok(source) => source.read()?,
    };
    SecretKey::from_pem(text.expose_secret())
        .map_err(|error| Failure::say(Exit::Usage, format_args!("{place}: {error}")))
}

#[derive(Serialize)]
struct Verdict {
    connector: String,
    version: String,
    digest: String,
    /// SHA-256 of what is signed, whoever signs it; none when a signature does not fit.
    contents: Option<String>,
    signed_by: Vec<String>,
    publisher: Option<String>,
    refused: Option<String>,
}

pub(crate) fn verify(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    let manifest = manifest(&args.file)?;
    let trusted = if args.key.is_empty() {
        ConnectorsConfig { unsigned: Unsigned::Refuse, ..context.config()?.connectors }
    } else {
        let publisher = |key: &PublicKey| (key.to_string(), PublisherConfig { key: *key, ids: None });
        ConnectorsConfig {
            publishers: args.key.iter().map(publisher).collect(),
            ..ConnectorsConfig::default()
        }
    };
    let (publisher, refused) = match vouch(&trusted, manifest.connector.id.as_str(), &bytes) {
        Ok(publisher) => (publisher, None),
        Err(why) => (None, Some(why.to_string())),
    };
    let signed = contactor_signature::read(&bytes).ok();
    let signers = signed.as_ref().map(|signed| signed.signers.as_slice()).unwrap_or_default();
    let verdict = Verdict {
        connector: manifest.connector.id.to_string(),
        version: manifest.connector.version.to_string(),
        digest: contactor_runtime::Digest::of(&bytes).to_string(),
        contents: signed.as_ref().map(|signed| contactor_runtime::Digest::from(signed.digest).to_string()),
        signed_by: signers.iter().map(ToString::to_string).collect(),
        publisher,
        refused,
    };
    let mut lines = vec![
        ("connector", format!("{} {}", verdict.connector, verdict.version)),
        ("digest", verdict.digest.clone()),
        ("contents", verdict.contents.clone().unwrap_or_default()),
        ("publisher", verdict.publisher.clone().unwrap_or_default()),
    ];
    lines.extend(verdict.signed_by.iter().map(|key| ("signed by", key.clone())));
    context.out.one(&verdict, &lines)?;
    match &verdict.refused {
        None => Ok(()),
        Some(why) => Err(Failure::say(Exit::Failed, format_args!("{}: {why}", args.file.display()))),
    }
}

/// Puts a file into place whole: whoever reads it sees the old bytes or the new ones.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let write = || {
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().inspect_err(|_| {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&partial);
    })
}

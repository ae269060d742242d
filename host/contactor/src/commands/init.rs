//! `contactor init`: everything that a host needs before its first start.

use std::path::{Path, PathBuf};

use contactor_store::{Vault, random_secret};
use secrecy::ExposeSecret;

use super::Context;
use crate::config::{self, Config};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::secrets::write_private_file;

/// Write a configuration, a vault key and an admin token. Nothing that exists is overwritten.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  contactor init --dir /etc/contactor")]
pub(crate) struct Args {
    /// Where; made if it is missing.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let defaults = Config::default();
    let config = args.dir.join(config::FILE_NAME);
    let key = args.dir.join(config::KEY_FILE);
    let token = args.dir.join(&defaults.server.admin_token_file);
    // All are looked at before one is written: half an initialisation would be neither refused nor usable.
    for file in [&config, &key, &token] {
        if file.exists() {
            return Err(Failure::say(
                Exit::Usage,
                format_args!("{} exists already; nothing was written", file.display()),
            ));
        }
    }
    std::fs::create_dir_all(&args.dir).map_err(|error| cannot(&args.dir, &error))?;
    Vault::create_key(&key).map_err(|error| Failure::new(Exit::Failed, error))?;
    let secret = random_secret().map_err(|error| Failure::new(Exit::Failed, error))?;
    write_private_file(&token, secret.expose_secret()).map_err(|error| cannot(&token, &error))?;
    std::fs::write(&config, config::TEMPLATE).map_err(|error| cannot(&config, &error))?;

    if context.out.json {
        let written = serde_json::json!({ "config": config, "vault_key": key, "admin_token": token });
        return Ok(output::json(&written)?);
    }
    context.out.text(&format!(
        "{}  the configuration, with every key explained\n\
         {}  opens the credentials in the database: keep a copy, but not beside a backup of the database\n\
         {}  opens the admin API; the commands read it by themselves",
        config.display(),
        key.display(),
        token.display(),
    ))?;
    let next = match &args.dir {
        dir if dir == Path::new(".") => "contactor serve".to_owned(),
        _ => format!("contactor serve --config {}", config.display()),
    };
    Ok(context.out.note(&format!("next: `{next}`"))?)
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::say(Exit::Failed, format_args!("{} cannot be written: {error}", path.display()))
}

//! `contactor connection`: connectors enabled in a workspace.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use contactor_server::dto::{Connection, EnableConnection, Rest, Schedule, Secret, Side};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::{Context, rollout};
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, value, when, word};
use crate::secrets::SecretSource;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Enable a connector in a workspace, or change how it is enabled.
    Enable(Box<Enable>),
    /// Switch a connection off. Its links and history stay.
    #[command(after_help = "Example:\n  contactor connection disable acme prefinery")]
    Disable(Which),
    /// Show one connection.
    #[command(after_help = "Example:\n  contactor connection show acme prefinery")]
    Show(Which),
    /// List the connections of a workspace.
    #[command(after_help = "Example:\n  contactor connection list acme --json")]
    List {
        /// The workspace's id.
        workspace: String,
    },
    /// Ask the partner and HighLevel whether the stored credentials are good, and which scopes the location's token lacks.
    #[command(after_help = "Example:\n  contactor connection check acme prefinery")]
    Check(Which),
    /// Give the partner's webhooks another address. The former one is refused at once, until the new one is entered at the partner.
    #[command(after_help = "Example:\n  contactor connection renew-webhook-address acme prefinery --json")]
    RenewWebhookAddress(Which),
    #[command(flatten)]
    Rollout(rollout::Command),
}

#[derive(Args)]
pub(crate) struct Which {
    /// The workspace's id.
    pub(super) workspace: String,
    /// The connector's id.
    pub(super) connector: String,
}

/// Enable a connector in a workspace, or change how it is enabled. A new connection is pinned to the newest installed version, one that
/// is there keeps its own, unless --digest names another. Credentials, settings and mapping that are not given stay as they are stored.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor connection enable acme prefinery --credential key=@prefinery.key --set beta_id=1234
  contactor connection enable acme prefinery --credential key=env:PREFINERY_KEY --settings settings.toml \\
      --grant contacts.readonly --grant contacts.write
  contactor connection enable acme prefinery --credential key=@prefinery.key --withhold notifications
  contactor connection enable acme prefinery --template two-way-waitlist --credential key=@prefinery.key
  contactor connection enable acme prefinery --credential key=@prefinery.key --review
  contactor connection enable acme prefinery --every 15m

`contactor connector inspect FILE` shows which credentials, settings, templates and grants a connector knows.")]
pub(crate) struct Enable {
    #[command(flatten)]
    which: Which,
    /// A credential of the partner: NAME=@FILE, NAME=env:VARIABLE or NAME=- for standard input.
    #[arg(long = "credential", value_name = "NAME=SOURCE", value_parser = named_secret)]
    credentials: Vec<(String, SecretSource)>,
    /// The secret that the partner signs its webhooks with: @FILE, env:VARIABLE or -.
    #[arg(long, value_name = "SOURCE")]
    webhook_secret: Option<SecretSource>,
    /// A ready-made way to use the connector; what you set or map yourself goes before it.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// One setting that is a text. Settings given in any way replace all that are stored.
    #[arg(long = "set", value_name = "NAME=TEXT", value_parser = text_setting)]
    set: Vec<(String, Value)>,
    /// One setting that is a number, a boolean or a list, as JSON.
    #[arg(long = "set-json", value_name = "NAME=JSON", value_parser = json_setting)]
    set_json: Vec<(String, Value)>,
    /// Settings from a TOML or JSON file; --set and --set-json go before it.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Mapping rows from a TOML or JSON file, under the entity that they belong to (`[[contact]]`); they override the
    /// connector's.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Act on HighLevel's webhooks at once, and poll as the connector says.
    #[arg(long, conflicts_with = "every")]
    realtime: bool,
    /// Act on what changed in HighLevel, and poll the partner, at this cadence, for example 15m or 1h.
    #[arg(long, value_name = "DURATION", value_parser = cadence)]
    every: Option<u32>,
    /// Put it under review: nobody is linked or created until their bucket of the match report is approved.
    #[arg(long)]
    review: bool,
    /// Grant this, by the name that `connector inspect` shows: of scopes only what is named then, of hosts, records, events and repeats
    /// only what is named where any of the kind is. Without it a new connection has everything that the connector asks for, and one that
    /// is there keeps what it has. This is also how something is given back.
    #[arg(long = "grant", value_name = "NAME")]
    grants: Vec<String>,
    /// Do not grant this, by its name; what else was granted stays so, and what was withheld stays withheld.
    #[arg(long = "withhold", value_name = "NAME")]
    withhold: Vec<String>,
    /// Give the component that --digest names what it asks for beyond the present one.
    #[arg(long)]
    approve: bool,
    /// Base URL of the partner's API; the connector's unless given.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Which of the connector's ways to authenticate; its first unless given.
    #[arg(long, value_name = "ID")]
    auth: Option<String>,
    /// SHA-256 of the component to pin; of a connection that is there its present one unless given.
    #[arg(long)]
    digest: Option<String>,
}

fn cadence(text: &str) -> Result<u32, String> {
    let duration: SignedDuration =
        text.parse().map_err(|_| "a duration is a number with its unit, for example 15m or 1h".to_owned())?;
    u32::try_from(duration.as_secs()).map_err(|_| "a cadence is not negative and not that long".to_owned())
}

/// What has no name may be the secret itself.
fn named_secret(text: &str) -> Result<(String, SecretSource), Infallible> {
    match text.split_once('=') {
        Some((name, source)) => Ok((name.to_owned(), source.parse()?)),
        None => Ok((String::new(), SecretSource::Typed)),
    }
}

/// A setting that is a text.
pub(crate) fn text_setting(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is given as NAME=TEXT")?;
    Ok((name.to_owned(), Value::from(value)))
}

/// A setting that is anything else.
pub(crate) fn json_setting(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is given as NAME=JSON")?;
    let value =
        serde_json::from_str(value).map_err(|_| "the value is no JSON; a text is given with --set")?;
    Ok((name.to_owned(), value))
}

impl Enable {
    /// All settings, or nothing where the stored ones are to stay.
    fn settings(&self) -> Result<Option<Value>, Failure> {
        if self.settings.is_none() && self.set.is_empty() && self.set_json.is_empty() {
            return Ok(None);
        }
        let mut settings = match &self.settings {
            Some(file) => object(file, "--settings")?,
            None => Map::new(),
        };
        settings.extend(self.set.iter().chain(&self.set_json).cloned());
        Ok(Some(Value::Object(settings)))
    }

    /// Another schedule, if one was asked for.
    fn schedule(&self) -> Option<Schedule> {
        let schedule =
            |realtime, sweep_seconds| Schedule { realtime, poll_seconds: BTreeMap::new(), sweep_seconds };
        match self.every {
            Some(seconds) => Some(schedule(false, Some(seconds))),
            None => self.realtime.then(|| schedule(true, None)),
        }
    }

    fn request(&self) -> Result<EnableConnection, Failure> {
        let mut credentials = BTreeMap::new();
        for (name, source) in &self.credentials {
            credentials.insert(name.clone(), Secret::from(source.read()?));
        }
        Ok(EnableConnection {
            digest: self.digest.clone(),
            base_url: self.base_url.clone(),
            auth_scheme: self.auth.clone(),
            credentials,
            webhook_secret: self
                .webhook_secret
                .as_ref()
                .map(SecretSource::read)
                .transpose()?
                .map(Secret::from),
            template: self.template.clone(),
            settings: self.settings()?,
            mapping: self
                .mapping
                .as_deref()
                .map(|file| object(file, "--mapping"))
                .transpose()?
                .map(Value::Object),
            schedule: self.schedule(),
            grants: (!self.grants.is_empty()).then(|| self.grants.clone()),
            withhold: self.withhold.clone(),
            approve: self.approve,
            review: self.review,
        })
    }
}

/// A file of names with values, as the option `of` takes it.
pub(crate) fn object(file: &Path, of: &str) -> Result<Map<String, Value>, Failure> {
    match document(file)? {
        Value::Object(object) => Ok(object),
        _ => Err(Failure::say(
            Exit::Usage,
            format_args!("{of}: {} has to hold names with values", file.display()),
        )),
    }
}

/// A TOML or JSON file as JSON.
fn document(file: &Path) -> Result<Value, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::say(Exit::Usage, format_args!("{}: {error}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        serde_json::from_str(&text).map_err(|error| wrong(&error))
    } else {
        toml::from_str(&text).map_err(|error| wrong(&error))
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Rollout(command) => rollout::run(context, command).await?,
        Command::Enable(enable) => {
            let request = enable.request()?;
            let connection =
                client.enable(&enable.which.workspace, &enable.which.connector, &request).await?;
            show(context, &connection)?;
            let of = format!("{} {}", connection.workspace, connection.connector);
            let then = if connection.under_review {
                format!("`contactor match start {of}`")
            } else {
                format!("`contactor sync {of} --preview`")
            };
            context.out.note(&format!("next: `contactor connection check {of}`, then {then}"))?;
        }
        Command::Disable(which) => {
            show(context, &client.disable(&which.workspace, &which.connector).await?)?;
        }
        Command::Show(which) => {
            show(context, &client.connection(&which.workspace, &which.connector).await?)?;
        }
        Command::RenewWebhookAddress(which) => {
            let connection = client.renew_webhook_address(&which.workspace, &which.connector).await?;
            let lines = [("id", connection.id.clone()), ("webhook path", connection.webhook_path.clone())];
            context.out.one(&connection, &lines)?;
            context.out.note("the former address is refused from now on: enter this one at the partner")?;
        }
        Command::List { workspace } => {
            let connections = client.connections(&workspace).await?;
            let headings =
                ["CONNECTOR", "VERSION", "STATE", "LINKS", "WAITING", "PARKED", "LAST RUN", "REASON"];
            context.out.list(&connections, headings, |c| {
                [
                    c.connector.clone(),
                    c.version.clone(),
                    word(&c.state),
                    c.links.to_string(),
                    c.waiting.to_string(),
                    c.parked.to_string(),
                    or_dash(c.last_run_at.map(when)),
                    c.state_reason.clone().or_else(|| c.rests.first().map(resting)).unwrap_or_default(),
                ]
            })?;
        }
        Command::Check(which) => {
            let report = client.check(&which.workspace, &which.connector).await?;
            let mut lines = vec![
                ("ok", if report.ok { "yes" } else { "no" }.to_owned()),
                ("account", report.account.clone().unwrap_or_default()),
            ];
            lines.extend(report.details.iter().map(|(name, value)| (name.as_str(), value.clone())));
            lines.extend(report.problems.iter().map(|problem| ("problem", problem.clone())));
            lines.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
            context.out.one(&report, &lines)?;
            if !report.ok {
                return Err(Failure::say(
                    Exit::Failed,
                    "the connection does not work; enable it again with a good credential",
                ));
            }
        }
    }
    Ok(())
}

fn show(context: &Context, connection: &Connection) -> std::io::Result<()> {
    let mut lines = vec![
        ("id", connection.id.clone()),
        ("state", word(&connection.state)),
        ("reason", connection.state_reason.clone().unwrap_or_default()),
        ("version", connection.version.clone()),
        ("digest", connection.digest.clone()),
        (
            "on trial",
            connection
                .on_trial
                .as_ref()
                .map(|one| {
                    format!(
                        "{} {}; contactor connection rollout shows it",
                        one.digest,
                        rollout::does(one.mode, one.share)
                    )
                })
                .unwrap_or_default(),
        ),
        ("publisher", connection.publisher.clone().unwrap_or_else(|| "nobody vouches for it".to_owned())),
        ("partner", connection.base_url.clone()),
        ("speaks with", connection.hosts.join(", ")),
        ("authentication", connection.auth_scheme.clone()),
        ("served", served(&connection.schedule)),
        ("webhook path", connection.webhook_path.clone()),
        ("links", connection.links.to_string()),
        ("waiting", connection.waiting.to_string()),
        ("parked", connection.parked.to_string()),
        ("last run", or_dash(connection.last_run_at.map(when))),
        ("review", if connection.under_review { "unlinked people wait for approval" } else { "" }.to_owned()),
    ];
    lines.extend(connection.repeatable.iter().map(super::connector::repeats));
    lines.extend(connection.asks.iter().map(|one| {
        let has = match (one.granted, one.forbidden) {
            (true, false) => "may",
            (false, _) => "withheld",
            (true, true) => "forbidden",
        };
        (has, format!("{}: {}", one.name, one.words))
    }));
    lines.extend(
        connection
            .newly_granted
            .iter()
            .map(|one| ("newly granted", format!("{}: it did not have this before", one.name))),
    );
    lines.extend(connection.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines.extend(connection.rests.iter().map(|rest| ("rests", resting(rest))));
    lines.extend(connection.not_kept.iter().map(|one| {
        let system = if one.side == Side::Highlevel { "HighLevel" } else { "the partner" };
        ("not kept", format!("by {system}: field {} since {}", one.field, when(one.since)))
    }));
    lines
        .extend(connection.settings.iter().map(|s| ("setting", format!("{} = {}", s.name, value(&s.value)))));
    context.out.one(connection, &lines)
}

/// What is left alone, in words.
fn resting(rest: &Rest) -> String {
    let Rest { entity, class, reason, failures, since, until } = rest;
    let what = entity.as_deref().unwrap_or("everything");
    format!(
        "{what}, {} {failures} times in a row since {}, next try at {}: {reason}",
        word(class),
        when(*since),
        when(*until)
    )
}

/// When a connection is served, in words.
fn served(schedule: &Schedule) -> String {
    let seconds = |seconds: u32| format!("{:#}", SignedDuration::from_secs(seconds.into()));
    let sweeps = schedule.sweep_seconds.map(seconds);
    let mut parts = vec![match (schedule.realtime, sweeps) {
        (true, None) => "at once".to_owned(),
        (true, Some(sweeps)) => format!("at once; sweeps every {sweeps}"),
        (false, Some(cadence)) => format!("every {cadence}"),
        (false, None) => "at the host's cadence".to_owned(),
    }];
    parts.extend(schedule.poll_seconds.iter().map(|(stream, n)| format!("{stream} every {}", seconds(*n))));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_says_whether_a_setting_is_a_text() {
        let named = |value: Value| Ok(("name".to_owned(), value));
        assert_eq!(text_setting("name=1234"), named(Value::from("1234")));
        assert_eq!(text_setting("name=a=b"), named(Value::from("a=b")));
        assert_eq!(json_setting("name=1234"), named(Value::from(1234)));
        assert_eq!(json_setting("name=[\"a\"]"), named(serde_json::json!(["a"])));
        assert!(
            text_setting("name").is_err() && json_setting("name").is_err() && json_setting("name=a").is_err()
        );
    }

    #[test]
    fn a_mapping_file_names_the_entity_of_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mapping.toml");
        std::fs::write(&path, "[[contact]]\nhighlevel = \"firstName\"\npartner = \"first_name\"\n").unwrap();
        let rows = serde_json::json!([{"highlevel": "firstName", "partner": "first_name"}]);
        assert_eq!(object(&path, "--mapping").unwrap()["contact"], rows);
        let path = dir.path().join("mapping.json");
        std::fs::write(&path, "[]").unwrap();
        assert!(object(&path, "--mapping").unwrap_err().to_string().starts_with("--mapping: "));
    }
}

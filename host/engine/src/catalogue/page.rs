//! A connector's page of documentation, out of its manifest and nothing else.

use std::fmt::Write as _;

use contactor_manifest::{Direction, Manifest, Scheme, Signature, Support};
use serde_json::Value;

use super::markdown::{cell, parameters};

/// The page as Markdown.
pub fn connector_page(manifest: &Manifest) -> String {
    let connector = &manifest.connector;
    let hosts = manifest.partner.allowed_hosts();
    let hosts: Vec<_> = hosts.iter().map(|host| format!("`{host}`")).collect();
    let mut page = format!(
        "# {}\n\nGenerated from the connector's manifest by `cargo xtask docs`; do not edit.\n\n{}\n\n| | |\n|---|---|\n| id | `{}` |\n\
         | version | {} |\n| needs a host of at least | {} |\n| partner | {} |\n| address of its API | {} |\n| hosts that it may be at | {} |\n",
        connector.name,
        connector.summary,
        connector.id,
        connector.version,
        connector.minimum_host,
        manifest.partner.name,
        manifest.partner.base_url,
        hosts.join(", "),
    );
    authentication(manifest, &mut page);
    webhooks(manifest, &mut page);
    entities(manifest, &mut page);
    fields(manifest, &mut page);
    operations(manifest, &mut page);
    settings(manifest, &mut page);
    templates(manifest, &mut page);
    needs(manifest, &mut page);
    page
}

fn table(page: &mut String, heading: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.into_iter().collect();
    if rows.is_empty() {
        return;
    }
    let _ =
        write!(page, "\n## {heading}\n\n| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|text| cell(text)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

fn authentication(manifest: &Manifest, page: &mut String) {
    let rows = manifest.auth.iter().map(|auth| {
        let scheme = kind_of(&auth.scheme);
        let parts: Vec<_> =
            auth.credentials.iter().map(|part| format!("`{}`: {}", part.name, part.title)).collect();
        let help = auth.help.clone().unwrap_or_default();
        vec![format!("`{}`", auth.id), auth.title.clone(), scheme, parts.join("; "), help]
    });
    table(page, "Authentication", &["id", "name", "how", "credential", "where to find it"], rows);
}

/// The kind of a scheme as the manifest writes it.
fn kind_of(scheme: &Scheme) -> String {
    let json = serde_json::to_value(scheme).unwrap_or_default();
    json["kind"].as_str().unwrap_or("other").to_owned()
}

fn webhooks(manifest: &Manifest, page: &mut String) {
    let Some(webhook) = &manifest.webhook else {
        page.push_str(
            "\n## Webhooks\n\nThe partner sends none that are used; changes are found by polling.\n",
        );
        return;
    };
    page.push_str("\n## Webhooks\n\n");
    match &webhook.signature {
        Signature::None => page.push_str(
            "Not signed: only the connection's address, which cannot be guessed, protects it. What arrives is taken as a hint and \
             read again.\n",
        ),
        Signature::HmacSha256 { header, tolerance_seconds, .. } => {
            let _ = writeln!(
                page,
                "Signed with HMAC-SHA256 in the header `{header}`; a timestamp may be {tolerance_seconds} s off."
            );
        }
    }
    if let Some(help) = &webhook.help {
        let _ = writeln!(page, "\n{help}");
    }
}

fn entities(manifest: &Manifest, page: &mut String) {
    let rows = manifest.entities.iter().map(|entity| {
        let support = match entity.support {
            Support::Native => "native".to_owned(),
            Support::Projected => match &entity.projected_into {
                Some(field) => format!("projected into `{field}`"),
                None => "projected".to_owned(),
            },
            Support::Unsupported => "unsupported".to_owned(),
        };
        let way = if entity.support == Support::Unsupported {
            "–".to_owned()
        } else {
            arrow(entity.direction).to_owned()
        };
        let keys: Vec<_> = entity
            .natural_keys
            .iter()
            .map(|key| format!("`{}` = `{}`", key.highlevel, key.partner))
            .collect();
        let mut notes = entity.notes.clone().unwrap_or_default();
        if let Some(include) = &entity.include {
            let _ = write!(notes, " Shown to the partner only if `{include}`.");
        }
        vec![
            entity.name.clone(),
            entity.partner_name.clone(),
            support,
            way,
            keys.join(", "),
            notes.trim().to_owned(),
        ]
    });
    table(page, "Records", &["record", "at the partner", "support", "direction", "found by", "notes"], rows);
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "both ways",
        Direction::ToPartner => "to the partner",
        Direction::ToHighlevel => "to HighLevel",
    }
}

fn fields(manifest: &Manifest, page: &mut String) {
    let rows = manifest.fields.iter().map(|field| {
        let mut notes = Vec::new();
        if field.required {
            notes.push("required".to_owned());
        }
        if field.read_only {
            notes.push("read only".to_owned());
        }
        notes.extend(field.help.clone());
        vec![
            field.entity.clone(),
            format!("`{}`", field.name),
            word(&field.kind),
            field.title.clone(),
            notes.join("; "),
        ]
    });
    table(page, "Fields", &["record", "field", "type", "name", "notes"], rows);
    let rows = manifest.mappings.iter().map(|row| {
        let code =
            |text: &Option<String>| text.as_ref().map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        vec![
            row.entity.clone(),
            format!("`{}`", row.highlevel),
            format!("`{}`", row.partner),
            arrow(row.direction).to_owned(),
            code(&row.to_partner),
            code(&row.to_highlevel),
            word(&row.policy),
        ]
    });
    let columns =
        ["record", "HighLevel", "partner", "direction", "to the partner", "to HighLevel", "conflict"];
    table(page, "Default mapping", &columns, rows);
}

fn operations(manifest: &Manifest, page: &mut String) {
    let rows = manifest.triggers.iter().map(|trigger| {
        vec![
            format!("`{}`", trigger.name),
            trigger.title.clone(),
            word(&trigger.source),
            note(trigger.help.as_deref(), trigger.unverified),
        ]
    });
    table(page, "Triggers", &["name", "what", "how", "notes"], rows);
    let rows = manifest.streams.iter().map(|stream| {
        vec![
            format!("`{}`", stream.name),
            stream.entity.clone(),
            format!("every {} s", stream.interval_seconds),
            stream.help.clone().unwrap_or_default(),
        ]
    });
    table(page, "Polled streams", &["name", "record", "interval", "notes"], rows);
    let rows = manifest.actions.iter().map(|action| {
        vec![
            format!("`{}.{}`", manifest.connector.id, action.name),
            action.title.clone(),
            if action.writes { "writes" } else { "reads" }.to_owned(),
            parameters(&action.input),
            format!("`{}`", action.example),
            note(action.help.as_deref(), action.unverified),
        ]
    });
    table(page, "Actions", &["id", "what", "how", "parameters", "example", "notes"], rows);
}

fn note(help: Option<&str>, unverified: bool) -> String {
    let help = help.unwrap_or_default();
    if unverified { format!("*Unverified.* {help}").trim().to_owned() } else { help.to_owned() }
}

fn settings(manifest: &Manifest, page: &mut String) {
    let rows = manifest.settings.iter().map(|setting| {
        let default = match &setting.default {
            None if setting.required => "**required**".to_owned(),
            None => "–".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let mut kind = word(&setting.kind);
        let named = if setting.choices.is_empty() { &setting.effects } else { &setting.choices };
        if !named.is_empty() {
            let _ = write!(kind, ": `{}`", named.join("`, `"));
        }
        vec![
            format!("`{}`", setting.name),
            setting.title.clone(),
            kind,
            default,
            setting.help.clone().unwrap_or_default(),
        ]
    });
    table(page, "Settings", &["name", "title", "type", "default", "help"], rows);
}

fn templates(manifest: &Manifest, page: &mut String) {
    let rows = manifest.templates.iter().map(|template| {
        let settings: Vec<_> =
            template.settings.iter().map(|(name, value)| format!("`{name}` = `{value}`")).collect();
        let rows: usize = template.mapping.values().filter_map(Value::as_array).map(Vec::len).sum();
        let mut sets = settings.join(", ");
        if rows > 0 {
            let _ = write!(sets, "{}{rows} mapping rows", if sets.is_empty() { "" } else { "; " });
        }
        vec![format!("`{}`", template.name), template.title.clone(), template.help.clone(), sets]
    });
    table(page, "Templates", &["`--template`", "title", "what for", "sets"], rows);
}

fn needs(manifest: &Manifest, page: &mut String) {
    let rows = manifest.scopes.iter().map(|scope| vec![format!("`{}`", scope.name), scope.why.clone()]);
    table(page, "What it asks for, and why", &["scope", "why"], rows);
    let rows = manifest.quotas.iter().map(|quota| {
        let list = |items: &[String]| {
            if items.is_empty() { "all".to_owned() } else { format!("`{}`", items.join("`, `")) }
        };
        vec![
            quota.scope.clone(),
            format!("{} in {} s", quota.requests, quota.per_seconds),
            list(&quota.methods),
            list(&quota.paths),
        ]
    });
    table(page, "Quotas of the partner", &["of", "requests", "methods", "paths"], rows);
    let limits = manifest.limits;
    let rows = [
        ("memory", format!("{} MiB", limits.memory_mib)),
        ("time in its own code", format!("{} ms", limits.cpu_ms)),
        ("time in all, waiting included", format!("{} ms", limits.call_timeout_ms)),
        ("calls to the host", limits.host_calls.to_string()),
        ("bytes over the boundary", format!("{} MiB", limits.traffic_mib)),
    ];
    let rows = rows.into_iter().map(|(what, most)| vec![what.to_owned(), most]);
    table(page, "Limits of one call", &["of", "at most"], rows);
    let rows = manifest.unverified.iter().map(|point| vec![point.what.clone(), point.why.clone()]);
    table(page, "Unverified", &["assumption", "why, and what is done about it"], rows);
}

/// The word that an enum has in the manifest.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

//! Checks that span several keys: do the parts of a manifest fit each other?

use std::collections::BTreeSet;

use contactor_rules::Effect;

use crate::request::{check_path, takes_credential};
use crate::settings::whole;
use crate::{
    Auth, Direction, Entity, EventId, FieldType, HostPattern, Limits, Login, Manifest, Mapping, OAuth2,
    Partner, Placement, Problem, Scheme, Setting, SettingKind, Signature, Support, TriggerSource,
};

/// The most hosts of one partner: an admin reads them.
const HOSTS: usize = 32;

/// Everything that makes no sense, in the order of the manifest.
pub(crate) fn problems(manifest: &Manifest) -> Vec<Problem> {
    let mut check = Check { manifest, problems: Vec::new() };
    check.connector();
    check.auth();
    check.webhook();
    check.entities();
    check.fields();
    check.mappings();
    check.operations();
    check.settings();
    check.limits();
    check.problems
}

struct Check<'m> {
    manifest: &'m Manifest,
    problems: Vec<Problem>,
}

impl<'m> Check<'m> {
    fn problem(&mut self, at: impl Into<String>, problem: impl Into<String>) {
        self.problems.push(Problem { at: at.into(), problem: problem.into() });
    }

    fn text(&mut self, at: impl Into<String>, text: &str) {
        if text.trim().is_empty() {
            self.problem(at, "is empty, expected a text");
        }
    }

    /// Names that travel in WIT calls, paths and tables.
    fn name(&mut self, at: impl Into<String>, name: &str) {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
        if !starts || name.len() > 64 || !name.bytes().all(allowed) {
            let expected = "expected 1 to 64 of a-z, 0-9, `-`, `_` and `.` that begin with a letter";
            self.problem(at, format!("invalid name `{name}`, {expected}"));
        }
    }

    /// Names of fields, which the partner or HighLevel chose.
    fn field_name(&mut self, at: impl Into<String>, name: &str) {
        if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let problem = format!("invalid field name `{name}`, expected 1 to 128 characters without spaces");
            self.problem(at, problem);
        }
    }

    fn unique<T: AsRef<str>>(&mut self, table: &str, names: impl Iterator<Item = T>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if !seen.insert(name.as_ref().to_owned()) {
                self.problem(place(table, index, ""), format!("`{}` is there twice", name.as_ref()));
            }
        }
    }

    fn https(&mut self, at: impl Into<String>, url: &str) {
        let host = url.strip_prefix("https://").map(|rest| rest.split('/').next().unwrap_or_default());
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '\\');
        if host.is_none_or(str::is_empty) || !url.chars().all(plain) {
            let expected = "expected https://host/path without user, query and fragment";
            self.problem(at, format!("invalid address `{url}`, {expected}"));
        }
    }

    fn connector(&mut self) {
        let Manifest { connector, partner, unverified, .. } = self.manifest;
        self.text("connector.name", &connector.name);
        self.text("connector.summary", &connector.summary);
        if let Some(url) = &connector.documentation {
            self.https("connector.documentation", url);
        }
        self.text("partner.name", &partner.name);
        self.https("partner.base_url", &partner.base_url);
        self.hosts(partner);
        for (index, entry) in unverified.iter().enumerate() {
            self.text(place("unverified", index, ".what"), &entry.what);
            self.text(place("unverified", index, ".why"), &entry.why);
        }
    }

    fn hosts(&mut self, partner: &Partner) {
        match HostPattern::of_url(&partner.base_url) {
            Some(host) if !host.is_qualified() => {
                self.problem("partner.base_url", format!("`{host}` is no full name of a host"));
            }
            Some(host) if partner.allowed_hosts().iter().all(|pattern| !pattern.covers(host.as_str())) => {
                self.problem("partner.hosts", format!("`{host}`, the host of base_url, is not among them"));
            }
            None if partner.base_url.starts_with("https://") => {
                self.problem("partner.base_url", "expected the name of a host in it, not an IP address");
            }
            // It is among them, or it was said already that this is no address.
            Some(_) | None => {}
        }
        let mut seen = BTreeSet::new();
        for host in &partner.hosts {
            if !host.is_qualified() {
                self.problem("partner.hosts", format!("`{host}` is no full name of a host"));
            }
            if !seen.insert(host) {
                self.problem("partner.hosts", format!("`{host}` is there twice"));
            }
        }
        if partner.hosts.len() > HOSTS {
            self.problem("partner.hosts", format!("expected at most {HOSTS}, found {}", partner.hosts.len()));
        }
    }

    fn auth(&mut self) {
        self.unique("auth", self.manifest.auth.iter().map(|auth| &auth.id));
        for (index, auth) in self.manifest.auth.iter().enumerate() {
            let at = |key: &str| place("auth", index, key);
            self.name(at(".id"), &auth.id);
            self.text(at(".title"), &auth.title);
            self.credentials(index, auth);
            match &auth.scheme {
                Scheme::PrefixedHeader { header, .. } => self.credential_header(at(".header"), header),
                Scheme::HeaderPair { headers } => {
                    for header in headers.keys() {
                        self.credential_header(at(".headers"), header);
                    }
                }
                Scheme::Query { parameter, .. } => self.text(at(".parameter"), parameter),
                Scheme::Login { login } => self.login(index, login),
                Scheme::OAuth2 { oauth2: OAuth2 { authorize_url, token_url, .. } } => {
                    self.https(at(".oauth2.authorize_url"), authorize_url);
                    self.https(at(".oauth2.token_url"), token_url);
                }
                Scheme::Basic { .. } | Scheme::Bearer { .. } => {}
            }
        }
    }

    fn login(&mut self, index: usize, login: &Login) {
        let at = |key: &str| place("auth", index, key);
        // With dots in it the credential would be sent to what lies beside the base URL.
        if let Err(why) = check_path(&login.path) {
            self.problem(at(".login.path"), why);
        }
        self.pointer(at(".login.token"), &login.token);
        // Any other status is no word about the token: to repeat the request could do something twice.
        if let Some(other) = login.expired.iter().find(|status| !(400..=403).contains(*status)) {
            self.problem(at(".login.expired"), format!("expected 400 to 403, found {other}"));
        }
        match &login.placement {
            Placement::Bearer => {}
            Placement::Header(name) => self.credential_header(at(".login.placement.header"), name),
            Placement::Query(name) | Placement::QueryOrForm(name) => {
                self.text(at(".login.placement"), name);
            }
        }
    }

    fn credentials(&mut self, index: usize, auth: &Auth) {
        let names: BTreeSet<_> = auth.credentials.iter().map(|part| part.name.as_str()).collect();
        if names.len() != auth.credentials.len() {
            self.problem(place("auth", index, ".credential"), "two parts have the same name");
        }
        let used: BTreeSet<_> = auth.placeholders().into_iter().collect();
        for name in used.difference(&names) {
            let problem = format!("no part `{name}` is declared, but the scheme uses it");
            self.problem(place("auth", index, ".credential"), problem);
        }
        for name in names.difference(&used) {
            let problem = format!("the part `{name}` is used nowhere in the scheme");
            self.problem(place("auth", index, ".credential"), problem);
        }
    }

    fn header(&mut self, at: impl Into<String>, header: &str) {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if header.is_empty() || !header.bytes().all(token) {
            self.problem(at, format!("invalid header name `{header}`"));
        }
    }

    /// A header that is sent with every request: what a connector may not say of one, its manifest may not say of all.
    fn credential_header(&mut self, at: String, header: &str) {
        if !takes_credential(header) {
            let problem = format!("`{header}` is set by the host, and carries no credential");
            self.problem(at, problem);
            return;
        }
        self.header(at, header);
    }

    fn pointer(&mut self, at: impl Into<String>, pointer: &str) {
        if !pointer.starts_with('/') {
            self.problem(at, format!("invalid JSON pointer `{pointer}`, expected for example `/token`"));
        }
    }

    fn webhook(&mut self) {
        let Some(webhook) = &self.manifest.webhook else { return };
        if let Signature::HmacSha256 { header, format, signed, tolerance_seconds, .. } = &webhook.signature {
            let at = |key: &str| format!("webhook.signature.{key}");
            self.header(at("header"), header);
            for (key, template, needed) in [("format", format, "signature"), ("signed", signed, "body")] {
                let names: Vec<_> = template.names().collect();
                if let Some(name) = names.iter().find(|name| **name != needed && **name != "timestamp") {
                    let problem = format!("unknown placeholder `{name}`, expected {needed} and timestamp");
                    self.problem(at(key), problem);
                }
                if names.iter().filter(|name| **name == needed).count() != 1 {
                    self.problem(at(key), format!("expected the placeholder `{{{needed}}}` once"));
                }
            }
            let element = |text: &str| text.trim().matches('{').count() == 1 && text.trim().ends_with('}');
            if !format.as_str().split(',').all(element) {
                let expected = "expected comma-separated elements that each end with a placeholder";
                self.problem(at("format"), expected);
            }
            // Each element of a header is told by its beginning.
            let starts: Vec<&str> =
                format.as_str().split(',').filter_map(|text| text.trim().split('{').next()).collect();
            let ambiguous = |(at, start): (usize, &&str)| {
                starts.iter().enumerate().any(|(other, text)| other != at && text.starts_with(*start))
            };
            if starts.iter().enumerate().any(ambiguous) {
                self.problem(at("format"), "expected elements of which none begins as another one does");
            }
            let timed = |names: Vec<&str>| names.contains(&"timestamp");
            if timed(signed.names().collect()) && !timed(format.names().collect()) {
                self.problem(at("format"), "expected `{timestamp}`, because the signed text holds it");
            }
            if *tolerance_seconds == 0 {
                self.problem(at("tolerance_seconds"), "expected at least 1");
            }
        }
        match &webhook.event_id {
            EventId::Body => {}
            // A signature covers the body, and a timestamp beside it, but no other header.
            EventId::Header(name) if webhook.signature != Signature::None => {
                let problem = format!(
                    "`{name}` is not covered by the signature, so that a webhook sent again under another id would count as another \
                     event: expected `body` or a pointer into the body"
                );
                self.problem("webhook.event_id.header", problem);
            }
            EventId::Header(name) => self.header("webhook.event_id.header", name),
            EventId::Pointer(pointer) => self.pointer("webhook.event_id.pointer", pointer),
        }
    }

    fn entities(&mut self) {
        let manifest = self.manifest;
        self.unique("entity", manifest.entities.iter().map(|entity| &entity.name));
        for (index, entity) in manifest.entities.iter().enumerate() {
            let at = |key: &str| place("entity", index, key);
            self.name(at(".name"), &entity.name);
            if entity.support == Support::Native {
                self.text(at(".partner_name"), &entity.partner_name);
            } else if entity.notes.as_deref().is_none_or(|notes| notes.trim().is_empty()) {
                self.problem(at(".notes"), "is missing: say what an admin loses, and why");
            }
            self.projection(index, entity);
            for key in &entity.natural_keys {
                self.declared_field(at(".natural_keys"), entity, &key.partner);
                self.field_name(at(".natural_keys"), &key.highlevel);
            }
        }
    }

    /// A projected list lies in a field of the contact, of the type `json`.
    fn projection(&mut self, index: usize, entity: &Entity) {
        let at = |key: &str| place("entity", index, key);
        if let Some(field) = &entity.projected_into {
            match self.manifest.field("contact", field) {
                _ if entity.support != Support::Projected => {
                    self.problem(at(".projected_into"), "belongs to `projected` records only");
                }
                Some(field) if field.kind == FieldType::Json => {}
                Some(_) => self
                    .problem(at(".projected_into"), format!("the field `{field}` is not of the type `json`")),
                None => self
                    .problem(at(".projected_into"), format!("no field `{field}` of `contact` is declared")),
            }
        }
        if entity.name == "contact" && entity.include.is_some() {
            self.problem(at(".include"), "belongs to records of a contact; for contacts there is `admit`");
        }
    }

    fn fields(&mut self) {
        let manifest = self.manifest;
        let full_name = |field: &crate::Field| format!("{}.{}", field.entity, field.name);
        self.unique("field", manifest.fields.iter().map(full_name));
        for (index, field) in manifest.fields.iter().enumerate() {
            self.field_name(place("field", index, ".name"), &field.name);
            self.text(place("field", index, ".title"), &field.title);
            self.supported_entity(place("field", index, ".entity"), &field.entity);
            if field.required && field.read_only {
                self.problem(place("field", index, ".read_only"), "a required field cannot be read-only");
            }
        }
    }

    fn mappings(&mut self) {
        let manifest = self.manifest;
        let pair = |row: &Mapping| format!("{}: {} = {}", row.entity, row.partner, row.highlevel);
        self.unique("mapping", manifest.mappings.iter().map(pair));
        for (index, row) in manifest.mappings.iter().enumerate() {
            let at = |key: &str| place("mapping", index, key);
            self.field_name(at(".highlevel"), &row.highlevel);
            if let Some(entity) = self.list_of(&row.entity) {
                self.list_row(index, row, entity);
                continue;
            }
            let Some(entity) = self.supported_entity(at(".entity"), &row.entity) else { continue };
            let field = self.declared_field(at(".partner"), entity, &row.partner);
            if !entity.direction.covers(row.direction) {
                let problem = format!("exceeds the direction of the entity `{}`", entity.name);
                self.problem(at(".direction"), problem);
            }
            if field.is_some_and(|field| field.read_only) && row.direction != Direction::ToHighlevel {
                let problem = format!("`{}` is read-only, expected `to-highlevel`", row.partner);
                self.problem(at(".direction"), problem);
            }
            if row.direction == Direction::ToHighlevel && row.to_partner.is_some() {
                self.problem(at(".to_partner"), "never runs: the row's direction is `to-highlevel`");
            }
            if row.direction == Direction::ToPartner && row.to_highlevel.is_some() {
                self.problem(at(".to_highlevel"), "never runs: the row's direction is `to-partner`");
            }
        }
    }

    /// The entity whose list of a contact's records has this name, for example `tasks`.
    fn list_of(&self, name: &str) -> Option<&'m Entity> {
        self.manifest.entities.iter().find(|entity| entity.name != "contact" && entity.list_name() == name)
    }

    /// A list is shown in a field of the partner's contact, one way.
    fn list_row(&mut self, index: usize, row: &Mapping, entity: &Entity) {
        let at = |key: &str| place("mapping", index, key);
        if entity.support == Support::Unsupported {
            self.problem(at(".entity"), format!("the entity `{}` is declared as unsupported", entity.name));
        }
        if self.manifest.field("contact", &row.partner).is_none() {
            self.problem(at(".partner"), format!("no field `{}` of `contact` is declared", row.partner));
        }
        if row.direction != Direction::ToPartner {
            self.problem(at(".direction"), "a whole list travels `to-partner` only");
        }
        if row.highlevel != row.entity {
            self.problem(at(".highlevel"), format!("expected `{}`, the list itself", row.entity));
        }
    }

    fn operations(&mut self) {
        let manifest = self.manifest;
        self.unique("stream", manifest.streams.iter().map(|stream| &stream.name));
        for (index, stream) in manifest.streams.iter().enumerate() {
            self.name(place("stream", index, ".name"), &stream.name);
            self.supported_entity(place("stream", index, ".entity"), &stream.entity);
            if stream.interval_seconds < 10 {
                self.problem(place("stream", index, ".interval_seconds"), "expected at least 10");
            }
        }
        self.unique("trigger", manifest.triggers.iter().map(|trigger| &trigger.name));
        for (index, trigger) in manifest.triggers.iter().enumerate() {
            match trigger.source {
                TriggerSource::Highlevel => self.field_name(place("trigger", index, ".name"), &trigger.name),
                TriggerSource::Timer => match trigger.name.strip_prefix("timer:") {
                    Some(name) => self.name(place("trigger", index, ".name"), name),
                    None => {
                        self.problem(
                            place("trigger", index, ".name"),
                            "a timer's event begins with `timer:`",
                        );
                    }
                },
                TriggerSource::Webhook | TriggerSource::Poll => {
                    self.name(place("trigger", index, ".name"), &trigger.name);
                }
            }
            self.text(place("trigger", index, ".title"), &trigger.title);
            let missing = match trigger.source {
                TriggerSource::Webhook => manifest.webhook.is_none().then_some("[webhook]"),
                TriggerSource::Poll => manifest.streams.is_empty().then_some("[[stream]]"),
                TriggerSource::Highlevel | TriggerSource::Timer => None,
            };
            if let Some(table) = missing {
                self.problem(place("trigger", index, ".source"), format!("the manifest has no {table}"));
            }
        }
        self.unique("action", manifest.actions.iter().map(|action| &action.name));
        for (index, action) in manifest.actions.iter().enumerate() {
            self.name(place("action", index, ".name"), &action.name);
            self.text(place("action", index, ".title"), &action.title);
            for scope in &action.scopes {
                if !manifest.scopes.iter().any(|declared| declared.name == *scope) {
                    self.problem(
                        place("action", index, ".scopes"),
                        format!("there is no [[scope]] `{scope}`"),
                    );
                }
            }
        }
        self.templates();
        self.unique("scope", manifest.scopes.iter().map(|scope| &scope.name));
        for (index, scope) in manifest.scopes.iter().enumerate() {
            self.text(place("scope", index, ".name"), &scope.name);
            self.text(place("scope", index, ".why"), &scope.why);
        }
    }

    fn templates(&mut self) {
        let manifest = self.manifest;
        self.unique("template", manifest.templates.iter().map(|template| &template.name));
        for (index, template) in manifest.templates.iter().enumerate() {
            let at = |key: &str| place("template", index, key);
            self.name(at(".name"), &template.name);
            self.text(at(".title"), &template.title);
            self.text(at(".help"), &template.help);
            for (name, value) in &template.settings {
                match manifest.settings.iter().find(|setting| setting.name == *name) {
                    None => self.problem(at(".settings"), format!("there is no setting `{name}`")),
                    Some(setting) => {
                        if let Err(problem) = setting.check(value) {
                            self.problem(at(".settings"), format!("{name}: {problem}"));
                        }
                    }
                }
            }
            for name in template.mapping.keys() {
                if manifest.entity(name).is_none() && self.list_of(name).is_none() {
                    self.problem(at(".mapping"), format!("there is no entity `{name}`"));
                }
            }
        }
    }

    fn settings(&mut self) {
        let manifest = self.manifest;
        self.unique("setting", manifest.settings.iter().map(|setting| &setting.name));
        for (index, setting) in manifest.settings.iter().enumerate() {
            self.name(place("setting", index, ".name"), &setting.name);
            self.text(place("setting", index, ".title"), &setting.title);
            self.setting(index, setting);
        }
    }

    fn setting(&mut self, index: usize, setting: &Setting) {
        let at = |key: &str| place("setting", index, key);
        let kind = setting.kind;
        if kind == SettingKind::Choice && setting.choices.is_empty() {
            self.problem(at(".choices"), "is missing: a `choice` needs some");
        }
        if !setting.choices.is_empty() && !matches!(kind, SettingKind::Choice | SettingKind::List) {
            self.problem(at(".choices"), "belongs to `choice` and `list` only");
        }
        if matches!(kind, SettingKind::Choice | SettingKind::Boolean)
            && (setting.min.is_some() || setting.max.is_some())
        {
            self.problem(at(".min"), "bounds do not belong to `choice` and `boolean`");
        }
        if kind == SettingKind::Rules {
            for effect in setting.effects.iter().filter(|effect| !Effect::NAMES.contains(&effect.as_str())) {
                self.problem(
                    at(".effects"),
                    format!("there is no effect `{effect}`, expected {}", Effect::NAMES.join(", ")),
                );
            }
        }
        if (kind == SettingKind::Rules) == setting.effects.is_empty() {
            self.problem(
                at(".effects"),
                "`rules` need the effects that they may have; other settings have none",
            );
        }
        if let (Some(min), Some(max)) = (setting.min, setting.max)
            && min > max
        {
            self.problem(at(".min"), "is larger than `max`");
        }
        if let Some(pattern) = &setting.pattern {
            if !matches!(kind, SettingKind::Text | SettingKind::List | SettingKind::Map) {
                self.problem(at(".pattern"), "belongs to `text`, `list` and `map` only");
            }
            if let Err(problem) = whole(pattern) {
                self.problem(at(".pattern"), problem);
                return;
            }
        }
        if let Some(default) = &setting.default {
            if setting.required {
                self.problem(at(".required"), "a setting with a default need not be entered");
            }
            if let Err(problem) = setting.check(default) {
                self.problem(at(".default"), problem);
            }
        }
    }

    fn limits(&mut self) {
        let (limits, maximum) = (&self.manifest.limits, Limits::MAXIMUM);
        for (key, value, maximum) in [
            ("memory_mib", limits.memory_mib, maximum.memory_mib),
            ("cpu_ms", limits.cpu_ms, maximum.cpu_ms),
            ("call_timeout_ms", limits.call_timeout_ms, maximum.call_timeout_ms),
            ("host_calls", limits.host_calls, maximum.host_calls),
            ("traffic_mib", limits.traffic_mib, maximum.traffic_mib),
        ] {
            if value == 0 || value > maximum {
                self.problem(format!("limits.{key}"), format!("is {value}, expected 1 to {maximum}"));
            }
        }
        for (index, repeatable) in self.manifest.repeatables.iter().enumerate() {
            self.text(place("repeatable", index, ".why"), &repeatable.why);
            if repeatable.paths.is_empty() || repeatable.paths.iter().any(|path| !path.starts_with('/')) {
                self.problem(place("repeatable", index, ".paths"), "expected paths that begin with `/`");
            }
        }
        for (index, quota) in self.manifest.quotas.iter().enumerate() {
            self.text(place("quota", index, ".scope"), &quota.scope);
            if quota.requests == 0 || quota.per_seconds == 0 {
                self.problem(place("quota", index, ""), "expected at least 1 request in at least 1 second");
            }
            if quota.paths.iter().any(|path| !path.starts_with('/')) {
                self.problem(place("quota", index, ".paths"), "expected paths that begin with `/`");
            }
        }
    }

    /// The entity of this name, which must be declared and supported.
    fn supported_entity(&mut self, at: String, name: &str) -> Option<&'m Entity> {
        let Some(entity) = self.manifest.entity(name) else {
            let known: Vec<_> = self.manifest.entities.iter().map(|entity| entity.name.as_str()).collect();
            let problem = format!("no entity `{name}` is declared, expected one of: {}", known.join(", "));
            self.problem(at, problem);
            return None;
        };
        if entity.support == Support::Unsupported {
            self.problem(at, format!("the entity `{name}` is declared as unsupported"));
            return None;
        }
        Some(entity)
    }

    /// The partner's field of this name, which must be declared.
    fn declared_field(&mut self, at: String, entity: &Entity, name: &str) -> Option<&'m crate::Field> {
        let field = self.manifest.field(&entity.name, name);
        if field.is_none() {
            let known: Vec<_> =
                self.manifest.fields_of(&entity.name).map(|field| field.name.clone()).collect();
            let problem = format!(
                "no field `{name}` of `{}` is declared, expected one of: {}",
                entity.name,
                known.join(", ")
            );
            self.problem(at, problem);
        }
        field
    }
}

/// A place in an array of tables, counted from 1 as a person counts.
fn place(table: &str, index: usize, key: &str) -> String {
    format!("{table}[{}]{key}", index + 1)
}

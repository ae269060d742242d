//! The connector under test: every call of it, and what the suite keeps of each.

use std::sync::Arc;
use std::time::Duration;

use contactor_manifest::Manifest;
use contactor_runtime::bindings::types::Error;
use contactor_runtime::{CallError, Connector, Invocation, Reply};

use crate::host::{Host, HostCall, Script, State};
use crate::{CANARY, values};

/// The connector, and what was seen of it so far.
pub(crate) struct Subject {
    connector: Connector<Host>,
    settings: Arc<str>,
    /// What ended calls since it was last asked for.
    faults: Vec<Fault>,
    /// Calls that wrote where they must not.
    pub(crate) writes: Vec<String>,
    /// Places where the canary came out.
    pub(crate) leaks: Vec<String>,
    pub(crate) peak: Peak,
    pub(crate) calls: usize,
}

/// A call that did not come back with the connector's own answer.
struct Fault {
    /// The export and what it was about.
    place: String,
    reason: String,
}

/// The most that any call used.
#[derive(Default)]
pub(crate) struct Peak {
    memory: u64,
    cpu: Duration,
    host_calls: u32,
    bytes: u64,
}

/// What became of a call.
pub(crate) struct Answer {
    /// The connector's own answer, if it came.
    pub(crate) reply: Option<Reply>,
    pub(crate) calls: Vec<HostCall>,
    pub(crate) state: State,
}

impl Answer {
    /// The calls that write.
    pub(crate) fn writes(&self) -> Vec<HostCall> {
        self.calls.iter().filter(|call| call.writes).cloned().collect()
    }

    pub(crate) fn requests(&self) -> usize {
        self.calls.iter().filter(|call| call.operation == "partner.send").count()
    }

    /// The connector's own error, if that is what it answered.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self.reply.as_ref()? {
            Reply::Check(result) => result.as_ref().err(),
            Reply::Admit(result) => result.as_ref().err(),
            Reply::Read(result) | Reply::Create(result) | Reply::Update(result) => result.as_ref().err(),
            Reply::Find(result) => result.as_ref().err(),
            Reply::Delete(result) => result.as_ref().err(),
            Reply::Receive(result) => result.as_ref().err(),
            Reply::Poll(result) => result.as_ref().err(),
            Reply::Handle(result) => result.as_ref().err(),
            Reply::Run(result) => result.as_ref().err(),
        }
    }
}

impl Subject {
    pub(crate) fn new(connector: Connector<Host>, settings: String) -> Self {
        Self {
            connector,
            settings: settings.into(),
            faults: Vec::new(),
            writes: Vec::new(),
            leaks: Vec::new(),
            peak: Peak::default(),
            calls: 0,
        }
    }

    pub(crate) fn manifest(&self) -> Manifest {
        self.connector.manifest().clone()
    }

    /// The faults since this was last asked, those of one export for one reason together.
    pub(crate) fn take_faults(&mut self) -> Vec<String> {
        let mut groups: Vec<(Fault, usize)> = Vec::new();
        for fault in std::mem::take(&mut self.faults) {
            let same = |other: &&mut (Fault, usize)| {
                other.0.reason == fault.reason
                    && place_without_input(&other.0.place) == place_without_input(&fault.place)
            };
            match groups.iter_mut().find(same) {
                Some((_, count)) => *count += 1,
                None => groups.push((fault, 1)),
            }
        }
        let told = |(fault, count): (Fault, usize)| match count {
            1 => format!("{}: {}", fault.place, fault.reason),
            count => format!("{} (and {} more inputs): {}", fault.place, count - 1, fault.reason),
        };
        groups.into_iter().map(told).collect()
    }

    /// One call with an empty state and a HighLevel that works. `about` says what is special about it.
    pub(crate) async fn call(&mut self, invocation: Invocation, about: &str, script: &Script) -> Answer {
        self.call_with(invocation, about, script, State::new(), None).await
    }

    /// One call.
    pub(crate) async fn call_with(
        &mut self,
        invocation: Invocation,
        about: &str,
        script: &Script,
        state: State,
        highlevel: Option<Error>,
    ) -> Answer {
        let host = Host::new(Arc::clone(&self.settings), state, Arc::clone(script), highlevel);
        let place = place(&invocation, about);
        let outcome = self.connector.call(host, invocation.clone()).await;
        let Host { calls, logs, state, .. } = outcome.host;
        self.calls += 1;
        self.peak.take(&outcome.usage);
        self.look_for_writes(&invocation, &place, &calls);

        let mut spoken = format!("{:?}", outcome.result);
        spoken.push_str(&logs.join("\n"));
        for call in &calls {
            spoken.push_str(&call.arguments);
        }
        if spoken.contains(CANARY) {
            self.leaks.push(place.clone());
        }
        let reply = outcome.result.map_err(|error| self.faults.push(fault(&error, &place, logs.last()))).ok();
        Answer { reply, calls, state }
    }

    /// Notes the calls of an export that must not write.
    fn look_for_writes(&mut self, invocation: &Invocation, place: &str, calls: &[HostCall]) {
        let manifest = self.connector.manifest();
        let prepares: &[String] = match invocation {
            Invocation::Poll { stream, .. } => {
                manifest.stream(stream).map_or(&[], |stream| stream.prepares.as_slice())
            }
            _ => &[],
        };
        let may_write = match invocation {
            Invocation::Create { .. }
            | Invocation::Update { .. }
            | Invocation::Delete { .. }
            | Invocation::Handle(_) => true,
            Invocation::Run { name, .. } => manifest.action(name).is_none_or(|action| action.writes),
            _ => false,
        };
        let offends = |call: &HostCall| match invocation {
            Invocation::Admit { .. } => call.writes || call.operation == "partner.send",
            _ => call.writes && !prepared(call, prepares),
        };
        for call in calls.iter().filter(|call| !may_write && offends(call)) {
            self.writes.push(format!("{} made the call {}", place_without_input(place), call.shown()));
        }
    }
}

/// Whether a request only has the partner prepare data, as the stream's manifest says.
fn prepared(call: &HostCall, prepares: &[String]) -> bool {
    let Ok(arguments) = serde_json::from_str::<serde_json::Value>(&call.arguments) else { return false };
    call.operation == "partner.send"
        && arguments[0] == "POST"
        && arguments[1].as_str().is_some_and(|path| prepares.iter().any(|own| own == path))
}

/// Where something happened, for the report.
fn place(invocation: &Invocation, about: &str) -> String {
    let what = match invocation {
        Invocation::Admit { entity, .. }
        | Invocation::Read { entity, .. }
        | Invocation::Find { entity, .. }
        | Invocation::Create { entity, .. }
        | Invocation::Update { entity, .. }
        | Invocation::Delete { entity, .. } => format!(" `{entity}`"),
        Invocation::Check | Invocation::Receive(_) => String::new(),
        Invocation::Poll { stream, .. } => format!(" `{stream}`"),
        Invocation::Handle(event) => format!(" `{}`", event.kind),
        Invocation::Run { name, .. } => format!(" `{name}`"),
    };
    let about = if about.is_empty() { String::new() } else { format!(", {about}") };
    format!("{}{what}{about}", invocation.export())
}

/// The same write at many inputs is one problem.
fn place_without_input(place: &str) -> &str {
    place.split(", ").next().unwrap_or(place)
}

fn fault(error: &CallError, place: &str, last_line: Option<&String>) -> Fault {
    let last_line = last_line.map(|line| format!("; its last log line: {}", cut(line))).unwrap_or_default();
    let reason = match error {
        CallError::Guest { fault, .. } => fault.to_string(),
        CallError::Host { fault, .. } => fault.to_string(),
    };
    Fault { place: place.to_owned(), reason: format!("{reason}{last_line}") }
}

fn cut(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

impl Peak {
    fn take(&mut self, usage: &contactor_runtime::Usage) {
        self.memory = self.memory.max(usage.peak_memory);
        self.cpu = self.cpu.max(usage.cpu);
        self.host_calls = self.host_calls.max(usage.host_calls);
        self.bytes = self.bytes.max(usage.bytes_sent + usage.bytes_received);
    }

    /// What was used of what the manifest asks for.
    pub(crate) fn shown(&self, limits: &contactor_manifest::Limits) -> String {
        const MIB: u64 = 1 << 20;
        format!(
            "at most {} of {} MiB, {} of {} ms, {} of {} host calls, {} of {} MiB of traffic",
            self.memory.div_ceil(MIB),
            limits.memory_mib,
            self.cpu.as_millis(),
            limits.cpu_ms,
            self.host_calls,
            limits.host_calls,
            self.bytes.div_ceil(MIB),
            limits.traffic_mib
        )
    }
}

/// What the suite asks again and again.
pub(crate) mod ask {
    use contactor_manifest::Manifest;
    use contactor_runtime::Invocation;
    use contactor_runtime::bindings::automations::{Event, Source};
    use contactor_runtime::bindings::triggers::Webhook;
    use contactor_runtime::bindings::types::{NamedValue, Value};
    use serde_json::{Value as Json, json};

    use super::values;
    use crate::CANARY;
    use crate::host::CONTACT;

    pub(crate) fn read(entity: &str, id: &str) -> Invocation {
        Invocation::Read { entity: entity.to_owned(), id: id.to_owned() }
    }

    pub(crate) fn find(entity: &str, name: &str, value: Value) -> Invocation {
        Invocation::Find { entity: entity.to_owned(), key: NamedValue { name: name.to_owned(), value } }
    }

    pub(crate) fn create(entity: &str, fields: Vec<NamedValue>) -> Invocation {
        Invocation::Create { entity: entity.to_owned(), fields }
    }

    pub(crate) fn update(entity: &str, id: &str, fields: Vec<NamedValue>) -> Invocation {
        Invocation::Update { entity: entity.to_owned(), id: id.to_owned(), fields }
    }

    pub(crate) fn poll(stream: &str, cursor: Option<&str>) -> Invocation {
        Invocation::Poll { stream: stream.to_owned(), cursor: cursor.map(str::to_owned) }
    }

    pub(crate) fn run(name: &str, input: &(impl ToString + ?Sized)) -> Invocation {
        Invocation::Run { name: name.to_owned(), input: input.to_string() }
    }

    /// A webhook with headers that a partner or a proxy may send, some of which are secrets.
    pub(crate) fn receive(content_type: &str, body: impl Into<Vec<u8>>) -> Invocation {
        let headers = [
            ("content-type", content_type),
            ("user-agent", "suite"),
            ("authorization", CANARY),
            ("cookie", CANARY),
            ("x-api-key", CANARY),
            ("x-webhook-secret", CANARY),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Invocation::Receive(Webhook { headers, body: body.into() })
    }

    pub(crate) fn handle(event: Event) -> Invocation {
        Invocation::Handle(event)
    }

    /// An event of every kind that the connector reacts to: its declared triggers.
    pub(crate) fn events(manifest: &Manifest) -> Vec<Event> {
        let mut events = Vec::new();
        for trigger in &manifest.triggers {
            use contactor_manifest::TriggerSource;
            let source = match trigger.source {
                TriggerSource::Webhook | TriggerSource::Poll => Source::Partner,
                TriggerSource::Highlevel => Source::Highlevel,
                TriggerSource::Timer => Source::Host,
            };
            let payload = trigger.sample.clone().unwrap_or_else(|| {
                json!({ "type": trigger.name, "contactId": CONTACT, "id": "task-1", "title": "Call", "dueDate": values::INSTANT })
            });
            let mut fields = values::contact();
            let members = payload.as_object().into_iter().flatten();
            for (name, value) in
                members.filter(|(name, _)| !values::contact().iter().any(|field| field.name == **name))
            {
                fields.push(NamedValue { name: name.clone(), value: values::from_json(value.clone()) });
            }
            events.push(Event {
                id: format!("event of {}", trigger.name),
                source,
                kind: trigger.name.clone(),
                contact_id: Some(CONTACT.to_owned()),
                partner_id: Some(values::ID.to_owned()),
                at: values::INSTANT.to_owned(),
                fields,
                payload: payload.to_string(),
            });
        }
        events
    }

    /// The samples of webhooks.
    pub(crate) fn webhook_samples(manifest: &Manifest) -> Vec<(String, Json)> {
        let webhooks = manifest
            .triggers
            .iter()
            .filter(|trigger| trigger.source == contactor_manifest::TriggerSource::Webhook);
        webhooks.filter_map(|trigger| Some((trigger.name.clone(), trigger.sample.clone()?))).collect()
    }
}

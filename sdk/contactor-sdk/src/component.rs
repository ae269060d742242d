//! From the exports of `wit/` to an author's [`Connector`].

use std::marker::PhantomData;

use crate::bindings::exports::contactor::connector::{actions, adapter, automations, triggers};
use crate::{
    Account, Connector, Decision, Direction, Error, Event, Fields, NamedValue, Outcome, PartnerRecord,
    PollPage, Received, Result, Webhook,
};

/// The component of a connector; [`export!`](crate::export) exports it.
pub struct Component<C>(PhantomData<C>);

impl<C: Connector> adapter::Guest for Component<C> {
    fn check() -> Result<Account> {
        report_panics();
        C::check()
    }

    fn admit(entity: String, direction: Direction, fields: Vec<NamedValue>) -> Result<Decision> {
        report_panics();
        C::admit(&entity, direction, &Fields::from(fields))
    }

    fn read(entity: String, id: String) -> Result<PartnerRecord> {
        report_panics();
        C::read(&entity, &id)
    }

    fn find(entity: String, key: NamedValue) -> Result<Vec<PartnerRecord>> {
        report_panics();
        C::find(&entity, &key)
    }

    fn create(entity: String, fields: Vec<NamedValue>) -> Result<PartnerRecord> {
        report_panics();
        C::create(&entity, &Fields::from(fields))
    }

    fn update(entity: String, id: String, fields: Vec<NamedValue>) -> Result<PartnerRecord> {
        report_panics();
        C::update(&entity, &id, &Fields::from(fields))
    }

    fn delete(entity: String, id: String) -> Result<()> {
        report_panics();
        C::delete(&entity, &id)
    }
}

impl<C: Connector> triggers::Guest for Component<C> {
    fn receive(webhook: Webhook) -> Result<Received> {
        report_panics();
        C::receive(&webhook)
    }

    fn poll(stream: String, cursor: Option<String>) -> Result<PollPage> {
        report_panics();
        C::poll(&stream, cursor.as_deref())
    }
}

impl<C: Connector> automations::Guest for Component<C> {
    fn handle(event: Event) -> Result<Outcome> {
        report_panics();
        C::handle(&event)
    }
}

impl<C: Connector> actions::Guest for Component<C> {
    fn run(name: String, input: String) -> Result<String> {
        report_panics();
        let input: serde_json::Value = serde_json::from_str(&input)
            .map_err(|error| Error::invalid("", format!("the action's input is no JSON: {error}")))?;
        // The host checks the input against the manifest's schema before it comes here; a connector may index it either way.
        if !input.is_object() {
            return Err(Error::invalid("", "the action's input is no JSON object"));
        }
        C::run(&name, input).map(|output| output.to_string())
    }
}

/// A panic is a bare trap to the host, so its message goes to the run's log first. Only a component does so: a test reports panics
/// by itself.
fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| {
        crate::log::write(crate::log::Level::Error, &panic.to_string(), &[]);
    }));
}

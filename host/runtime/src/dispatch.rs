//! From an invocation to the typed export and back, in a fresh instance.

use wasmtime::{Error, Store};

use crate::{
    Invocation, Reply,
    bindings::{ConnectorPre, HostImports},
    store::{CallState, Stop},
};

/// Where a call failed. The linker has accepted the component, so that a failing start without a trap is the host's fault.
pub(crate) enum Failure {
    Start(Error),
    Call(Error),
}

/// Instantiates the component, calls one export, and leaves the instance behind in the store, never to be used again.
pub(crate) async fn run<H: HostImports>(
    component: &ConnectorPre<CallState<H>>,
    store: &mut Store<CallState<H>>,
    invocation: &Invocation,
) -> Result<Reply, Failure> {
    let over_budget = || Failure::Call(Stop::Traffic.into());
    if !store.data_mut().budget.receive(invocation) {
        return Err(over_budget());
    }
    let instance = component.instantiate_async(&mut *store).await.map_err(Failure::Start)?;
    let adapter = instance.contactor_connector_adapter();
    let triggers = instance.contactor_connector_triggers();
    let automations = instance.contactor_connector_automations();
    let actions = instance.contactor_connector_actions();
    let to = &mut *store;
    let reply = match invocation {
        Invocation::Check => adapter.call_check(to).await.map(Reply::Check),
        Invocation::Admit { entity, direction, fields } => {
            adapter.call_admit(to, entity, *direction, fields).await.map(Reply::Admit)
        }
        Invocation::Read { entity, id } => adapter.call_read(to, entity, id).await.map(Reply::Read),
        Invocation::Find { entity, key } => adapter.call_find(to, entity, key).await.map(Reply::Find),
        Invocation::Create { entity, fields } => {
            adapter.call_create(to, entity, fields).await.map(Reply::Create)
        }
        Invocation::Update { entity, id, fields } => {
            adapter.call_update(to, entity, id, fields).await.map(Reply::Update)
        }
        Invocation::Delete { entity, id } => adapter.call_delete(to, entity, id).await.map(Reply::Delete),
        Invocation::Receive(webhook) => triggers.call_receive(to, webhook).await.map(Reply::Receive),
        Invocation::Poll { stream, cursor } => {
            triggers.call_poll(to, stream, cursor.as_deref()).await.map(Reply::Poll)
        }
        Invocation::Handle(event) => automations.call_handle(to, event).await.map(Reply::Handle),
        Invocation::Run { name, input } => actions.call_run(to, name, input).await.map(Reply::Run),
    }
    .map_err(Failure::Call)?;
    if store.data_mut().budget.send(&reply) { Ok(reply) } else { Err(over_budget()) }
}

//! `contactor sandbox`: doubles of the vendors, to try everything without an account.

use std::net::SocketAddr;

use contactor_sandbox::{Sandbox, SandboxConfig};
use url::Url;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output;

/// Run doubles of HighLevel and the partners, to try everything without an account. They behave like the vendors, request
/// limits and bad habits included, keep everything in memory, and hold no real data. Each has a page with its records and the
/// requests that it got; the addresses are printed. The control API lists itself.
#[derive(clap::Args)]
#[command(after_help = "\
Example, in two terminals:
  contactor sandbox --webhooks-to http://127.0.0.1:8440 --people 200
  contactor serve            with the sections [highlevel], [connectors] and [outbound] that it prints

`contactor emit` then sets off any trigger.")]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8450")]
    listen: SocketAddr,
    /// Decides ids, keys and sample people: the same number gives the same sandbox.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Address of the host that HighLevel's webhooks go to.
    #[arg(long, value_name = "URL")]
    webhooks_to: Option<Url>,
    /// Sample contacts to begin with.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    people: usize,
    /// No request limits, no delays, no record of requests: for measuring.
    #[arg(long)]
    free_of_cost: bool,
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let base = if args.free_of_cost { SandboxConfig::free_of_cost() } else { SandboxConfig::default() };
    let config = SandboxConfig { listen: args.listen, seed: args.seed, ..base };
    let sandbox = Sandbox::start(config).await.map_err(failed)?;
    prepare(&sandbox, args)?;
    print(context, &sandbox, args.listen)?;
    tokio::signal::ctrl_c().await?;
    sandbox.shutdown().await;
    Ok(())
}

fn failed(error: contactor_sandbox::SandboxError) -> Failure {
    Failure::new(Exit::Failed, error)
}

fn prepare(sandbox: &Sandbox, args: &Args) -> Result<(), Failure> {
    let highlevel = sandbox.highlevel();
    if let Some(host) = &args.webhooks_to {
        let target = host.join("/webhooks/highlevel").map_err(|error| Failure::new(Exit::Usage, error))?;
        highlevel.set_webhook_target(Some(target));
    }
    if args.people > 0 {
        highlevel.load(&highlevel.first_location(), args.people).map_err(failed)?;
    }
    Ok(())
}

/// The addresses of the doubles' pages.
fn pages(control: &str) -> Vec<String> {
    contactor_sandbox::DOUBLES.map(|double| format!("{control}/browse/{double}")).to_vec()
}

fn print(context: &Context, sandbox: &Sandbox, listen: SocketAddr) -> std::io::Result<()> {
    let (formbuilder, highlevel, pheedloop) =
        (sandbox.formbuilder(), sandbox.highlevel(), sandbox.pheedloop());
    let (prefinery, referrizer) = (sandbox.prefinery(), sandbox.referrizer());
    if context.out.json {
        return output::json(&serde_json::json!({
            "formbuilder": {
                "url": sandbox.formbuilder_url(),
                "username": formbuilder.username(),
                "password": formbuilder.password(),
                "form": formbuilder.first_form(),
            },
            "highlevel": {
                "url": sandbox.highlevel_url(),
                "location": highlevel.first_location(),
                "token": highlevel.private_token(),
                "webhook_key": highlevel.webhook_public_key_pem(),
            },
            "pheedloop": {
                "url": sandbox.pheedloop_url(),
                "organization": pheedloop.organization(),
                "events": pheedloop.events(),
                "api_key": pheedloop.api_key(),
                "api_secret": pheedloop.api_secret(),
            },
            "prefinery": {
                "url": sandbox.prefinery_url(),
                "project": prefinery.first_project(),
                "api_key": prefinery.api_key(),
                "signing_secret": prefinery.signing_secret(prefinery.first_project()),
            },
            "referrizer": { "url": sandbox.referrizer_url(), "token": referrizer.token() },
            "connectif": {
                "url": sandbox.connectif_url(),
                "id": sandbox.connectif().key_parts().0,
                "secret": sandbox.connectif().key_parts().1,
            },
            "control": sandbox.control_url(),
            "pages": pages(&sandbox.control_url()),
        }));
    }
    context.out.text(&format!(
        "control    {control}\n\
         HighLevel  {highlevel_url}   location {location}   token {token}\n\
         Connectif  {connectif_url}   key {connectif_key}\n\
         PheedLoop  {pheedloop_url}   organisation {organization}   event {event}   key {pheedloop_key}   secret {pheedloop_secret}\n\
         Prefinery  {prefinery_url}   project {project}   key {key}   webhook secret {secret}\n\
         Referrizer {referrizer_url}   token {referrizer_token}\n\
         123FormBuilder  {formbuilder_url}   form {form}   user {username}   password {password}\n\
         \n\
         # pages with records and requests, for a browser\n\
         {pages}\n\
         \n\
         # for contactor.toml\n\
         [highlevel]\n\
         base-url = \"{highlevel_url}\"\n\
         webhook-keys = [\"\"\"\n{pem}\"\"\"]\n\
         \n\
         [connectors]\n\
         unsigned = \"allow\"\n\
         \n\
         [outbound]\n\
         allow = [\"{here}\"]\n\
         hosts = {{ \"*\" = [\"{here}\"] }}",
        here = listen.ip(),
        control = sandbox.control_url(),
        highlevel_url = sandbox.highlevel_url(),
        location = highlevel.first_location(),
        token = highlevel.private_token(),
        connectif_url = sandbox.connectif_url(),
        connectif_key = sandbox.connectif().api_key(),
        formbuilder_url = sandbox.formbuilder_url(),
        form = formbuilder.first_form(),
        username = formbuilder.username(),
        password = formbuilder.password(),
        pheedloop_url = sandbox.pheedloop_url(),
        organization = pheedloop.organization(),
        event = pheedloop.first_event(),
        pheedloop_key = pheedloop.api_key(),
        pheedloop_secret = pheedloop.api_secret(),
        prefinery_url = sandbox.prefinery_url(),
        project = prefinery.first_project(),
        key = prefinery.api_key(),
        secret = prefinery.signing_secret(prefinery.first_project()).unwrap_or_default(),
        pages = pages(&sandbox.control_url()).join("\n"),
        referrizer_url = sandbox.referrizer_url(),
        referrizer_token = referrizer.token(),
        pem = highlevel.webhook_public_key_pem(),
    ))?;
    context.out.note("running until Ctrl-C")
}

//! What no webhook announces: polls of the partner, sweeps of HighLevel.

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault};
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use serde_json::json;

fn never() -> DeliveryFault {
    DeliveryFault { event: "*".to_owned(), times: 1_000, effect: DeliveryEffect::Drop }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn testers_that_were_there_before_become_contacts_by_the_poll_and_mail_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let (location, project) = (sandbox.highlevel().first_location(), sandbox.prefinery().first_project());
    for (email, groups) in [("old@example.com", "beta,early"), ("older@example.com", "")] {
        let fields = json!({ "email": email, "groups": groups, "profile": { "first_name": "Old" } });
        sandbox.prefinery().act(project, ProjectAct::CreateTester { fields }).unwrap();
    }
    let gone = json!({ "email": "gone@example.com" });
    let gone = sandbox.prefinery().act(project, ProjectAct::CreateTester { fields: gone }).unwrap();
    sandbox.prefinery().act(project, ProjectAct::Unsubscribe { tester: gone["id"].to_string() }).unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let emails = || -> Vec<String> {
        let contacts = sandbox.highlevel().contacts(&location);
        contacts.iter().filter_map(|c| c["email"].as_str().map(str::to_owned)).collect()
    };
    host.until("both became contacts", async || Ok(emails().len() >= 2)).await.unwrap();
    host.until_idle().await.unwrap();
    let mut emails = emails();
    emails.sort();
    assert_eq!(emails, ["old@example.com", "older@example.com"], "who unsubscribed stays away");
    let contacts = sandbox.highlevel().contacts(&location);
    let contact = contacts.iter().find(|c| c["email"] == "old@example.com").unwrap();
    assert_eq!(contact["firstName"], "Old");
    let mut tags: Vec<_> = contact["tags"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["beta", "early", "prefinery"]);
    let mails = sandbox.prefinery().mails(project);
    assert_eq!((mails.invitations, mails.rejections), (0, 0));
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_webhook_was_lost_is_found_by_the_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let (location, project) = (sandbox.highlevel().first_location(), sandbox.prefinery().first_project());
    Host::init(dir.path(), &sandbox, "[engine]\nsweep-interval = 1\n").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    sandbox.highlevel().webhooks().add_fault(never());
    let fields = json!({ "firstName": "Lost", "email": "lost@example.com" });
    let contact = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    host.until("the sweep finds the new contact", async || {
        Ok(sandbox.prefinery().tester(project, "lost@example.com").is_some())
    })
    .await
    .unwrap();
    let contact = contact["id"].as_str().unwrap().to_owned();
    let edit = PersonAct::EditContact { contact, fields: json!({ "firstName": "Found" }) };
    sandbox.highlevel().act(&location, edit).unwrap();
    host.until("the sweep finds the edit", async || {
        let tester = sandbox.prefinery().tester(project, "lost@example.com").unwrap_or_default();
        Ok(tester["profile"]["first_name"] == "Found")
    })
    .await
    .unwrap();
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_at_the_vendor_hands_the_link_to_the_survivor_and_deletes_no_tester() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let (location, project) = (sandbox.highlevel().first_location(), sandbox.prefinery().first_project());
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let settled = async || {
        host.until("all webhooks have arrived", async || {
            host.until_idle().await?;
            Ok(sandbox.highlevel().webhooks().pending() + sandbox.prefinery().webhooks().pending() == 0)
        })
        .await
        .unwrap();
        host.until_idle().await.unwrap();
    };
    let create = |fields| {
        let contact = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        contact["id"].as_str().unwrap().to_owned()
    };
    let loser = create(json!({ "firstName": "Mer", "email": "merge@example.com" }));
    let master = create(json!({ "firstName": "Merge", "phone": "+12025550177" }));
    settled().await;
    let tester = sandbox.prefinery().tester(project, "merge@example.com").unwrap();
    sandbox
        .highlevel()
        .act(&location, PersonAct::MergeContacts { master: master.clone(), losers: vec![loser] })
        .unwrap();
    settled().await;
    // The survivor has the loser's email only among its further ones; somebody makes it the first.
    let edit =
        PersonAct::EditContact { contact: master.clone(), fields: json!({ "email": "merge@example.com" }) };
    sandbox.highlevel().act(&location, edit).unwrap();
    settled().await;
    let testers = sandbox.prefinery().testers(project);
    assert_eq!(testers.len(), 1, "{testers:?}");
    assert_eq!(testers[0]["id"], tester["id"]);
    let timeline = host.get(&format!("/workspaces/acme/contacts/{master}/timeline")).await.unwrap();
    assert_eq!(timeline["links"][0]["partner_id"], tester["id"].to_string(), "{timeline}");
    assert_eq!(host.get("/workspaces/acme/parked").await.unwrap(), json!([]));
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}

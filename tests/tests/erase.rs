//! A person is forgotten by the real host: nothing in its directory mentions the person afterwards, and everybody else is there.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::path::Path;

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::host::Host;
use serde_json::{Value, json};

/// The files below a directory in which one of these words stands, as it is or in other case.
fn mentions(dir: &Path, words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(mentions(&path, words));
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).to_lowercase();
        let present = words.iter().filter(|word| text.contains(&word.to_lowercase()));
        found.extend(present.map(|word| format!("{word} in {}", path.display())));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_the_hosts_directory_mentions_a_person_who_was_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    sandbox.highlevel().load(&location, 8).unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    host.post("/workspaces/acme/connections/prefinery/sync", &json!({ "full": true })).await.unwrap();
    host.until_idle().await.unwrap();

    let contacts = sandbox.highlevel().contacts(&location);
    let with_email: Vec<&Value> = contacts.iter().filter(|contact| contact["email"].is_string()).collect();
    let text = |contact: &Value, name: &str| contact[name].as_str().unwrap_or_default().to_owned();
    let (ann, bob) = (with_email[0], with_email[1]);
    // An edit whose webhook is read, so that it stands in events, marks and runs as well.
    let act = contactor_sandbox::highlevel::PersonAct::EditContact {
        contact: text(ann, "id"),
        fields: json!({ "lastName": "Unforgettable" }),
    };
    sandbox.highlevel().act(&location, act).unwrap();
    host.until("the edit arrived", async || {
        let testers = sandbox.prefinery().testers(sandbox.prefinery().first_project());
        Ok(testers.iter().any(|tester| tester.to_string().contains("Unforgettable")))
    })
    .await
    .unwrap();
    // The partner tells of the change that was made there, which the host reads as well.
    let pending = || sandbox.outboxes().iter().map(|outbox| outbox.pending()).sum::<usize>();
    host.until("no webhook is under way", async || Ok(pending() == 0)).await.unwrap();
    host.until_idle().await.unwrap();
    // What they leave behind is not to mention them, so both are gone from the doubles' point of view.
    let who = |contact: &Value| [text(contact, "email"), text(contact, "id")].to_vec();
    let found =
        host.post("/workspaces/acme/erase", &json!({ "who": text(ann, "email"), "preview": true })).await;
    let found = found.unwrap();
    let erased = host.post("/workspaces/acme/erase", &json!({ "who": text(ann, "email") })).await.unwrap();
    assert_eq!(erased, found, "what was told is what was done");
    for kind in ["links", "runs", "events"] {
        assert!(erased[kind].as_u64() > Some(0), "{kind}: {erased}");
    }
    let nobody =
        host.post("/workspaces/acme/erase", &json!({ "who": text(ann, "email") })).await.unwrap_err();
    assert!(nobody.to_string().contains("no person known as"), "{nobody:#}");
    host.stop().await.unwrap();

    assert_eq!(
        mentions(dir.path(), &[who(ann), vec!["Unforgettable".to_owned()]].concat()),
        [] as [String; 0]
    );
    assert!(!mentions(dir.path(), &who(bob)).is_empty(), "the others are remembered");
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_contacts_with_one_number_the_one_that_is_given_by_its_id_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    sandbox.highlevel().load(&location, 4).unwrap();
    let contacts = sandbox.highlevel().contacts(&location);
    let text = |contact: &Value, name: &str| contact[name].as_str().unwrap_or_default().to_owned();
    let both: Vec<(String, String)> = contacts
        .iter()
        .filter(|contact| contact["email"].is_string())
        .map(|contact| (text(contact, "id"), text(contact, "email")))
        .take(2)
        .collect();
    let [(ann, anns_email), (bob, bobs_email)] = <[_; 2]>::try_from(both).unwrap();
    let shared = contactor_sandbox::highlevel::PersonAct::ChangeSettings {
        allow_duplicate_contact: Some(true),
        match_by: None,
        country: None,
        timezone: None,
    };
    sandbox.highlevel().act(&location, shared).unwrap();
    for contact in [&ann, &bob] {
        let act = contactor_sandbox::highlevel::PersonAct::EditContact {
            contact: contact.clone(),
            fields: json!({ "phone": "+19075550188" }),
        };
        sandbox.highlevel().act(&location, act).unwrap();
    }
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    host.post("/workspaces/acme/connections/prefinery/sync", &json!({ "full": true })).await.unwrap();
    host.until_idle().await.unwrap();

    let erase = async |body: Value| host.post("/workspaces/acme/erase", &body).await;
    // Whoever is asked for by an address leads to the other by the number.
    for who in ["+19075550188", anns_email.as_str()] {
        let refused = format!("{:#}", erase(json!({ "who": who })).await.unwrap_err());
        for word in [ann.as_str(), bob.as_str(), "--all"] {
            assert!(refused.contains(word), "{refused}");
        }
    }
    let seen = erase(json!({ "who": anns_email, "preview": true })).await.unwrap();
    assert_eq!(seen["contacts"].as_array().unwrap().len(), 2, "{seen}");
    let erased = erase(json!({ "who": ann })).await.unwrap();
    assert_eq!(erased["contacts"], json!([ann]));
    host.stop().await.unwrap();
    assert_eq!(mentions(dir.path(), &[ann, anns_email]), [] as [String; 0]);
    for word in [bob, bobs_email, "+19075550188".to_owned()] {
        assert!(!mentions(dir.path(), std::slice::from_ref(&word)).is_empty(), "{word} is gone");
    }
    sandbox.shutdown().await;
}

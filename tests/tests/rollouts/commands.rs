//! The real binary: its commands, and its death by `kill -9` amid a trial.

use super::*;

#[tokio::test]
async fn the_commands_show_approve_try_adopt_and_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = contactor_sandbox::Sandbox::start(SandboxConfig::default()).await.unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let enabled = host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let first = enabled["digest"].as_str().unwrap();

    let component = artefacts::component("prefinery").unwrap();
    let manifest = contactor_manifest::extract(&component).unwrap().unwrap();
    let wants = manifest.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1);
    let wants = wants.replacen("hosts = [", "hosts = [\"files.prefinery.example\", ", 1);
    let file = dir.path().join("prefinery-0.2.0.wasm");
    std::fs::write(&file, embed(&component, &wants).unwrap()).unwrap();
    let run = async |arguments: &[&str]| {
        let output = Host::run(dir.path(), &[&["--json", "--server", host.url()], arguments].concat(), &[])
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap())
        } else {
            Err(said)
        }
    };
    let of = |command: &'static str, options: &[&'static str]| -> Vec<&'static str> {
        [&["connection", command, "acme", "prefinery"], options].concat()
    };
    run(&["connector", "install", file.to_str().unwrap()]).await.unwrap();

    let plan = run(&of("upgrade", &["--dry-run"])).await.unwrap();
    assert_eq!(plan["more"][0]["name"], "host:files.prefinery.example");
    assert_eq!((&plan["from"]["version"], &plan["to"]["version"]), (&json!("0.1.0"), &json!("0.2.0")));
    let refused = run(&of("upgrade", &[])).await.unwrap_err();
    assert!(
        refused.contains("Speaks with files.prefinery.example") && refused.contains("--approve"),
        "{refused}"
    );
    let begun = run(&of("upgrade", &["--share", "10", "--approve"])).await.unwrap();
    assert_eq!(
        (&begun["state"], &begun["share"], &begun["mode"]),
        (&json!("running"), &json!(10), &json!("live"))
    );
    let shadow = run(&of("upgrade", &["--shadow"])).await.unwrap();
    assert_eq!(
        (&shadow["id"], &shadow["mode"], &shadow["share"]),
        (&begun["id"], &json!("shadow"), &json!(100))
    );
    let shown = run(&of("show", &[])).await.unwrap();
    assert_eq!((&shown["digest"], &shown["on_trial"]["digest"]), (&json!(first), &plan["to"]["digest"]));
    // Whoever names a rollout decides about that one alone.
    let decide = async |command: &str, number: &str| {
        run(&["connection", command, "acme", "prefinery", "--rollout", number]).await
    };
    let number = begun["id"].to_string();
    let under_way = format!("has no rollout 999, and rollout {number} is under way");
    for command in ["upgrade", "adopt", "rollback"] {
        let refused = decide(command, "999").await.unwrap_err();
        assert!(refused.contains(&under_way), "{command}: {refused}");
    }
    let adopted = decide("adopt", &number).await.unwrap();
    assert_eq!(adopted["state"], "adopted");
    assert_eq!(run(&of("show", &[])).await.unwrap()["version"], "0.2.0");
    let back = run(&of("rollback", &[])).await.unwrap();
    assert_eq!((&back["id"], &back["state"]), (&begun["id"], &json!("ended")));
    let shown = run(&of("show", &[])).await.unwrap();
    assert_eq!((&shown["digest"], &shown["on_trial"]), (&json!(first), &Value::Null));
    assert_eq!(run(&of("rollout", &["--history"])).await.unwrap().as_array().unwrap().len(), 1);
    let nothing = run(&of("rollback", &[])).await.unwrap_err();
    assert!(nothing.contains("nothing to go back to"), "{nothing}");
    assert!(run(&of("adopt", &[])).await.unwrap_err().contains("no version on trial"));

    let second = plan["to"]["digest"].as_str().unwrap();
    let audit = run(&["audit", "list", "--workspace", "acme"]).await.unwrap();
    let of_rollouts =
        audit.as_array().unwrap().iter().rev().filter(|entry| {
            entry["status"] == 200 && entry["action"].as_str().unwrap().starts_with("rollouts.")
        });
    let told: Vec<_> = of_rollouts
        .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["detail"].as_str().unwrap()))
        .collect();
    let begin = format!("rollouts.begin version=0.2.0 digest={second} former={first}");
    assert_eq!(
        told,
        [
            format!("{begin} mode=live share=10 approve=true"),
            format!("{begin} mode=shadow share=100 approve=false"),
            format!("rollouts.adopt version=0.2.0 digest={second} before={first}"),
            format!("rollouts.rollback version=0.1.0 digest={first} before={second}"),
        ]
    );

    let policy = run(&["workspace", "policy", "acme", "--deny", "contacts.write"]).await.unwrap();
    assert_eq!(policy["policy"]["deny"], json!(["contacts.write"]));
    let checked = run(&["connection", "check", "acme", "prefinery"]).await.unwrap_err();
    assert!(checked.contains("does not work"), "{checked}");
    run(&["workspace", "policy", "acme"]).await.unwrap();
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_survives_kill_9_and_is_taken_back_all_the_same() {
    const PEOPLE: usize = 30;
    let mut config = SandboxConfig::default();
    config.highlevel.limits = None;
    let sandbox = contactor_sandbox::Sandbox::start(config).await.unwrap();
    let (highlevel, location) = (sandbox.highlevel(), sandbox.highlevel().first_location());
    let dir = tempfile::tempdir().unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let new = json!({ "id": "acme", "location": location, "token": highlevel.private_token() });
    host.post("/workspaces", &new).await.unwrap();
    host.install("guest-operations").await.unwrap();
    let connection = json!({
        "base_url": sandbox.prefinery_url(),
        "credentials": { "token": sandbox.prefinery().api_key() },
        "settings": settings(&tags()),
    });
    host.put("/workspaces/acme/connections/operations", &connection).await.unwrap();
    highlevel.set_webhook_target(Some(host.webhooks().parse().unwrap()));

    let file = dir.path().join("operations-0.2.0.wasm");
    std::fs::write(&file, faulty()).unwrap();
    let run = async |host: &Host, arguments: &[&str]| {
        let arguments = [&["--json", "--server", host.url()], arguments].concat();
        let output = Host::run(dir.path(), &arguments, &[]).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    run(&host, &["connector", "install", file.to_str().unwrap()]).await;
    let begun = run(&host, &["connection", "upgrade", "acme", "operations", "--share", "90"]).await;

    let contacts: Vec<String> = (0..PEOPLE)
        .map(|number| {
            let fields = json!({ "firstName": "Ada", "email": format!("ada{number}@example.com") });
            let saved = highlevel.act(&location, PersonAct::CreateContact { fields }).unwrap();
            saved["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let tag = |contacts: &[String]| {
        for contact in contacts {
            let act = PersonAct::AddTags { contact: contact.clone(), tags: vec!["vip".to_owned()] };
            highlevel.act(&location, act).unwrap();
        }
    };
    const ROLLOUT: &str = "/workspaces/acme/connections/operations/rollout";
    // Fewer than make it fail.
    tag(&contacts[..3]);
    let has_run = async || Ok(host.get(ROLLOUT).await?["of_candidate"]["runs"].as_u64() > Some(0));
    host.until("the version on trial has done something", has_run).await.unwrap();
    host.kill9().await.unwrap();

    let host = Host::start(dir.path()).await.unwrap();
    highlevel.set_webhook_target(Some(host.webhooks().parse().unwrap()));
    let kept = host.get(ROLLOUT).await.unwrap();
    assert_eq!((&kept["id"], &kept["share"], &kept["state"]), (&begun["id"], &json!(90), &json!("running")));
    assert!(kept["of_candidate"]["runs"].as_u64() > Some(0), "what was counted is kept: {kept}");
    tag(&contacts[3..]);
    let has = |contact: &String| {
        let contact = highlevel.contact(&location, contact).unwrap();
        contact["tags"].as_array().unwrap().iter().any(|tag| tag == SEEN)
    };
    host.until("it was taken back", async || Ok(host.get(ROLLOUT).await?["state"] == "reverted"))
        .await
        .unwrap();
    host.until("everybody is tagged", async || Ok(contacts.iter().all(has))).await.unwrap();
    host.stop().await.unwrap();
}

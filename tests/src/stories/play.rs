//! The stage, and the stories in their order.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use contactor_sandbox::Sandbox;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault};
use contactor_sandbox::prefinery::ProjectAct;
use serde_json::{Value, json};

use super::partners;
use crate::engine::Partner;
use crate::host::{Host, PATIENCE};

/// A sandbox and a host that has Prefinery enabled.
pub struct Stage {
    /// The doubles.
    pub sandbox: Sandbox,
    /// The real binary.
    pub host: Host,
    location: String,
    project: u64,
}

/// How a story ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was to be seen.
    pub story: &'static str,
    /// What was seen, or why it did not hold.
    pub seen: Result<String, String>,
}

impl Stage {
    /// Starts a host in `dir` beside the sandbox and enables Prefinery.
    ///
    /// # Errors
    /// When anything of it fails.
    pub async fn set(sandbox: Sandbox, dir: &Path, extra: &str) -> Result<Self> {
        Host::init(dir, &sandbox, extra).await?;
        let host = Host::start(dir).await?;
        host.enable_prefinery(&sandbox, json!({ "blocked_domains": ["blocked.example"] })).await?;
        let location = sandbox.highlevel().first_location();
        let project = sandbox.prefinery().first_project();
        Ok(Self { sandbox, host, location, project })
    }

    /// Installs and enables a partner's connector; answers where its double sends webhooks.
    pub(super) async fn connect(&self, partner: Partner) -> Result<String> {
        self.host.install(&partner.component).await?;
        let body = json!({
            "base_url": partner.base_url, "credentials": partner.credentials, "webhook_secret": partner.webhook_secret,
            "template": partner.template, "settings": partner.settings,
        });
        let path = format!("/workspaces/acme/connections/{}", partner.component);
        let connection = self.host.put(&path, &body).await?;
        let path = connection["webhook_path"].as_str().context("the connection has no webhook path")?;
        Ok(self.host.at(path))
    }

    /// Waits until the double was asked for this list: what it held until then was there before the connection.
    pub(super) async fn first_poll(&self, operation: &str) -> Result<()> {
        let asked = async || Ok(self.sandbox.recorder().carried_out(operation) > 0);
        self.host.until("the first poll", asked).await?;
        self.settled().await
    }

    /// The contact with this email.
    pub(super) fn find(&self, email: &str) -> Result<Value> {
        find_contact(self, email)
    }

    /// The titles of a contact's tasks, in order.
    pub(super) fn tasks(&self, contact: &Value) -> Vec<String> {
        let tasks =
            self.sandbox.highlevel().tasks(&self.location, contact["id"].as_str().unwrap_or_default());
        let mut titles: Vec<String> =
            tasks.iter().filter_map(|task| task["title"].as_str().map(str::to_owned)).collect();
        titles.sort();
        titles
    }

    /// A person edits HighLevel.
    pub(super) fn highlevel(&self, act: PersonAct) -> Result<Value> {
        Ok(self.sandbox.highlevel().act(&self.location, act)?)
    }

    /// A person edits Prefinery.
    fn prefinery(&self, act: ProjectAct) -> Result<Value> {
        Ok(self.sandbox.prefinery().act(self.project, act)?)
    }

    pub(super) fn new_contact(&self, fields: Value) -> Result<String> {
        let contact = self.highlevel(PersonAct::CreateContact { fields })?;
        contact["id"].as_str().map(str::to_owned).context("a contact without an id")
    }

    fn tester(&self, email: &str) -> Option<Value> {
        self.sandbox.prefinery().tester(self.project, email)
    }

    fn contact(&self, id: &str) -> Value {
        self.sandbox.highlevel().contact(&self.location, id).unwrap_or_default()
    }

    fn writes(&self) -> u64 {
        let recorder = self.sandbox.recorder();
        let counts = recorder.counts();
        counts.iter().filter(|(name, _)| is_write(name)).map(|(_, count)| count.carried_out).sum()
    }

    fn highlevel_reads(&self) -> u64 {
        self.sandbox.recorder().requests("highlevel.contacts.get")
    }

    /// Every webhook that is due has arrived, and all that it set off has ended.
    pub async fn settled(&self) -> Result<()> {
        self.settled_within(PATIENCE).await
    }

    async fn settled_within(&self, patience: Duration) -> Result<()> {
        self.host
            .until_within(patience, "every webhook has arrived and its work has ended", async || {
                let pending = || self.sandbox.outboxes().iter().map(|outbox| outbox.pending()).sum::<usize>();
                if pending() > 0 {
                    return Ok(false);
                }
                self.host.until_idle().await?;
                Ok(pending() == 0)
            })
            .await
    }
}

/// Plays all stories with so many contacts in the bulk pull.
pub async fn play(stage: &Stage, contacts: usize, mut said: impl FnMut(&Outcome)) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut end = |story: &'static str, seen: Result<String>| {
        let outcome = Outcome { story, seen: seen.map_err(|error| format!("{error:#}")) };
        said(&outcome);
        outcomes.push(outcome);
    };
    end("a new contact becomes a tester", create(stage).await);
    end("a bulk pull brings everybody over, once", bulk(stage, contacts).await);
    end("an edit in HighLevel reaches Prefinery alone", edit_highlevel(stage).await);
    end("an edit in Prefinery reaches HighLevel as one write of one field", edit_prefinery(stage).await);
    end("an edit on both sides is decided and recorded", conflict(stage).await);
    end("a tag edit wipes no other tag", tags(stage).await);
    end("clean-up rules leave people alone and say why", clean_up(stage).await);
    end("a tester that exists already is linked, not doubled", duplicate_tester(stage).await);
    end("one webhook, five times, changes nothing again", repeated(stage).await);
    end("a webhook that never came is found by asking for the record", requested(stage).await);
    end("a forged webhook is refused", forged(stage).await);
    end("webhooks of every kind are accepted", every_kind(stage).await);
    end("a preview writes nothing", preview(stage).await);
    end("Connectif: a contact follows with its open tasks", partners::connectif(stage).await);
    end(
        "123FormBuilder: a submission is a contact with one welcome task",
        partners::formbuilder(stage).await,
    );
    end("Referrizer: a kept appointment is one visit", partners::referrizer(stage).await);
    end("PheedLoop: a sign-up is tagged and gets its tasks", partners::pheedloop(stage).await);
    outcomes
}

async fn create(stage: &Stage) -> Result<String> {
    let id = stage.new_contact(json!({
        "firstName": "Grace", "lastName": "Hopper", "email": "Grace.Hopper@example.com", "phone": "+19075550143",
        "tags": ["VIP"],
    }))?;
    stage.settled().await?;
    let tester = stage.tester("grace.hopper@example.com").context("there is no tester")?;
    ensure!(tester["profile"]["first_name"] == "Grace", "the tester is {tester}");
    ensure!(tester["groups"] == "vip", "the groups are {}", tester["groups"]);
    ensure!(tester["status"] == "imported", "the status is {}", tester["status"]);
    let tags = &stage.contact(&id)["tags"];
    ensure!(*tags == json!(["vip", "prefinery"]), "the tags are {tags}");
    let mails = stage.sandbox.prefinery().mails(stage.project);
    ensure!(mails.invitations + mails.rejections == 0, "Prefinery has sent mail");
    Ok(format!("tester {} with group vip; the contact carries the tag prefinery", tester["id"]))
}

async fn bulk(stage: &Stage, contacts: usize) -> Result<String> {
    let loaded = stage.sandbox.highlevel().load(&stage.location, contacts)?;
    stage.host.post("/workspaces/acme/connections/prefinery/sync", &json!({ "full": true })).await?;
    // About two requests a contact, at HighLevel's ten a second; as long again for a busy machine.
    stage.settled_within(PATIENCE + Duration::from_millis(400) * u32::try_from(contacts)?).await?;
    let with_email = loaded.iter().filter(|id| stage.contact(id)["email"].is_string()).count();
    let testers = stage.sandbox.prefinery().testers(stage.project);
    let mut emails: Vec<String> =
        testers.iter().filter_map(|t| t["email"].as_str()).map(str::to_lowercase).collect();
    let all = emails.len();
    emails.sort();
    emails.dedup();
    ensure!(emails.len() == all, "{} testers share an email", all - emails.len());
    let tagged = loaded.iter().filter(|id| has_tag(&stage.contact(id), "prefinery")).count();
    ensure!(tagged == with_email, "{tagged} of {with_email} contacts with an email carry the tag prefinery");
    ensure!(all >= with_email, "{all} testers for {with_email} contacts");
    let parked = stage.host.get("/workspaces/acme/parked").await?;
    ensure!(parked.as_array().is_some_and(Vec::is_empty), "parked: {parked}");
    Ok(format!(
        "{} contacts: {with_email} testers, {} left alone for want of an email",
        loaded.len(),
        loaded.len() - with_email
    ))
}

async fn edit_highlevel(stage: &Stage) -> Result<String> {
    let id = stage
        .new_contact(json!({ "firstName": "Ada", "email": "ada@example.com", "phone": "+19075550101" }))?;
    stage.settled().await?;
    let (reads, writes) = (stage.highlevel_reads(), stage.sandbox.recorder().carried_out("highlevel."));
    stage.highlevel(PersonAct::EditContact { contact: id, fields: json!({ "firstName": "Augusta" }) })?;
    stage.settled().await?;
    let tester = stage.tester("ada@example.com").context("there is no tester")?;
    ensure!(tester["profile"]["first_name"] == "Augusta", "the tester is {tester}");
    let reads = stage.highlevel_reads() - reads;
    let calls = stage.sandbox.recorder().carried_out("highlevel.") - writes;
    ensure!(reads == 1 && calls == 1, "{calls} calls to HighLevel, {reads} of them reads");
    Ok("first_name became Augusta; one read of HighLevel, no write".to_owned())
}

async fn edit_prefinery(stage: &Stage) -> Result<String> {
    let tester = stage.tester("ada@example.com").context("there is no tester")?;
    let before = stage.sandbox.recorder().carried_out("highlevel.");
    stage.prefinery(ProjectAct::EditTester {
        tester: tester["id"].to_string(),
        fields: json!({ "profile": { "last_name": "Lovelace" } }),
    })?;
    stage.settled().await?;
    let contact = find_contact(stage, "ada@example.com")?;
    ensure!(contact["lastName"] == "Lovelace", "the contact is {contact}");
    ensure!(contact["firstName"] == "Augusta", "the first name was touched: {contact}");
    let update = stage
        .sandbox
        .recorder()
        .recent()
        .into_iter()
        .rev()
        .find(|seen| seen.operation == "highlevel.contacts.update")
        .context("HighLevel was not written")?;
    let calls = stage.sandbox.recorder().carried_out("highlevel.") - before;
    ensure!(calls == 2, "{calls} calls to HighLevel instead of one read and one write");
    let sent: Value = serde_json::from_str(update.body.as_deref().unwrap_or_default()).unwrap_or_default();
    ensure!(sent == json!({ "lastName": "Lovelace" }), "the write carried {sent}");
    Ok("lastName became Lovelace; one read, one write with that field alone, no echo".to_owned())
}

async fn conflict(stage: &Stage) -> Result<String> {
    let contact = find_contact(stage, "ada@example.com")?;
    let id = contact["id"].as_str().unwrap_or_default().to_owned();
    let tester = stage.tester("ada@example.com").context("there is no tester")?;
    // Neither side's webhook arrives before both have changed.
    for event in ["Contact*", "*"] {
        let fault = DeliveryFault { event: event.to_owned(), times: 10, effect: DeliveryEffect::Hold };
        if event == "*" {
            stage.sandbox.prefinery().webhooks().add_fault(fault);
        } else {
            stage.sandbox.highlevel().webhooks().add_fault(fault);
        }
    }
    stage.highlevel(PersonAct::EditContact { contact: id, fields: json!({ "firstName": "Ada H." }) })?;
    stage.prefinery(ProjectAct::EditTester {
        tester: tester["id"].to_string(),
        fields: json!({ "profile": { "first_name": "Ada P." } }),
    })?;
    stage.sandbox.highlevel().webhooks().clear_faults();
    stage.sandbox.prefinery().webhooks().clear_faults();
    stage.sandbox.highlevel().webhooks().release();
    stage.sandbox.prefinery().webhooks().release();
    stage.settled().await?;
    let tester = stage.tester("ada@example.com").context("there is no tester")?;
    let contact = find_contact(stage, "ada@example.com")?;
    ensure!(
        contact["firstName"] == tester["profile"]["first_name"],
        "the sides differ: {} and {}",
        contact["firstName"],
        tester["profile"]["first_name"]
    );
    let conflicts = stage.host.get("/workspaces/acme/conflicts").await?;
    let recorded = conflicts.as_array().into_iter().flatten().find(|c| c.to_string().contains("Ada H."));
    let recorded = recorded.context("no conflict was recorded")?;
    ensure!(recorded.to_string().contains("Ada P."), "the conflict lacks a value: {recorded}");
    Ok(format!("both values recorded, {} won on both sides", contact["firstName"]))
}

async fn tags(stage: &Stage) -> Result<String> {
    let contact = find_contact(stage, "ada@example.com")?;
    let id = contact["id"].as_str().unwrap_or_default().to_owned();
    let tester = stage.tester("ada@example.com").context("there is no tester")?;
    stage.highlevel(PersonAct::AddTags { contact: id.clone(), tags: vec!["speaker".to_owned()] })?;
    stage.settled().await?;
    stage.prefinery(ProjectAct::EditTester {
        tester: tester["id"].to_string(),
        fields: json!({ "groups": "speaker,beta" }),
    })?;
    stage.settled().await?;
    stage.highlevel(PersonAct::RemoveTags { contact: id.clone(), tags: vec!["speaker".to_owned()] })?;
    stage.settled().await?;
    let contact = stage.contact(&id);
    let tester = stage.tester("ada@example.com").context("there is no tester")?;
    ensure!(has_tag(&contact, "beta") && has_tag(&contact, "prefinery"), "the tags are {}", contact["tags"]);
    ensure!(!has_tag(&contact, "speaker"), "the tags are {}", contact["tags"]);
    ensure!(tester["groups"] == "beta", "the groups are {}", tester["groups"]);
    ensure!(
        stage
            .sandbox
            .recorder()
            .recent()
            .iter()
            .filter(|s| s.operation == "highlevel.contacts.update")
            .all(|s| { !s.body.as_deref().unwrap_or_default().contains("\"tags\"") }),
        "an update carried tags"
    );
    Ok(format!("tags {}, groups {}", contact["tags"], tester["groups"]))
}

async fn clean_up(stage: &Stage) -> Result<String> {
    let blocked = stage.new_contact(json!({ "firstName": "Bob", "email": "bob@blocked.example" }))?;
    let silent = stage.new_contact(json!({ "firstName": "Sil", "phone": "+19075550155" }))?;
    let opted_out =
        stage.new_contact(json!({ "firstName": "Dee", "email": "dee@example.com", "dnd": true }))?;
    stage.settled().await?;
    for email in ["bob@blocked.example", "dee@example.com"] {
        ensure!(stage.tester(email).is_none(), "{email} became a tester");
    }
    let mut reasons = Vec::new();
    for id in [&blocked, &silent, &opted_out] {
        let timeline = stage.host.get(&format!("/workspaces/acme/contacts/{id}/timeline")).await?;
        let reason = timeline["entries"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["outcome"] == "skipped")
            .and_then(|entry| entry["summary"].as_str())
            .with_context(|| format!("no reason is shown: {timeline}"))?;
        reasons.push(reason.trim_start_matches("left alone: ").to_owned());
    }
    Ok(reasons.join(" · "))
}

async fn duplicate_tester(stage: &Stage) -> Result<String> {
    let tester = stage
        .prefinery_silently(json!({ "email": "early@example.com", "profile": { "first_name": "Early" } }))?;
    let id = stage.new_contact(json!({ "lastName": "Bird", "email": "early@example.com" }))?;
    stage.settled().await?;
    let testers = stage.sandbox.prefinery().testers(stage.project);
    let same = testers.iter().filter(|t| t["email"] == "early@example.com").count();
    ensure!(same == 1, "{same} testers have that email");
    let contact = stage.contact(&id);
    ensure!(contact["firstName"] == "Early", "the contact is {contact}");
    let after = stage.tester("early@example.com").context("there is no tester")?;
    ensure!(after["id"] == tester["id"] && after["profile"]["last_name"] == "Bird", "the tester is {after}");
    Ok("answered 2310, found, linked; each side filled the other's gaps".to_owned())
}

async fn repeated(stage: &Stage) -> Result<String> {
    let id = stage.new_contact(json!({ "firstName": "Rep", "email": "rep@example.com" }))?;
    stage.settled().await?;
    let (reads, writes) = (stage.highlevel_reads(), stage.writes());
    let outbox = stage.sandbox.highlevel().webhooks();
    let first =
        outbox.webhooks().into_iter().rev().find(|w| w.json()["id"] == id.as_str()).context("no webhook")?;
    for _ in 0..5 {
        outbox.redeliver(first.sequence);
        stage.settled().await?;
    }
    ensure!(stage.writes() == writes, "{} writes", stage.writes() - writes);
    let reads = stage.highlevel_reads() - reads;
    ensure!(reads <= 1, "{reads} reads");
    Ok(format!("no write, {reads} reads of HighLevel"))
}

async fn requested(stage: &Stage) -> Result<String> {
    let outbox = stage.sandbox.highlevel().webhooks();
    outbox.add_fault(DeliveryFault { event: "*".to_owned(), times: 20, effect: DeliveryEffect::Drop });
    let id = stage.new_contact(json!({ "firstName": "Lost", "email": "lost@example.com" }))?;
    outbox.clear_faults();
    stage.settled().await?;
    ensure!(stage.tester("lost@example.com").is_none(), "the webhook was not lost");
    let record = json!({ "entity": "contact", "side": "highlevel", "record": id });
    stage.host.post("/workspaces/acme/connections/prefinery/records", &record).await?;
    stage.settled().await?;
    stage.tester("lost@example.com").context("the requested contact did not become a tester")?;
    Ok("the operator's request brought the contact over".to_owned())
}

async fn forged(stage: &Stage) -> Result<String> {
    let body =
        json!({ "type": "ContactDelete", "locationId": stage.location, "id": "x", "webhookId": "forged" })
            .to_string();
    let before = stage.writes();
    let mut statuses = Vec::new();
    for signature in [None, Some("AAAA"), Some("N/A")] {
        let mut request = stage.host.client().post(stage.host.webhooks()).body(body.clone());
        if let Some(signature) = signature {
            request = request.header("x-ghl-signature", signature);
        }
        statuses.push(request.send().await?.status().as_u16());
    }
    ensure!(statuses == [401, 401, 401], "answered {statuses:?}");
    stage.settled().await?;
    ensure!(stage.writes() == before, "something was written");
    Ok("no signature, a wrong one and N/A: 401 each, nothing stored".to_owned())
}

async fn every_kind(stage: &Stage) -> Result<String> {
    let id = stage.new_contact(json!({ "firstName": "Kim", "email": "kim@example.com" }))?;
    stage.settled().await?;
    let task = stage.highlevel(PersonAct::CreateTask {
        contact: id.clone(),
        fields: json!({ "title": "Call", "dueDate": "2026-12-01T10:00:00Z", "completed": false }),
    })?;
    let task = task["id"].as_str().unwrap_or_default().to_owned();
    stage.highlevel(PersonAct::EditTask {
        contact: id.clone(),
        task: task.clone(),
        fields: json!({ "completed": true }),
    })?;
    stage.highlevel(PersonAct::DeleteTask { contact: id.clone(), task })?;
    stage.highlevel(PersonAct::CreateNote {
        contact: id.clone(),
        fields: json!({ "body": "met at the fair" }),
    })?;
    stage.highlevel(PersonAct::AddTags { contact: id.clone(), tags: vec!["fair".to_owned()] })?;
    stage.highlevel(PersonAct::EditContact { contact: id.clone(), fields: json!({ "city": "Oslo" }) })?;
    stage.highlevel(PersonAct::DeleteContact { contact: id })?;
    stage.settled().await?;
    let refused: Vec<_> = stage
        .sandbox
        .highlevel()
        .webhooks()
        .webhooks()
        .into_iter()
        .filter(|w| w.last_status.is_some_and(|s| s != 200))
        .collect();
    ensure!(refused.is_empty(), "{} of the sandbox's webhooks were refused", refused.len());
    let published = published(stage).await?;
    stage.settled().await?;
    ensure!(stage.tester("kim@example.com").is_some(), "the tester was deleted with the contact");
    Ok(format!("contact, task, note, tag and delete events{published}; a deleted contact only unlinks"))
}

/// The vendor's published examples, when they are at hand.
async fn published(stage: &Stage) -> Result<String> {
    let Some(shared) = crate::artefacts::shared() else { return Ok(String::new()) };
    let events: Vec<Value> = serde_json::from_slice(&std::fs::read(shared.join("webhook-events.json"))?)?;
    let mut sent = 0;
    for event in &events {
        let mut body = event["example"].clone();
        if !body.is_object() {
            continue;
        }
        body["webhookId"] = json!(format!("published-{sent}"));
        body["timestamp"] = json!(stage.sandbox.clock().now().to_string());
        let body = body.to_string();
        let signature = stage.sandbox.highlevel().sign(body.as_bytes());
        let request =
            stage.host.client().post(stage.host.webhooks()).header("x-ghl-signature", signature).body(body);
        let status = request.send().await?.status();
        if status != 200 {
            bail!("the published example of {} was answered {status}", event["event"]);
        }
        sent += 1;
    }
    Ok(format!(", {sent} published examples"))
}

async fn preview(stage: &Stage) -> Result<String> {
    stage.new_contact_silently(json!({ "firstName": "Prev", "email": "preview@example.com" }))?;
    let writes = stage.writes();
    let report =
        stage.host.post("/workspaces/acme/connections/prefinery/preview", &json!({ "limit": 10 })).await?;
    ensure!(stage.writes() == writes, "the preview wrote");
    let items = report["items"].as_array().map_or(0, Vec::len);
    ensure!(items > 0, "the preview is empty: {report}");
    Ok(format!("{items} records planned, 0 writes counted by the doubles"))
}

impl Stage {
    /// A tester of whom no webhook tells.
    fn prefinery_silently(&self, fields: Value) -> Result<Value> {
        let outbox = self.sandbox.prefinery().webhooks();
        outbox.add_fault(DeliveryFault { event: "*".to_owned(), times: 5, effect: DeliveryEffect::Drop });
        let tester = self.prefinery(ProjectAct::CreateTester { fields });
        outbox.clear_faults();
        tester
    }

    /// A contact of whom no webhook tells.
    fn new_contact_silently(&self, fields: Value) -> Result<String> {
        let outbox = self.sandbox.highlevel().webhooks();
        outbox.add_fault(DeliveryFault { event: "*".to_owned(), times: 5, effect: DeliveryEffect::Drop });
        let contact = self.new_contact(fields);
        outbox.clear_faults();
        contact
    }
}

fn find_contact(stage: &Stage, email: &str) -> Result<Value> {
    let contacts = stage.sandbox.highlevel().contacts(&stage.location);
    contacts.into_iter().find(|c| c["email"] == email).with_context(|| format!("no contact {email}"))
}

fn has_tag(contact: &Value, tag: &str) -> bool {
    contact["tags"].as_array().is_some_and(|tags| tags.iter().any(|t| t == tag))
}

fn is_write(operation: &str) -> bool {
    let name = operation.rsplit('.').next().unwrap_or_default();
    !["get", "list", "search", "duplicate", "by_business", "of_contact"].contains(&name)
}

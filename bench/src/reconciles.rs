//! Reconciles per second: from the first webhook to the last commit, with the real host against doubles that cost nothing.
//!
//! The floor does the same requests and nothing else: one read on each side and one write at the partner for each change,
//! nothing verified, merged or stored.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use contactor_highlevel::http::{Options, client};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::load::Load;
use crate::machine;
use crate::report::{Bar, Figure, median};
use crate::size::{CONNECTIONS, Size};
use crate::stage::{Stage, named, rename, unlimited};

/// What Node-RED 5 managed with one read and one write per event and nothing stored, as the design quotes it: on another
/// machine with two cores. It is not measured here.
const NODE_RED: f64 = 3_200.0;
/// The design's bar over it.
const OVER_NODE_RED: f64 = 1.2;

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let stage = Stage::connected(scratch, unlimited().await?).await?;
    let contacts = stage.link(size.contacts).await?;
    let floor = Floor::of(&stage)?;
    reconcile(&stage, &contacts, "Warm").await?;
    floor.run("Warm").await?;
    let (mut host, mut bare, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..size.reconcile_rounds {
        bare.push(rate(contacts.len(), floor.run(&format!("Floor {round}")).await?));
        // The floor changed the partner's side alone; the host shall find one change on one side again.
        stage.settled().await?;
        let before = host_cpu_time()?;
        host.push(rate(contacts.len(), reconcile(&stage, &contacts, &format!("Host {round}")).await?));
        cpu.push(host_cpu_time()?.saturating_sub(before).as_secs_f64() * 1e6 / contacts.len() as f64);
    }
    stage.end().await?;
    let ratios = host.iter().zip(&bare).map(|(host, bare)| host / bare);
    let samples = size.contacts * size.reconcile_rounds;
    Ok(vec![
        Figure::new("reconciles", median(host.iter().copied()), "/s", samples)
            .over(median(bare.iter().copied()))
            .ratio(median(ratios))
            .bar(Bar::AtLeast(NODE_RED * OVER_NODE_RED))
            .note(format!(
                "floor: the same three requests, nothing stored; bar: {OVER_NODE_RED} × Node-RED's {NODE_RED}/s, quoted, elsewhere"
            )),
        Figure::new("reconciles, the host's computing for each", median(cpu), "µs", samples)
            .note("CPU time of the host's process: does not change with what else the machine does"),
    ])
}

fn host_cpu_time() -> Result<Duration> {
    machine::child_cpu_time("contactor").context("the host is not to be seen in /proc")
}

fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

async fn reconcile(stage: &Stage, contacts: &[String], name: &str) -> Result<Duration> {
    let bodies = rename(&stage.sandbox, &stage.location, contacts, name)?;
    let load = Load::of(stage.sandbox.highlevel(), bodies);
    let begun = Instant::now();
    load.run(&stage.address(), CONNECTIONS).await?;
    stage.settled().await?;
    let elapsed = begun.elapsed();
    let written = named(&stage.sandbox, stage.project, name);
    ensure!(written == contacts.len(), "{written} of {} changes reached the partner", contacts.len());
    Ok(elapsed)
}

/// The requests of a reconcile without a host.
struct Floor {
    client: reqwest::Client,
    contacts: Vec<String>,
    highlevel: String,
    token: String,
    testers: String,
    key: String,
    ids: Vec<String>,
}

impl Floor {
    fn of(stage: &Stage) -> Result<Arc<Self>> {
        let testers = stage.sandbox.prefinery().testers(stage.project);
        let contacts = stage.sandbox.highlevel().contacts(&stage.location);
        let ids = |records: &[Value]| -> Vec<String> {
            records
                .iter()
                .map(|record| record["id"].as_str().map_or_else(|| record["id"].to_string(), str::to_owned))
                .collect()
        };
        Ok(Arc::new(Self {
            client: client(&Options { idle_per_host: CONNECTIONS, ..Options::default() })?,
            contacts: ids(&contacts),
            highlevel: format!("{}/contacts", stage.sandbox.highlevel_url()),
            token: stage.sandbox.highlevel().private_token(),
            testers: format!("{}/betas/{}/testers", stage.sandbox.prefinery_url(), stage.project),
            key: stage.sandbox.prefinery().api_key().to_owned(),
            ids: ids(&testers),
        }))
    }

    async fn run(self: &Arc<Self>, name: &str) -> Result<Duration> {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for first in 0..CONNECTIONS {
            let (floor, name) = (Arc::clone(self), name.to_owned());
            tasks.spawn(async move {
                for i in (first..floor.contacts.len()).step_by(CONNECTIONS) {
                    floor.change(i, &name).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(begun.elapsed())
    }

    async fn change(&self, i: usize, name: &str) -> Result<()> {
        let contact = self.client.get(format!("{}/{}", self.highlevel, self.contacts[i]));
        let contact = contact.bearer_auth(&self.token).header("version", "2021-07-28");
        let tester = format!("{}/{}.json", self.testers, self.ids[i]);
        let read = self.client.get(&tester).basic_auth(&self.key, None::<&str>);
        let (contact, read) = tokio::join!(json_of(contact), json_of(read));
        ensure!(
            contact?["contact"]["id"].is_string() && read?["email"].is_string(),
            "a read answered another shape"
        );
        let body = json!({ "tester": { "profile": { "first_name": name } } });
        json_of(self.client.put(&tester).basic_auth(&self.key, None::<&str>).json(&body)).await?;
        Ok(())
    }
}

async fn json_of(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await?.error_for_status()?;
    response.json().await.context("an answer that is no JSON")
}

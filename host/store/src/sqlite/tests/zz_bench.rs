use std::sync::Arc;
use std::time::Instant;
use super::fixture::*;
use crate::*;
use crate::sqlite::SqliteStore;
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore]
async fn bench() {
    let (_d, path) = directory();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    configure(&*store, "acme").await;
    for tasks in [1u32, 64, 256] {
        let n = 60_000 / if tasks == 1 { 20 } else { 1 } / tasks;
        let t = Instant::now();
        let mut set = tokio::task::JoinSet::new();
        for task in 0..tasks {
            let store = store.clone();
            set.spawn(async move {
                for i in 0..n { store.append_event(event(&format!("{tasks}-{task}-{i}-{:032}", 7), &format!("contact-id-{tasks}-{task}-{i}"))).await.unwrap(); }
            });
        }
        while set.join_next().await.is_some() {}
        let total = n * tasks;
        println!("{tasks} tasks: {:.0}/s", f64::from(total) / t.elapsed().as_secs_f64());
    }
    let lease = store.acquire_lease("one", std::time::Duration::from_secs(1000)).await.unwrap();
    let t = Instant::now(); let mut done = 0;
    while done < 40_000 {
        let claimed = store.claim_records(&lease, LATER, 64, 64, &[]).await.unwrap();
        let mut set = tokio::task::JoinSet::new();
        for claim in claimed { done += 1; let store = store.clone(); let lease = lease.clone();
            set.spawn(async move {
                let id = format!("run-{done:08}");
                let run = Run { id: RunId::new(id), workspace: WorkspaceId::new("acme"), connection: connection_id("acme"), kind: RunKind::Reconcile, entity: Some("contact".into()), highlevel_id: Some(claim.key.record.clone()), partner_id: Some(RecordId::new(format!("p{done}"))), event: None, started_at: LATER, duration_us: 1, outcome: RunOutcome::Applied, class: None, summary: "x".into(), changes: vec![], calls: vec![], log: vec![] };
                let link = super::properties::bench_link(&claim.key.record, &format!("p{done}"));
                store.complete_record(&lease, Completion { claim, disposition: Disposition::Done, link: Some(link), conflicts: vec![], run: Some(run) }).await.unwrap();
            }); }
        while set.join_next().await.is_some() {}
    }
    println!("claim+complete: {:.0}/s", f64::from(done) / t.elapsed().as_secs_f64());
}

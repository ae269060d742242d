use std::sync::Mutex as StdMutex;

use super::*;

fn limiter(burst: u32) -> Arc<Limiter> {
    let limits = Limits { burst, ..Limits::default() };
    Limiter::new(limits, Duration::from_secs(30), Arc::default())
}

/// Lets every spawned task run until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_passes_at_once_and_the_next_waits_for_the_interval() {
    let limiter = limiter(3);
    let start = Instant::now();
    for _ in 0..3 {
        limiter.acquire(Priority::Interactive).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    limiter.acquire(Priority::Interactive).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_millis(10_200));
}

#[tokio::test(start_paused = true)]
async fn live_work_overtakes_and_equals_keep_their_order() {
    let limiter = limiter(1);
    limiter.acquire(Priority::Interactive).await.unwrap();
    let order = Arc::new(StdMutex::new(Vec::new()));
    let mut tasks = Vec::new();
    let line = [
        (Priority::Backfill, "backfill"),
        (Priority::Webhook, "webhook 1"),
        (Priority::Webhook, "webhook 2"),
        (Priority::Interactive, "interactive"),
    ];
    for (priority, name) in line {
        let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            // The wait of those behind is not bounded; only the first in line is refused.
            limiter.acquire(priority).await.unwrap();
            order.lock().unwrap().push(name);
        }));
        settle().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["interactive", "webhook 1", "webhook 2", "backfill"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_gives_up_the_place() {
    let limiter = limiter(1);
    limiter.acquire(Priority::Interactive).await.unwrap();
    assert_eq!(limiter.waiting.load(Ordering::Relaxed), 0, "a permit is not waited for any more");
    let first = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(Priority::Interactive).await.map(drop) }
    });
    settle().await;
    let second = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(Priority::Backfill).await.map(drop) }
    });
    settle().await;
    first.abort();
    assert!(first.await.is_err());
    second.await.unwrap().unwrap();
    assert!(limiter.lock().queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_makes_everybody_of_the_location_wait() {
    let limiter = limiter(100);
    let permit = limiter.acquire(Priority::Interactive).await.unwrap();
    let (wait, daily) = permit.refused(None, None);
    assert!(!daily && wait >= Duration::from_secs(10) && wait <= Duration::from_secs(11));
    let start = Instant::now();
    limiter.acquire(Priority::Interactive).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_refused_instead_of_slept_through() {
    let limiter = limiter(100);
    let permit = limiter.acquire(Priority::Interactive).await.unwrap();
    permit.refused(None, Some(Duration::from_mins(2)));
    let start = Instant::now();
    let refused = limiter.acquire(Priority::Interactive).await.unwrap_err();
    assert!(!refused.daily && refused.retry_after >= Duration::from_mins(2));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_used_up_day_is_refused_at_once_with_the_time_of_its_reset() {
    let limiter = limiter(100);
    let permit = limiter.acquire(Priority::Interactive).await.unwrap();
    permit.answered(Some(&Quota {
        daily_remaining: Some(0),
        daily_reset_ms: Some(7_200_000),
        ..Quota::default()
    }));
    let refused = limiter.acquire(Priority::Interactive).await.unwrap_err();
    assert_eq!(refused, Refused { retry_after: Duration::from_hours(2), daily: true });
    assert_eq!(limiter.daily(), Daily { remaining: 0, resets_in: Some(Duration::from_hours(2)) });
}

#[tokio::test(start_paused = true)]
async fn a_raised_limit_wakes_whoever_waits() {
    let limiter = limiter(1);
    let permit = limiter.acquire(Priority::Interactive).await.unwrap();
    let start = Instant::now();
    let waiting = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(Priority::Interactive).await.map(drop) }
    });
    settle().await;
    permit.answered(Some(&Quota { burst_limit: Some(10), ..Quota::default() }));
    waiting.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn many_workers_together_sustain_the_rate() {
    let limiter = limiter(100);
    let start = Instant::now();
    let count = Arc::new(StdMutex::new(0));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (limiter, count) = (Arc::clone(&limiter), Arc::clone(&count));
            tokio::spawn(async move {
                while start.elapsed() < Duration::from_secs(200) {
                    limiter.acquire(Priority::Backfill).await.unwrap();
                    *count.lock().unwrap() += 1;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let sent = *count.lock().unwrap();
    assert!((1_960..=2_100).contains(&sent), "{sent}");
}

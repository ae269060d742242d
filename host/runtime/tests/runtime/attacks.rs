//! One test for each attack: a typed error with the right blame, and nobody else notices.

use super::*;

const MIB: usize = 1 << 20;

/// Runs an attack and asserts that host and neighbours are unharmed.
async fn attack(name: &str, input: impl Display) -> GuestFault {
    attack_with(config(), name, input).await
}

async fn attack_with(config: RuntimeConfig, name: &str, input: impl Display) -> GuestFault {
    let runtime = Runtime::new(config).unwrap();
    let connector = load(&runtime).await;
    let fault = fault(run(&connector, name, input).await);
    assert_unharmed(&runtime, &connector).await;
    fault
}

fn cpu_limit() -> GuestFault {
    GuestFault::Cpu { limit: Duration::from_millis(300) }
}

#[tokio::test]
async fn an_endless_loop_is_ended() {
    assert_eq!(attack("loop", "").await, cpu_limit());
}

#[tokio::test]
async fn an_endless_loop_of_host_calls_is_ended() {
    assert_eq!(attack("loop-in-host-calls", "").await, GuestFault::HostCalls { limit: 100 });
}

#[tokio::test]
async fn a_storm_of_memory_copies_is_ended() {
    assert_eq!(attack("copy-storm", "").await, cpu_limit());
}

#[tokio::test]
async fn a_host_call_that_never_answers_ends_with_the_timeout() {
    let max_limits = Limits { timeout: Duration::from_millis(20), ..Limits::default() };
    let runtime = Runtime::new(RuntimeConfig { max_limits, ..config() }).unwrap();
    let connector = load(&runtime).await;
    let outcome = run(&connector, "wait", "").await;
    assert_eq!(outcome.host.gets, 1, "the host's value comes back with what it recorded");
    assert_eq!(fault(outcome), GuestFault::Timeout { limit: Duration::from_millis(20) });
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn a_busy_guest_also_ends_with_the_timeout() {
    let max_limits = Limits { timeout: Duration::from_millis(50), ..Limits::default() };
    let fault = attack_with(RuntimeConfig { max_limits, ..config() }, "loop", "").await;
    assert_eq!(fault, GuestFault::Timeout { limit: Duration::from_millis(50) });
}

#[tokio::test]
async fn waiting_for_the_host_is_no_computing() {
    let connector = load(&runtime()).await;
    // 25 × 15 ms are more than the CPU limit of 300 ms.
    assert_eq!(answer(&connector, "wait-often", 25).await, "25");
}

#[tokio::test]
async fn growing_memory_page_by_page_ends_at_the_limit() {
    let GuestFault::Memory { wanted, limit } = attack("grow", "").await else { panic!() };
    assert_eq!((wanted, limit), (16 * MIB + 65_536, 16 * MIB));
}

#[tokio::test]
async fn allocating_too_much_at_once_ends_at_the_limit() {
    assert!(
        matches!(attack("allocate", 64 * MIB).await, GuestFault::Memory { limit, .. } if limit == 16 * MIB)
    );
}

#[tokio::test]
async fn the_hosts_own_memory_limit_holds_as_well() {
    let max_limits = Limits { memory_mib: 4, ..Limits::default() };
    let fault = attack_with(RuntimeConfig { max_limits, ..config() }, "allocate", 5 * MIB).await;
    assert!(matches!(fault, GuestFault::Memory { limit, .. } if limit == 4 * MIB), "{fault}");
}

#[tokio::test]
async fn crashes_are_traps_with_a_short_reason() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    for (name, expected) in
        [("panic", "unreachable"), ("unreachable", "unreachable"), ("divide", "unreachable"), ("recurse", "")]
    {
        let GuestFault::Trap { reason } = fault(run(&connector, name, "").await) else { panic!("{name}") };
        assert!(reason.contains(expected) && reason.len() < 80 && !reason.contains("0x"), "{name}: {reason}");
        assert_unharmed(&runtime, &connector).await;
    }
}

#[tokio::test]
async fn exactly_the_allowed_host_calls_reach_the_host() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    assert_eq!(answer(&connector, "host-calls", 100).await, "100");
    let outcome = run(&connector, "host-calls", 1_000_000).await;
    assert_eq!((outcome.host.gets, outcome.usage.host_calls), (100, 100));
    assert_eq!(fault(outcome), GuestFault::HostCalls { limit: 100 });
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_never_reaches_the_host() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    let outcome = run(&connector, "log", 5 * MIB).await;
    assert!(outcome.host.lines.is_empty());
    assert_eq!(fault(outcome), GuestFault::Message { limit: 4 * MIB });
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn a_long_list_of_nothing_is_too_large_as_well() {
    let fault = attack("many-fields", 200_000).await;
    assert_eq!(fault, GuestFault::Message { limit: 4 * MIB });
}

#[tokio::test]
async fn many_messages_together_end_at_the_traffic_limit() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    let outcome = run(&connector, "log-often", 90).await;
    assert!(outcome.host.lines.len() < 64, "{}", outcome.host.lines.len());
    assert_eq!(fault(outcome), GuestFault::Traffic { limit: 4 * MIB });
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn what_the_host_answers_counts_as_traffic() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    assert_eq!(answer(&connector, "fetch-often", 3).await, "3");
    let outcome = run(&connector, "fetch-often", 50).await;
    assert_eq!(outcome.host.gets, 4);
    assert_eq!(fault(outcome), GuestFault::Traffic { limit: 4 * MIB });
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn an_invocation_beyond_the_traffic_limit_runs_nothing() {
    let fault = attack("echo", "x".repeat(5 * MIB)).await;
    assert_eq!(fault, GuestFault::Traffic { limit: 4 * MIB });
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_not_taken() {
    assert_eq!(attack("return", 5 * MIB).await, GuestFault::Message { limit: 4 * MIB });
}

#[tokio::test]
async fn data_that_breaks_the_interface_is_the_guests_fault() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    for name in ["return-bad-utf8", "return-lie", "pass-bad-utf8"] {
        let outcome = run(&connector, name, "").await;
        assert!(outcome.host.lines.is_empty(), "{name}");
        let fault = fault(outcome);
        assert!(matches!(fault, GuestFault::BadData { .. } | GuestFault::Trap { .. }), "{name}: {fault}");
        assert_unharmed(&runtime, &connector).await;
    }
}

#[tokio::test]
async fn a_panic_of_the_host_is_the_hosts_fault() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    let outcome = run(&connector, "host-panic", "").await;
    let error = outcome.result.unwrap_err();
    assert_eq!(error.blame(), Blame::Host);
    assert!(matches!(error, CallError::Host { fault: HostFault::Panicked, .. }), "{error}");
    assert_eq!(outcome.host.gets, 1, "the host's value comes back even then");
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn a_neighbour_is_answered_while_guests_loop() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    // One thread for all: without yielding, the loops would keep it until their limit.
    let loops: Vec<_> = (0..3)
        .map(|_| {
            let connector = connector.clone();
            tokio::spawn(async move { run(&connector, "loop", "").await })
        })
        .collect();
    let none_ended = || loops.iter().all(|call| !call.is_finished());
    while runtime.pool_use().free > 1 && none_ended() {
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(&connector, "echo", "between").await, "between");
    assert!(none_ended(), "the neighbour was answered before any loop ended");
    for call in loops {
        assert_eq!(fault(call.await.unwrap()), cpu_limit());
    }
    assert_unharmed(&runtime, &connector).await;
}

/// Whether threads that stand behind all others have this name: of either rank, as busy as the machine may be.
fn is_behind(thread: Option<&str>) -> bool {
    matches!(thread, Some("guest-idle" | "guest-overrun"))
}

#[tokio::test]
async fn a_guest_that_computes_for_long_goes_on_behind_all_others() {
    let runtime = Runtime::new(RuntimeConfig { epoch_tick: Duration::from_millis(1), ..config() }).unwrap();
    let connector = load(&runtime).await;
    let own = std::thread::current().name().map(str::to_owned);
    let short = run(&connector, "compute-and-call", 1).await;
    assert_eq!(short.host.thread, own, "whoever is done within a tick stays where it began");
    let long = run(&connector, "compute-and-call", 20_000_000).await;
    assert!(is_behind(long.host.thread.as_deref()), "{:?}", long.host.thread);
    assert!(matches!(long.result, Ok(Reply::Run(Ok(_)))), "{:?}", long.result);
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn the_calls_after_a_long_one_begin_behind_all_others_until_they_are_short_again() {
    // Long enough for a short call wherever these tests run.
    let runtime = Runtime::new(RuntimeConfig { epoch_tick: Duration::from_millis(50), ..config() }).unwrap();
    let connector = load(&runtime).await;
    let own = std::thread::current().name().map(str::to_owned);
    let thread = async |steps: u32| run(&connector, "compute-and-call", steps).await.host.thread;
    assert_eq!(thread(1).await, own);
    let long = thread(400_000_000).await;
    assert!(is_behind(long.as_deref()), "{long:?}");
    let mut behind = 0;
    while thread(1).await != own {
        behind += 1;
    }
    assert_eq!(behind, 16);
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_loops_frees_its_slot() {
    let runtime = runtime();
    let connector = load(&runtime).await;
    let looping = connector.clone();
    let looping = tokio::spawn(async move { run(&looping, "loop", "").await });
    while runtime.pool_use().free == 4 {
        tokio::task::yield_now().await;
    }
    looping.abort();
    assert!(looping.await.unwrap_err().is_cancelled());
    // At its next tick.
    while runtime.pool_use().free < 4 {
        tokio::task::yield_now().await;
    }
    assert_unharmed(&runtime, &connector).await;
}

#[tokio::test]
async fn no_call_finds_what_another_left_in_its_memory() {
    let runtime = Runtime::new(RuntimeConfig { max_instances: 1, ..config() }).unwrap();
    let connector = load(&runtime).await;
    let left: u32 = answer(&connector, "leave-and-scan", 42).await.parse().unwrap();
    assert!(left >= 1 << 20, "the scan finds what is there: {left}");
    for seed in 1..20 {
        answer(&connector, "leave", seed).await;
        assert_eq!(answer(&connector, "scan", seed).await, "0");
    }
    // A call that crashed leaves no more than one that ended well.
    for name in ["panic", "loop"] {
        answer(&connector, "leave", 77).await;
        fault(run(&connector, name, "").await);
        assert_eq!(answer(&connector, "scan", 77).await, "0");
    }
}

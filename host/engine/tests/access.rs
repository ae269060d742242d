//! What a call of a connector is asked before it has any effect costs no allocation when it is allowed. In a program of its own: it
//! counts what the whole of it allocates.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait; this one hands everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use contactor_engine::access::{Access, check, hold_back};
use contactor_runtime::Grants;

thread_local! {
    /// Allocations of this thread; the test's harness has others.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is ending has no counter any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of a piece of code, and its answer.
fn allocations<T>(of: impl FnOnce() -> T) -> (u64, T) {
    let before = COUNT.get();
    let answer = of();
    (COUNT.get() - before, answer)
}

const ALL: [Access; 3] = [Access::Read, Access::Write, Access::Notify];

#[test]
fn what_is_allowed_is_found_so_without_an_allocation() {
    // The last of them, so that each is compared with.
    let granted =
        ["calendars.readonly", "users.readonly", "contacts.readonly", "contacts.write", "notifications"];
    let granted = granted.map(str::to_owned).to_vec();
    for access in ALL {
        let (count, answer) = allocations(|| check(black_box(&granted), black_box(access)));
        assert_eq!((count, answer), (0, Ok(())), "{access:?}");
    }
    assert_eq!(allocations(|| hold_back(black_box(false))), (0, Ok(())));
    let interfaces = Grants::all();
    for interface in ["contacts", "workflows", "partner", "clock", "sockets"] {
        let (count, allowed) = allocations(|| black_box(&interfaces).allows(black_box(interface)));
        assert_eq!((count, allowed), (0, interface != "sockets"), "{interface}");
    }
}

#[test]
fn what_is_refused_says_which_scope_is_missing_and_the_counter_counts() {
    for access in ALL {
        let (count, refused) = allocations(|| check(black_box(&[]), black_box(access)));
        assert!(format!("{:?}", refused.unwrap_err()).contains(access.scope()), "{access:?}");
        assert!(count > 0, "a refusal carries the scope's name, so the counter has to have seen it");
    }
}

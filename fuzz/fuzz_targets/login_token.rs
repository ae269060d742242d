#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| contactor_fuzz_targets::run("login_token", input));

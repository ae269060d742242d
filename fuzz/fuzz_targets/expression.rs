#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    contactor_fuzz_targets::let_contained_panics_pass();
    contactor_fuzz_targets::run("expression", input);
});

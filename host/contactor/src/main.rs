//! The contactor host: command line, configuration and wiring.
fn main() {}

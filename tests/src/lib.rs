//! What the black-box tests, the demo and the benchmark share: the built binary as a child process, its admin API, an engine
//! in the test's own process, and the stories that are played against the doubles.

pub mod artefacts;
pub mod convergence;
pub mod disk;
pub mod engine;
pub mod host;
pub mod partners;
pub mod stories;
pub mod torture;

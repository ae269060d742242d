//! `cargo xtask bench` measures the host against floors that run in the same minutes on the same machine.

mod load;

fn main() {}

//! Black-box tests of the built binary and components.

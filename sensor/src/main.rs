//! The start-up story of the `hooksensor` binary.

fn main() {}

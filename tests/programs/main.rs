//! Roots that the tests start, watch and signal: `programs NAME`. Without a name it does nothing.

fn main() {}

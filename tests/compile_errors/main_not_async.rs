//! The root awaits its actors.
#[tractor::main]
fn main() {}

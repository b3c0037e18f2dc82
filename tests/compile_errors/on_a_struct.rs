//! Only functions are exported.
#[tractor::rpc]
struct Counter;

fn main() {}

//! A call is checked like any other.
#[tractor::rpc]
async fn is_prime(n: u64) -> bool {
    n == 2
}

fn main() {
    drop(is_prime("two"));
}

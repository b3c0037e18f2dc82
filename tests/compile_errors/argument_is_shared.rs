//! What is shared in one process cannot be shared by two: it is no argument.
use std::sync::{Arc, Mutex};

#[tractor::rpc]
async fn count(total: Arc<Mutex<u32>>) {
    *total.lock().unwrap() += 1;
}

fn main() {}

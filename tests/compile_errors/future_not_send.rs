//! What is held over an await moves between threads.
async fn rest() {}

#[tractor::rpc]
async fn count() -> usize {
    let shared = std::rc::Rc::new(1);
    rest().await;
    *shared
}

fn main() {}

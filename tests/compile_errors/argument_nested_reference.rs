//! Only a whole argument can be a reference.
#[tractor::rpc]
async fn show(name: Option<&str>) -> usize {
    name.map_or(0, str::len)
}

fn main() {}

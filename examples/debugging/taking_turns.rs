//! Two actors at a breakpoint at once, then a third that fails: the session in the README.

use futures::future::try_join;
use serde::{Deserialize, Serialize};
use tractor::prelude::*;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: u32,
    items: Vec<(String, u32)>,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("order {0} has no address")]
struct NoAddress(u32);

#[tractor::rpc]
async fn price(order: Order) -> u32 {
    let total: u32 = order.items.iter().map(|(_, count)| count * 3).sum();
    tractor::breakpoint!(order, total).await;
    total
}

#[tractor::rpc]
async fn ship(id: u32) -> Result<(), NoAddress> {
    Err(NoAddress(id))
}

fn order(id: u32, item: &str) -> Order {
    let items = vec![(item.to_owned(), 40), ("nut".to_owned(), id)];
    Order { id, items }
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let east = nursery.start_actor("east").await?;
        let west = nursery.start_actor("west").await?;
        let shipper = nursery.start_actor("shipper").await?;
        try_join(
            east.run(price(order(7, "bolt"))),
            west.run(price(order(8, "screw"))),
        )
        .await?;
        shipper.run(ship(7)).await
    })
    .await
}

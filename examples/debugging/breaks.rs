//! Who breaks again and again.

/// Pauses for ever.
#[tractor::rpc]
pub(crate) async fn breakpoint_forever() {
    for round in 0_u64.. {
        tractor::breakpoint!(round).await;
    }
}

//! Actors that die of a fatal signal: each has a prompt before it does.

use std::hint::black_box;

use tractor::prelude::*;

#[tractor::rpc]
async fn read_null() -> u32 {
    let nowhere = black_box(std::ptr::null::<u32>());
    #[expect(unsafe_code, reason = "what a native library does when it is broken")]
    // SAFETY: none: it is to crash.
    unsafe {
        nowhere.read_volatile()
    }
}

#[tractor::rpc]
async fn overflow_stack() -> u64 {
    deeper(0)
}

fn deeper(depth: u64) -> u64 {
    let block = black_box([depth; 128]);
    match depth {
        u64::MAX => 0,
        depth => deeper(depth + 1) + block[0],
    }
}

#[tractor::rpc]
async fn abort() {
    std::process::abort();
}

/// Panics when it is dropped, also when another panic drops it.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("and once more");
    }
}

#[tractor::rpc]
async fn panic_twice() {
    let _panics = Panics;
    panic!("once");
}

#[tractor::main(debug_mode)]
pub(crate) async fn segfault_in_subactor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("native", read_null()).await?;
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn stack_overflow_in_subactor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("native", overflow_stack()).await?;
        Ok(())
    })
    .await
}

/// Two levels down.
#[tractor::main(debug_mode)]
pub(crate) async fn abort_in_subactor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("middle", start_and_abort()).await?;
        Ok(())
    })
    .await
}

#[tractor::rpc]
async fn start_and_abort() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("native", abort()).await?;
        Ok(())
    })
    .await
}

#[tractor::main(debug_mode)]
pub(crate) async fn double_panic_in_subactor() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("native", panic_twice()).await?;
        Ok(())
    })
    .await
}

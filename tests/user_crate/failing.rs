//! Tests as a user writes them. Each fails in its own way, but for one.

use std::fs::File;
use std::future::pending;
use std::process::{Command, exit};

use tractor::open_nursery;

#[tractor::rpc]
async fn speak() {
    println!("a child's output");
    eprintln!("a child's errors");
}

#[tractor::test]
async fn passes() {}

#[tractor::test]
async fn asserts() {
    println!("the root's output");
    let spoken: tractor::Result<()> = open_nursery(async |nursery| {
        nursery
            .run_in_actor("speaker", speak())
            .await?
            .result()
            .await
    })
    .await;
    spoken.unwrap();
    assert_eq!(1 + 1, 3, "as everybody knows");
}

#[tractor::test]
async fn returns_an_error() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery
            .start_actor("unstarted")
            .current_dir("/no/such/place")
            .await
            .map(drop)
    })
    .await
}

#[tractor::test]
async fn leaks_a_process() {
    // Its parent has ended before it, so that nobody here knows of it.
    let script = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit 0";
    Command::new("sh").args(["-c", script]).status().unwrap();
}

#[tractor::test]
async fn leaks_a_descriptor() {
    std::mem::forget(File::open("/dev/zero").unwrap());
}

#[tractor::test(timeout = 4)]
async fn hangs() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.start_actor("idler").await?;
        println!("hanging");
        pending().await
    })
    .await
}

#[tractor::test]
async fn leaves() {
    exit(0);
}

#[tractor::test]
#[should_panic]
async fn does_not_panic() {}

/// Not a test of the attribute: there is no way by which a child would get here.
#[test]
fn runs_a_tree_in_the_harness() {
    let started: tractor::Result<()> = tractor::run(tractor::Options::default(), async || {
        open_nursery(async |nursery| nursery.start_actor("child").await.map(drop)).await
    });
    started.unwrap();
}

//! Tests as a user writes them. Each fails in its own way, but for one.

use std::fs::File;
use std::future::pending;
use std::os::unix::net::UnixListener;
use std::process::{Command, exit};

use tractor::open_nursery;

#[tractor::rpc]
async fn speak() {
    println!("a child's output");
    eprintln!("a child's errors");
}

#[tractor::rpc]
async fn idle() {
    pending().await
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

#[tractor::test]
async fn leaks_a_socket() {
    let address = tractor::current_actor().unwrap().address();
    let Some(tractor::Address::Unix(path)) = address else {
        panic!("the root listens in the tree's directory");
    };
    drop(UnixListener::bind(path.with_file_name("left")).unwrap());
}

#[tractor::test]
async fn leaks_a_zombie() {
    let child = Command::new("true").spawn().unwrap();
    // Its end, which nobody asks for. A pipe of it would end a moment before.
    let stat = format!("/proc/{}/stat", child.id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
}

#[tractor::test(timeout = 4)]
async fn hangs() -> tractor::Result<()> {
    open_nursery(async |nursery| {
        let idler = nursery.start_actor("idler").await?;
        println!("hanging");
        idler.run(idle()).await
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

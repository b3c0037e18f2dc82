//! Programs that print: everybody in every way, at every time and at every end.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is printed is what the tests read"
)]

use std::future::poll_fn;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tractor::prelude::*;

/// What `main` may return.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

type Main = fn() -> Outcome;

/// The programs by name.
pub(crate) const PROGRAMS: [(&str, Main); 7] = [
    ("flood", flood),
    ("flood_without_end", flood_without_end),
    ("last_words", last_words),
    ("panicking", panicking),
    ("exiting", exiting),
    ("unfinished", unfinished),
    ("colours", colours),
];

/// Where this run leaves things.
fn place() -> PathBuf {
    std::env::var_os("TRACTOR_TEST_RUN")
        .expect("a test runs it")
        .into()
}

/// Prints lines in three ways until there is a file `stop` or `is_over`, and then how many.
async fn print_lines(who: &str, is_over: &AtomicBool) {
    let mut number = 0;
    while !place().join("stop").exists() && !is_over.load(Ordering::SeqCst) {
        for _ in 0..10 {
            println!("{who} out {number} {FILLING} end");
            // In one piece: what is formatted to standard error is written word by word.
            let line = format!("{who} err {number} {FILLING} end\n");
            std::io::stderr()
                .write_all(line.as_bytes())
                .expect("it is a terminal");
            log::warn!("{who} log {number} {FILLING} end");
            number += 1;
        }
        // So that the test can keep up.
        std::thread::park_timeout(Duration::from_millis(2));
        // So that it can be cancelled.
        let mut is_first = true;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            match std::mem::take(&mut is_first) {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
    }
    println!("{who} printed {number}");
}

/// The root's own printing, on a thread, which ends with this.
struct Printing {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Printing {
    fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let theirs = is_over.clone();
        let print = move || futures::executor::block_on(print_lines("root", &theirs));
        Self {
            is_over,
            thread: Some(std::thread::spawn(print)),
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it only prints");
        }
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.join();
    }
}

/// Runs this in an actor of its own.
async fn in_a_child(call: tractor::Call<()>) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        nursery.run_in_actor("child", call).await?;
        Ok(())
    })
    .await
}

/// What no line may lack.
const FILLING: &str = "abcdefghijklmnopqrstuvwxyz";

#[tractor::rpc]
async fn talk(who: String) {
    print_lines(&who, &AtomicBool::new(false)).await;
}

#[tractor::rpc]
async fn pause_once() {
    let answer = 42;
    tractor::breakpoint!(answer).await;
}

async fn flood_around(pause: bool) -> tractor::Result<()> {
    open_nursery(async |nursery| {
        for who in ["one", "two"] {
            nursery.run_in_actor(who, talk(who.to_owned())).await?;
        }
        let mut own = Printing::begin();
        if pause {
            nursery.run_in_actor("pausing", pause_once()).await?;
            own.join();
        } else {
            println!("it floods");
            std::future::pending::<()>().await;
        }
        Ok(())
    })
    .await
}

/// Two actors and the root print while a third has a prompt.
#[tractor::main(debug_mode)]
async fn flood() -> Outcome {
    Ok(flood_around(true).await?)
}

/// The same without a prompt, until it is told to end.
#[tractor::main(debug_mode)]
async fn flood_without_end() -> Outcome {
    Ok(flood_around(false).await?)
}

#[tractor::rpc]
fn say_last_words() {
    for number in 0..200 {
        println!("child {number} {FILLING} end");
    }
    log::warn!("child log {FILLING} end");
    eprint!("child's last words");
}

/// A child prints a good deal and ends, and then main returns an error.
#[tractor::main(debug_mode)]
async fn last_words() -> Outcome {
    in_a_child(say_last_words()).await?;
    eprint!("root's last words");
    Err(std::io::Error::other("main's last words").into())
}

/// The root panics at once.
#[tractor::main(debug_mode)]
async fn panicking() -> Outcome {
    println!("before the panic");
    panic!("the root panics");
}

/// The root's code ends the process.
#[expect(clippy::disallowed_methods, reason = "it is what the test is about")]
#[tractor::main(debug_mode)]
async fn exiting() -> Outcome {
    for number in 0..200 {
        println!("root {number} {FILLING} end");
    }
    eprint!("root's last words");
    std::process::exit(7)
}

#[tractor::rpc]
async fn print_unfinished() {
    print!("begun ");
    std::io::stdout().flush().expect("it is a terminal");
    let answer = 42;
    tractor::breakpoint!(answer).await;
    println!("and ended");
}

/// A line is begun before a prompt and ended behind it.
#[tractor::main(debug_mode)]
async fn unfinished() -> Outcome {
    in_a_child(print_unfinished()).await?;
    Ok(())
}

fn tell_terminals(who: &str) {
    let (out, err) = (
        std::io::stdout().is_terminal(),
        std::io::stderr().is_terminal(),
    );
    println!("{who} out {out} err {err}");
    log::warn!("{who} logs");
}

#[tractor::rpc]
fn tell_child() {
    tell_terminals("child");
}

/// What everybody takes standard output and error for.
#[tractor::main(debug_mode)]
async fn colours() -> Outcome {
    tell_terminals("root");
    in_a_child(tell_child()).await?;
    Ok(())
}

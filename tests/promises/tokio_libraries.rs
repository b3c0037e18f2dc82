//! With the feature `tokio1` every task of every actor is inside a tokio runtime.

use crate::outside::{cargo, run};

/// In a crate outside of the workspace, which has the feature on and all others without it.
#[test]
fn functions_of_actors_await_tokios_timers_sockets_and_tasks() {
    let tests = ["test", "--features", "tokio1", "--test", "tokio"];
    let (output, text) = run(&mut cargo(&tests));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("4 passed; 0 failed"), "{text}");
}

/// Otherwise the test above would show nothing, and a user's program would have threads of tokio.
#[test]
fn without_the_feature_there_is_no_tokio() {
    let (output, text) = run(&mut cargo(&["tree", "--edges", "normal"]));
    assert!(
        output.status.success() && text.contains("async-std"),
        "{text}"
    );
    assert!(!text.contains("tokio"), "{text}");
}

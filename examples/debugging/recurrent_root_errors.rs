//! The root fails again and again, and goes on after that, but for the last time.

use std::panic::catch_unwind;

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    for errors in 1..=3 {
        // What is passed over has its prompt all the same.
        let passed_over = catch_unwind(|| assert_eq!(errors, 0, "AssertionError"));
        println!("error {errors} is passed over: {}", passed_over.is_err());
    }
    panic!("the last one");
}

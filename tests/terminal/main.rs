//! Prompts, through a terminal of their own.

fn main() {}

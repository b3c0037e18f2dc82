//! Prompts, through a terminal of their own: every test starts the example `debugging` in a pty,
//! types, and reads what appears.
//!
//! The names of the programs are those of the original's examples, whose conversations these are.

// Shared with the other test binaries.
#[path = "../support/mod.rs"]
mod support;

// A program in a terminal.
mod screen;

// Prompts in the root.
mod root;

// Prompts in actors below it, and in turn.
mod subactors;

// Signals, deaths and odd input while a prompt is open.
mod disturbed;

// What a program has to say about its prompts.
mod chosen;

// What becomes of prompts where there is no terminal.
mod without;

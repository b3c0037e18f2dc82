//! Prompts, through a terminal of their own: every test starts the example `debugging` in a pty,
//! types, and reads what appears.
//!
//! The names of the programs are those of the Python project's examples, whose conversations these
//! are.

// Shared with the other test binaries.
#[path = "../support/mod.rs"]
mod support;

// A program in a terminal, and what appears there.
mod appearing;
mod screen;

// Prompts in the root.
mod root;

// Prompts in actors below it, in both, and in turn.
mod root_and_child;
mod subactors;
mod turns;

// Actors that are linked over the network.
mod far;

// Actors that cannot be reached, who waits, and ends of trees.
mod cut_off;
mod ends;
mod queueing;

// Signals, deaths and odd input while a prompt is open.
mod disturbed;

// Actors that die of a signal.
mod fatal;

// gdb and lldb instead of a prompt, and what their tests share.
mod debuggers;
mod lldb;
mod native;

// What a tree tells of itself.
mod dumps;

// What others print meanwhile, and at the end.
mod output;

// Stopped, continued and hung up by a shell.
mod jobs;

// What cannot be written.
mod shortage;

// What a program has to say about its prompts.
mod chosen;

// What becomes of prompts where there is no terminal.
mod without;

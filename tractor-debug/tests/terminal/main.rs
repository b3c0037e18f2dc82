//! The owner of the terminal and its line editor, in a real terminal with a shell.

// What runs in the terminal.
mod program;

// The terminal, seen from the keyboard.
mod session;

// What is to be seen on it.
mod screen;

// Typing a line.
mod editing;

// Taking the terminal away.
mod revoking;

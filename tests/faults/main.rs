//! What can go wrong, made to happen to real processes. Each kind of fault has a number, by which
//! the tests name it.
//!
//! | numbers | where |
//! |---|---|
//! | 1, 32, 33 | `birth`: children that are not born, or not whole |
//! | 2, 3, 5, 45, 46 | `death`: processes that die, alone and together |
//! | 7, 54 | `subtrees`: deaths of those who have others below them |
//! | 7 | `orphans`: deaths of those who are just starting another |
//! | 11, 34, 40, 48 | `odd_deaths`: deaths that are not what they look like, or hide |
//! | 4, 17 | `streams`: streams whose other end is killed, stopped or slow |
//! | 12, 13, 15, 16 | `standstill`: processes that are stopped, blocked or deaf |
//! | 18, 20 to 27 | `strangers`: what connects to an actor's socket and is no peer |
//! | 23, 28 to 30 | `wire`: peers that say the wrong thing |
//! | 31, 32, 47 | `shortage`: no descriptors left, far too many bytes |
//! | 41, 42 | `registry`: names |
//! | 7 to 9, 14, 36 to 40, 43, 49 | `roots`: whole programs that are killed, stopped, cut off |
//! | none | `far`: children that connect back over the network |
//! | none | `dumps`: what a tree with blocked threads and stopped processes tells of itself |
//!
//! Every test ends with the sweep. The numbers that are not here belong to terminals, and have
//! their tests where these are, or to other hosts; `docs/faults.md` has all of them.

mod birth;
mod death;
mod dumps;
mod far;
mod odd_deaths;
mod orphans;
mod raw;
mod registry;
mod roots;
mod shortage;
mod standstill;
mod strangers;
mod streams;
mod subtrees;
mod wire;

// What the actors run, and the sweep.
mod calls;
mod tree;

// Programs that run as roots of their own.
#[path = "../support/mod.rs"]
mod support;

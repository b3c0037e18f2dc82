//! The macros of `tractor`: [`macro@rpc`] makes functions callable in other actors, [`macro@main`]
//! and [`macro@test`] make a function the root of a tree of actors.
//!
//! They take the items of a user's crate and give items that the user could have written, in
//! terms of the facade `tractor` (or of the crate that `crate = path` names). They know no types,
//! only their names: what depends on a type is decided by the traits of `tractor-core`'s
//! `private` module. Read `rpc.rs` first; `signature.rs` says what a function must look like.
//!
//! # Examples
//!
//! One function, run by the root and by an actor below it:
//!
//! ```
//! #[tractor::rpc]
//! async fn own_pid() -> u32 {
//!     std::process::id()
//! }
//!
//! #[tractor::main]
//! async fn main() -> tractor::Result<()> {
//!     assert_eq!(own_pid().await, std::process::id());
//!     tractor::open_nursery(async |nursery| {
//!         let worker = nursery.start_actor("worker").await?;
//!         assert_eq!(worker.run(own_pid()).await?, worker.pid());
//!         worker.cancel_actor().await
//!     })
//!     .await
//! }
//! ```

#![forbid(unsafe_code)]

// The options in the macros' parentheses, and which attributes go where.
mod attributes;
// What a function must look like to be called from another process.
mod signature;
// Source text of a signature, for people.
mod text;
// `rpc`: functions and methods.
mod rpc;
// `main` and `test`: the root of a tree.
mod entry;

use proc_macro::TokenStream;

/// Makes a function callable in other actors.
///
/// The function keeps its name, visibility, arguments and documentation, and returns a
/// `tractor::Call<T>`, or a `Call<T, E>` if it returned a `Result<T, E>`. The call is a future:
/// awaited, the function runs here; handed to a portal, it runs in the portal's actor.
///
/// An `async fn` runs on the actor's executor, a plain `fn` on a thread that may block. Arguments
/// and results are owned values that are serde and `Send`; `&str`, `&[T]` and every other `&T`
/// of a `T: ToOwned` may be arguments, and are copied into the call. The error of a `Result` need
/// not be serde: it is any type that converts into `Box<dyn Error + Send + Sync>`.
///
/// A function that returns `impl Stream<Item = T>` returns a `tractor::StreamCall<T>` instead: it
/// is a stream here, and `Portal::open_stream` opens it in another actor.
///
/// On an `impl` block it does the same with each function in it; `self` or `&self` is then the
/// first argument, and travels.
///
/// A return type is taken for a `Result` if its name ends in `Result`, as `io::Result<T>` does.
///
/// # What can travel
///
/// Arguments, results, errors and the items of streams travel in a format that does not describe
/// itself (bincode): fields have no names there, and values no types. So not everything that is
/// serde can be decoded. What cannot is refused at run time, when it is called or returns:
///
/// - types with `#[serde(tag = "..")]`, `#[serde(untagged)]` or `#[serde(flatten)]`, and
///   `serde_json::Value`, anywhere inside. An enum without these is fine; of JSON send the text.
/// - a field that `#[serde(skip_serializing_if = "..")]` leaves out: it is refused when it is
///   encoded, by the field's name. `#[serde(skip)]` is fine; of its halves alone,
///   `skip_serializing` and `skip_deserializing`, the first is written without and read with the
///   field, the other the other way round, and what follows is misread without an error, if it can
///   be read at all.
///
/// An error of such a type is told as text only, without its value: `Error::downcast_ref` gives
/// `None` for it.
///
/// Bytes in bulk are `tractor::Bytes`, which is not copied, or a field with
/// `#[serde(with = "serde_bytes")]`, of the crate `serde_bytes`. In a plain `Vec<u8>` they are
/// written and read one by one.
///
/// # Limits
///
/// A function has at most 16 arguments. Arguments, and a result, are at most 1 GiB as they are
/// sent; values are nested at most 64 deep, and hold at most 65,536 elements that take no bytes.
/// Functions in a dynamic library of the program cannot be called from other actors.
///
/// # Options
///
/// - `spawn`: in the remote actor the function always gets a task of its own. Without it its
///   first poll may happen where its request was read, which is faster.
/// - `instances(u64, String)`: the types that a generic function is exported for; a function with
///   more than one type parameter lists tuples: `instances((u64, String), (u8, u8))`.
/// - `value`: the return type is a plain value, although its name ends in `Result`.
/// - `crate = path`: the crate to use instead of `::tractor`.
///
/// Within an `impl` block, `#[rpc(spawn)]` or `#[rpc(value)]` on a function is for that one.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// /// Counts the lines of a text.
/// #[tractor::rpc]
/// async fn lines(text: String) -> usize {
///     text.lines().count()
/// }
///
/// #[tractor::rpc(instances(u64, String))]
/// async fn largest<T: Ord>(items: Vec<T>) -> Option<T> {
///     items.into_iter().max()
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Counter(u64);
///
/// #[tractor::rpc]
/// impl Counter {
///     fn add(self, n: u64) -> u64 {
///         self.0 + n
///     }
/// }
///
/// #[tractor::main]
/// async fn main() -> tractor::Result<()> {
///     tractor::open_nursery(async |nursery| {
///         let worker = nursery.start_actor("worker").await?;
///         assert_eq!(worker.run(lines("a\nb".into())).await?, 2);
///         assert_eq!(worker.run(largest(vec![1_u64, 3, 2])).await?, Some(3));
///         assert_eq!(worker.run(Counter(1).add(2)).await?, 3);
///         worker.cancel_actor().await
///     })
///     .await
/// }
/// ```
#[proc_macro_attribute]
pub fn rpc(options: TokenStream, item: TokenStream) -> TokenStream {
    rpc::expand(options.into(), item.into()).into()
}

/// Makes an `async fn` one that other actors open as a context: a task that is linked with theirs,
/// with a stream each way.
///
/// Its first argument is a `tractor::Context<Started, In, Out>`: `Started` is the first value that
/// it gives, `In` what it receives, `Out` what it sends. The function keeps its name and its other
/// arguments, and returns a `tractor::ContextCall<Started, In, Out, T, E>`, for
/// `Portal::open_context`. What may be an argument or a result, and the options, are those of
/// [`macro@rpc`].
///
/// # Examples
///
/// ```
/// use tractor::Context;
///
/// #[tractor::context]
/// async fn echo(ctx: Context<(), String, String>) -> tractor::Result<()> {
///     ctx.started(())?;
///     let (mut out, mut lines) = ctx.open_stream()?;
///     while let Some(line) = lines.recv().await? {
///         out.send(line).await?;
///     }
///     Ok(())
/// }
///
/// #[tractor::main]
/// async fn main() -> tractor::Result<()> {
///     tractor::open_nursery(async |nursery| {
///         let actor = nursery.start_actor("echo").await?;
///         actor
///             .open_context(echo(), async |ctx, ()| {
///                 let (mut out, mut lines) = ctx.open_stream()?;
///                 out.send("hello".into()).await?;
///                 assert_eq!(lines.recv().await?.as_deref(), Some("hello"));
///                 tractor::Ok(())
///             })
///             .await?;
///         actor.cancel_actor().await
///     })
///     .await
/// }
/// ```
#[proc_macro_attribute]
pub fn context(options: TokenStream, item: TokenStream) -> TokenStream {
    rpc::expand_context(options.into(), item.into()).into()
}

/// Makes an `async fn main` the root of a tree of actors.
///
/// Options become calls of the builder `tractor::Options`: `name = "root"` is `.name("root")`,
/// and `debug_mode` alone is `.debug_mode(true)`. Those with two arguments, as `var`, cannot stand
/// here: call `tractor::run`. `crate = path` names the crate to use instead of `::tractor`.
///
/// It returns nothing, or a `Result` whose error is `Debug` and `From<tractor::Error>`.
///
/// # Examples
///
/// ```
/// #[tractor::main(name = "top", log_level = "info")]
/// async fn main() -> tractor::Result<()> {
///     assert_eq!(tractor::current_actor()?.name(), "top");
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand_main(options.into(), item.into()).into()
}

/// Makes an `async fn` a test that runs as the root of its own tree of actors.
///
/// It is a plain `#[test]`, and other attributes such as `#[should_panic]` or those of `rstest`
/// stay. Besides the options of [`macro@main`] it takes `timeout = 30`, in seconds; the default is
/// 60. The body runs in a process of its own. The test fails if the body panics or returns an
/// error, if it does not end in time, or if something of its tree is left.
///
/// # What may not be left
///
/// - A process: none that was started in the tree may live when its root is gone, whoever is its
///   parent by then; and the root may have no child that it has not reaped.
/// - A socket in the tree's directory.
/// - A descriptor in the root that was not open before the body, and is not closed within two
///   seconds behind it. Not counted are pipes and descriptors of `epoll`, `eventfd` and `timerfd`: the runtime
///   and the executor keep such for the life of the process.
///
/// The descriptors of children are not compared. The kernel closes them with the process, which is
/// known to be gone; and what a child has open at its end tells nothing: links to other actors stay
/// until then, as do a program's own files in statics and the sockets of its pools.
///
/// # Examples
///
/// ```
/// #[tractor::rpc]
/// async fn answer() -> u32 {
///     42
/// }
///
/// #[tractor::test(timeout = 30)]
/// async fn a_worker_answers() -> tractor::Result<()> {
///     tractor::open_nursery(async |nursery| {
///         let worker = nursery.start_actor("worker").await?;
///         assert_eq!(worker.run(answer()).await?, 42);
///         worker.cancel_actor().await
///     })
///     .await
/// }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand_test(options.into(), item.into()).into()
}

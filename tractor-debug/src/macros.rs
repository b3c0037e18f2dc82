//! The macros: a place and values, for the functions of `pause.rs`.

/// Pauses the task here: opens a prompt on the root's terminal, in its turn, that shows the place
/// and these values. Gives a future, to be awaited.
///
/// Without debug mode it does nothing and evaluates none of the values. With `if`, it pauses only
/// when the condition holds. The values are written down at once, by `Debug` if they have one, up
/// to 64 KiB each; nothing is kept of them while the prompt is open.
///
/// # Cancellation
///
/// While it waits for its turn a cancel of the task withdraws it. An open prompt is not cancelled.
///
/// # Panics
///
/// If another task of the actor is at a prompt, and the program has that refused
/// ([`Reentry::Refuse`](crate::Reentry::Refuse)).
///
/// # Examples
///
/// ```
/// # async fn handle(order: u32) {
/// let total = order * 3;
/// tractor_debug::breakpoint!(order, total).await; // `tractor::breakpoint!`
/// tractor_debug::breakpoint!(if total > 100; order, "too many").await;
/// # }
/// # futures::executor::block_on(handle(7)); // without debug mode nothing happens
/// ```
#[macro_export]
macro_rules! breakpoint {
    (if $condition:expr; $($value:expr),* $(,)?) => {
        $crate::paused(
            $crate::__scene!(if $condition && $crate::__stops!(); $($value),*),
            false,
        )
    };
    ($($value:expr),* $(,)?) => {
        $crate::paused($crate::__scene!(if $crate::__stops!(); $($value),*), false)
    };
}

/// As [`breakpoint!`](crate::breakpoint), in code that is not async, on any thread, which it
/// blocks.
///
/// # Panics
///
/// When the prompt is left by `quit`: with a panic that no hook sees, by which the task fails; and
/// as [`breakpoint!`](crate::breakpoint).
///
/// # Examples
///
/// ```
/// fn total(order: u32) -> u32 {
///     let total = order * 3;
///     tractor_debug::breakpoint_sync!(order, total); // `tractor::breakpoint_sync!`
///     total
/// }
/// # assert_eq!(total(7), 21); // without debug mode nothing happens
/// ```
#[macro_export]
macro_rules! breakpoint_sync {
    (if $condition:expr; $($value:expr),* $(,)?) => {
        $crate::paused_sync(
            $crate::__scene!(if $condition && $crate::__stops!(); $($value),*),
        )
    };
    ($($value:expr),* $(,)?) => {
        $crate::paused_sync($crate::__scene!(if $crate::__stops!(); $($value),*))
    };
}

/// Gives what the expression gives; if that is an error, opens a prompt first that shows it with
/// the place and these values, while they still live.
///
/// Without debug mode it does nothing else, and evaluates none of the values.
///
/// # Cancellation
///
/// As [`breakpoint!`](crate::breakpoint).
///
/// # Examples
///
/// ```
/// async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     let trimmed = text.trim();
///     tractor_debug::pm!(trimmed.parse(), text, trimmed) // `tractor::pm!`
/// }
/// # assert_eq!(futures::executor::block_on(parse(" 7 ")), Ok(7));
/// # assert!(futures::executor::block_on(parse("x")).is_err());
/// ```
#[macro_export]
macro_rules! pm {
    ($result:expr $(, $value:expr)* $(,)?) => {
        match $result {
            ::core::result::Result::Ok(value) => ::core::result::Result::Ok(value),
            ::core::result::Result::Err(error) => {
                if let ::core::option::Option::Some(scene) =
                    $crate::__scene!(if true; $($value),*)
                {
                    $crate::post_mortem_at(&error, scene).await;
                }
                ::core::result::Result::Err(error)
            }
        }
    };
}

/// Whether the user lets this breakpoint stop.
#[doc(hidden)]
#[macro_export]
macro_rules! __stops {
    () => {
        $crate::stops_at(::core::file!(), ::core::line!())
    };
}

/// The scene of this place, if there is to be a prompt.
#[doc(hidden)]
#[macro_export]
macro_rules! __scene {
    (if $condition:expr; $($value:expr),*) => {
        if $crate::is_armed() && $condition {
            #[allow(unused_imports, reason = "each value needs one of them")]
            use $crate::capture::{ByDebug as _, ByType as _};
            let place = $crate::Place {
                file: ::core::file!().to_owned(),
                line: ::core::line!(),
                module: ::core::module_path!().to_owned(),
                manifest_dir: ::core::option_env!("CARGO_MANIFEST_DIR")
                    .map(::std::borrow::ToOwned::to_owned),
            };
            let captures = ::std::vec![
                $((&$crate::capture::Probe(&$value)).capture(::core::stringify!($value))),*
            ];
            ::core::option::Option::Some(::std::boxed::Box::new(
                $crate::scene_of(::core::option::Option::Some(place), captures),
            ))
        } else {
            ::core::option::Option::None
        }
    };
}

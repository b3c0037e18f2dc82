//! Values as text, whatever their types can do.
//!
//! They are written down where the code stands, before anything waits: a prompt holds no reference
//! into the paused task, and the future that waits for it is as free to move between threads as
//! before. A `Debug` that panics or never ends is cut off.

use std::any::type_name;
use std::fmt::{self, Debug, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::scene::Capture;

/// The longest text that is kept of one value, in each of its two forms: 64 KiB.
pub const CAPTURE_BYTES_MAX: usize = 64 * 1024;

/// A value that is to be captured. What its type can do decides which of the two methods named
/// `capture` the compiler takes.
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(
    /// The value.
    pub &'a T,
);

/// For values with a `Debug`.
pub trait ByDebug {
    /// Writes the value down.
    fn capture(&self, name: &str) -> Capture;
}

/// For all others: says what it is.
pub trait ByType {
    /// Writes down the value's type and size.
    fn capture(&self, name: &str) -> Capture;
}

impl<T: Debug + ?Sized> ByDebug for Probe<'_, T> {
    fn capture(&self, name: &str) -> Capture {
        Capture {
            name: plain(name),
            type_name: type_name::<T>().to_owned(),
            debug: written(format_args!("{:?}", self.0)),
            pretty: written(format_args!("{:#?}", self.0)),
        }
    }
}

impl<T: ?Sized> ByType for &Probe<'_, T> {
    fn capture(&self, name: &str) -> Capture {
        let size = size_of_val(self.0);
        let text = format!("<{}, {size} bytes, without Debug>", type_name::<T>());
        Capture {
            name: plain(name),
            type_name: type_name::<T>().to_owned(),
            debug: text.clone(),
            pretty: text,
        }
    }
}

/// The name of a value that was given by reference.
fn plain(name: &str) -> String {
    name.trim_start_matches(['&', ' ']).to_owned()
}

/// The text, up to the limit, or why there is none.
fn written(value: fmt::Arguments<'_>) -> String {
    let mut bounded = Bounded(String::new());
    match catch_unwind(AssertUnwindSafe(|| bounded.write_fmt(value))) {
        Ok(Ok(())) => bounded.0,
        Ok(Err(fmt::Error)) if bounded.0.len() >= CAPTURE_BYTES_MAX => {
            bounded.0.push_str(" … (cut)");
            bounded.0
        }
        Ok(Err(fmt::Error)) => format!("{} <its Debug gave up>", bounded.0),
        Err(_) => format!("{} <its Debug panicked>", bounded.0),
    }
}

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = CAPTURE_BYTES_MAX - self.0.len().min(CAPTURE_BYTES_MAX);
        let whole = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=left.min(text.len())).rev().find(whole).unwrap_or(0);
        self.0.push_str(&text[..end]);
        if end == text.len() {
            return Ok(());
        }
        // Full, so that whoever writes gives up.
        self.0.extend(std::iter::repeat_n('.', left - end));
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_can_do_decides() {
        struct Plain(#[expect(dead_code, reason = "it has a size")] u32);
        let number = Probe(&7_u8).capture("n");
        assert_eq!(
            (&*number.name, &*number.type_name, &*number.debug),
            ("n", "u8", "7")
        );
        let plain = (&Probe(&Plain(1))).capture("plain");
        assert!(plain.debug.contains("Plain, 4 bytes"), "{}", plain.debug);
        let text = Probe("x").capture("text");
        assert_eq!(text.debug, "\"x\"");
    }

    #[test]
    fn a_debug_that_never_ends_or_panics_is_cut_off() {
        struct Endless;
        impl Debug for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("für immer ")?;
                }
            }
        }
        struct Broken;
        impl Debug for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("so far")?;
                panic!("broken")
            }
        }
        let endless = Probe(&Endless).capture("endless");
        assert!(endless.debug.ends_with("(cut)"));
        assert!(endless.debug.len() < CAPTURE_BYTES_MAX + 16);
        let broken = Probe(&Broken).capture("broken");
        assert_eq!(broken.debug, "so far <its Debug panicked>");
    }
}

//! A breakpoint looks at a value that breaks itself while it is written down.

use std::fmt;
use std::sync::Once;

struct Breaks(Once);

impl fmt::Debug for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Once: it is written down in two forms.
        self.0.call_once(|| tractor::breakpoint_sync!("inner"));
        f.write_str("written down")
    }
}

#[tractor::main(debug_mode)]
pub(crate) async fn main() -> tractor::Result<()> {
    let value = Breaks(Once::new());
    tractor::breakpoint!(value, "outer").await;
    Ok(())
}

//! What happens only after a while.

use std::path::Path;
use std::time::Duration;

/// Waits a second. Where a test runs the program it says when instead, by a file of this name.
pub(crate) async fn moment(name: &str) {
    let Some(place) = std::env::var_os("DEBUGGING_MOMENTS") else {
        return pass(Duration::from_secs(1)).await;
    };
    let file = Path::new(&place).join(name);
    while !file.exists() {
        pass(Duration::from_millis(2)).await;
    }
}

async fn pass(time: Duration) {
    tractor::move_on_after(time, std::future::pending::<()>()).await;
}

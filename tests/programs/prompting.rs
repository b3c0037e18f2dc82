//! A root in debug mode whose two actors pause side by side, and are cancelled when the test says
//! so.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, join, select};
use tractor::prelude::*;

use crate::say;

/// What who is cancelled has before it is killed.
const SOON: Duration = Duration::from_millis(100);

/// Pauses once.
#[tractor::rpc]
async fn pauses(shielded: bool) {
    tractor::pause(shielded).await;
}

/// Has two actors pause, shielded or not as the argument says, and tells how each ends.
#[tractor::main(debug_mode)]
pub(crate) async fn prompts() -> tractor::Result<()> {
    let shielded = std::env::args().nth(2).as_deref() == Some("shielded");
    join(paused("ada", shielded), paused("bob", shielded)).await;
    Ok(())
}

/// An actor that pauses, in a nursery of its own, so that its end is not that of the other.
async fn paused(name: &'static str, shielded: bool) {
    let ended = open_nursery(async |nursery| {
        let actor = nursery.start_actor(name).await?;
        let pausing = Box::pin(actor.run(pauses(shielded)));
        match select(pausing, told(name)).await {
            Either::Left((ended, _)) => ended?,
            Either::Right((_, pausing)) => {
                say(&format!("cancelling {name}"));
                let (asked, paused) = join(actor.cancel_actor_within(SOON), pausing).await;
                asked?;
                paused?;
            }
        }
        nursery.cancel();
        tractor::Ok(())
    })
    .await;
    match ended {
        Ok(()) => say(&format!("ended {name}")),
        Err(error) => say(&format!("ended {name}: {error}")),
    }
}

/// Waits until the test opens and closes the pipe of this name.
fn told(name: &str) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    let place = std::env::var_os("TRACTOR_TEST_RUN").expect("main has looked");
    let pipe = PathBuf::from(place).join(name);
    // It ends with the process, which waits for no thread.
    thread::spawn(move || {
        fs::read(pipe).expect("the test has made it");
        // The actor may have ended.
        let _ = tell.send(());
    });
    told
}

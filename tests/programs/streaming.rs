//! Roots that stream with a child when a signal, or a broken link, ends them.

use std::future::pending;

use rustix::net::Shutdown;
use tractor::{Context, Options, open_nursery};

use crate::cut::{cut_off_from_parent, new_socket, shut, sockets};
use crate::say;

/// Items that are read before anything happens.
const BEFORE: u64 = 100;

/// Gives every number back, and breaks its end of the link on the way if it is told to.
#[tractor::context]
async fn chat(ctx: Context<(), u64, u64>, breaks: bool) -> tractor::Result<()> {
    let _cleaned = Cleaned("child");
    ctx.started(())?;
    let (mut out, mut numbers) = ctx.open_stream()?;
    while let Some(n) = numbers.recv().await? {
        out.send(n).await?;
        if breaks && n == BEFORE {
            say("child breaks");
            cut_off_from_parent(Shutdown::Both);
        }
    }
    out.close();
    // The other side closes first; the context stays open.
    pending().await
}

struct Cleaned(&'static str);

impl Drop for Cleaned {
    fn drop(&mut self) {
        say(&format!("{} cleaned", self.0));
    }
}

/// Streams with a child; the arguments say who breaks the link, `parent`, `child`, `both` or
/// `nobody`, when, `open` or `closed`, and whether in debug mode, `plain` or `debug`.
pub(crate) fn streams(args: &[String]) -> tractor::Result<()> {
    let [who, when, mode] = args else {
        panic!("it is told who breaks what: {args:?}");
    };
    let options = Options::default().debug_mode(mode == "debug");
    tractor::run(options, async || stream_with_child(who, when).await)
}

async fn stream_with_child(who: &str, when: &str) -> tractor::Result<()> {
    let closed = when == "closed";
    let parent_breaks = who == "parent" || who == "both";
    let child_breaks = who == "child" || who == "both";
    let _cleaned = Cleaned("root");
    open_nursery(async |nursery| {
        let before = sockets();
        let child = nursery.start_actor("child").await?;
        let link = new_socket(&before);
        say(&format!("child is {}", child.pid()));
        let call = chat(child_breaks && !closed);
        child
            .open_context(call, async |ctx, ()| {
                let (mut numbers, mut back) = ctx.open_stream()?;
                for n in 0.. {
                    numbers.send(n).await?;
                    assert_eq!(back.recv().await?, Some(n));
                    if n != BEFORE {
                        continue;
                    }
                    if closed {
                        numbers.close();
                        assert_eq!(back.recv().await?, None);
                    }
                    say("streaming");
                    if parent_breaks {
                        shut(&link, Shutdown::Both);
                    }
                    if closed && child_breaks {
                        child.run(cut_off()).await?;
                    }
                    if closed {
                        return pending().await;
                    }
                }
                tractor::Ok(())
            })
            .await
    })
    .await
}

#[tractor::rpc]
async fn cut_off() {
    say("child breaks");
    cut_off_from_parent(Shutdown::Both);
}

//! [`Poller`]: what the leader waits on.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use crate::os::{Interest, Ready};

/// The key under which [`Poller::wake`] shows. Others count from 0.
const WAKE: u64 = u64::MAX;

/// Most events of one [`Poller::wait`].
const EVENTS_MAX: usize = 64;

/// The longest single wait.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Readiness of many descriptors, level-triggered.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        Ok(Self { epoll, wake })
    }

    pub(crate) fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            fd,
            EventData::new_u64(key),
            flags(interest),
        )?)
    }

    pub(crate) fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.epoll,
            fd,
            EventData::new_u64(key),
            flags(interest),
        )?)
    }

    pub(crate) fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Makes the next or current [`wait`](Self::wait) return.
    pub(crate) fn wake(&self) {
        // It fails only if the counter is full, and then the wait returns anyway.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Replaces `ready` by what is ready, waiting for it at most `timeout`, rounded up to
    /// milliseconds, and tells whether anything happened, be it only a [`wake`](Self::wake).
    pub(crate) fn wait(&self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> bool {
        ready.clear();
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        // Beyond some weeks not every kernel takes it; waking once a day harms nobody.
        let timeout = timeout
            .map(|timeout| timeout.min(WAIT_MAX))
            .map(|timeout| Timespec {
                tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: timeout.subsec_nanos().into(),
            });
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            // A signal; the caller's round has nothing to do and comes back.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("wait for events: {error}"),
        }
        let any = !events.is_empty();
        for event in events {
            let (key, flags) = (event.data.u64(), event.flags);
            if key == WAKE {
                let _ = rustix::io::read(&self.wake, &mut [0; 8]);
                continue;
            }
            let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
            ready.push(Ready {
                key,
                readable: broken || flags.contains(EventFlags::IN),
                writable: broken || flags.contains(EventFlags::OUT),
            });
        }
        any
    }
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.readable);
    flags.set(EventFlags::OUT, interest.writable);
    flags
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn keys(poller: &Poller) -> Vec<u64> {
        let mut ready = Vec::new();
        poller.wait(&mut ready, Some(Duration::ZERO));
        ready.iter().map(|ready| ready.key).collect()
    }

    #[test]
    fn readiness_shows_until_it_is_taken_away() {
        let poller = Poller::new().unwrap();
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        poller.add(ours.as_fd(), 7, Interest::READ).unwrap();
        assert_eq!(keys(&poller), []);
        rustix::io::write(&theirs, b"x").unwrap();
        assert_eq!(keys(&poller), [7]);
        assert_eq!(keys(&poller), [7]);
        let none = Interest {
            readable: false,
            writable: false,
        };
        poller.modify(ours.as_fd(), 7, none).unwrap();
        assert_eq!(keys(&poller), []);
    }

    #[test]
    fn a_wake_ends_one_wait_and_is_no_event() {
        let poller = Poller::new().unwrap();
        poller.wake();
        poller.wake();
        let mut ready = Vec::new();
        assert!(poller.wait(&mut ready, None));
        assert!(ready.is_empty());
        assert!(!poller.wait(&mut ready, Some(Duration::ZERO)));
    }
}

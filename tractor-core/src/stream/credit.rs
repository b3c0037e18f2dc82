//! Credit: how much of a stream may be on its way, so that a slow reader slows its writer and
//! nobody else.
//!
//! Pure. Each direction of a stream has a sender's half, [`SendCredit`], and a receiver's,
//! [`RecvCredit`]. Both begin with [`WINDOW`]. The sender pays for each item what [`cost`] says and
//! may send while it has anything left, so a single item may exceed the window; the receiver gives
//! back what was read, half a window at a time. The sender's credit is never more than what the
//! receiver counts: what is missing is on its way in one direction or the other. So a peer that
//! sends without credit is found out.

/// Bytes that may be on their way or unread at the beginning: 256 KiB.
///
/// It covers what a socket holds, so the sender does not stall while the receiver reads steadily,
/// and fits a second-level cache between being written and being read.
pub(crate) const WINDOW: i64 = 256 * 1024;
/// The same once items turn out to be bulk: 1 MiB, for a dozen of 64 KiB on their way.
pub(crate) const WINDOW_OF_BULK: i64 = 1024 * 1024;

/// What so many items that are encoded in so many bytes cost. Items without any bytes cost too.
pub(crate) fn cost(items: usize, bytes: usize) -> i64 {
    items.saturating_add(bytes).try_into().unwrap_or(i64::MAX)
}

/// What the sender of a stream may do.
///
/// It draws everything that is left at once and pays item by item from that, so that it comes back
/// only when it has nothing left or owes a part of its last item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendCredit {
    /// Send, as long as this is above zero.
    Open {
        /// What was granted and not drawn; below zero if the last item exceeded it.
        left: i64,
    },
    /// Nothing: the receiver reads no more.
    Stopped,
    /// Nothing: it said that it has sent its last item.
    Finished,
}

/// What comes of drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draw {
    /// So much, above zero, to pay from.
    Granted(i64),
    /// Nothing yet.
    Wait,
    /// Nothing ever.
    Refused,
}

impl SendCredit {
    pub(crate) const fn new() -> Self {
        Self::Open { left: WINDOW }
    }

    /// Of a sender that waits until its reader has said that it is there.
    pub(crate) const fn none() -> Self {
        Self::Open { left: 0 }
    }

    /// Pays for items that were sent without drawing.
    pub(crate) fn spend(&mut self, cost: i64) {
        if let Self::Open { left } = self {
            *left = left.saturating_sub(cost);
        }
    }

    /// Draws all that is left; `balance`, zero or below, is what the sender has of the last time.
    /// It is settled by this also if there is nothing to draw.
    pub(crate) fn draw(&mut self, balance: i64) -> Draw {
        let Self::Open { left } = self else {
            return Draw::Refused;
        };
        *left = left.saturating_add(balance);
        if *left > 0 {
            Draw::Granted(std::mem::take(left))
        } else {
            Draw::Wait
        }
    }

    /// The receiver takes so much more. Tells whether a sender that waited may go on.
    pub(crate) fn grant(&mut self, more: i64) -> bool {
        let Self::Open { left } = self else {
            return false;
        };
        let waited = *left <= 0;
        *left = left.saturating_add(more);
        waited && *left > 0
    }

    /// The receiver reads no more. Tells whether that is news to a sender.
    pub(crate) fn stop(&mut self) -> bool {
        let was_open = matches!(self, Self::Open { .. });
        if was_open {
            *self = Self::Stopped;
        }
        was_open
    }

    /// The sender has sent its last item. Tells whether the receiver has to hear of it.
    pub(crate) fn finish(&mut self) -> bool {
        let was_open = matches!(self, Self::Open { .. });
        if was_open {
            *self = Self::Finished;
        }
        was_open
    }
}

/// What the receiver of a stream allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecvCredit {
    /// It reads.
    Open {
        /// What the sender may still send, as far as the receiver knows.
        left: i64,
        /// What was read and not given back.
        owed: i64,
        /// The sum of all that may be on its way, unread, or owed.
        window: i64,
    },
    /// It reads no more, and drops what comes.
    Stopped,
}

/// The peer sent although it had no credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overrun;

impl RecvCredit {
    pub(crate) const fn new() -> Self {
        Self::Open {
            left: WINDOW,
            owed: 0,
            window: WINDOW,
        }
    }

    /// Items have come, together in one frame. Tells whether anybody will read them.
    ///
    /// # Errors
    ///
    /// [`Overrun`] if nothing was left before them: then not even the first was permitted.
    pub(crate) fn receive(&mut self, cost: i64) -> Result<bool, Overrun> {
        match self {
            Self::Open { left, .. } if *left <= 0 => Err(Overrun),
            Self::Open { left, .. } => {
                *left = left.saturating_sub(cost);
                Ok(true)
            }
            Self::Stopped => Ok(false),
        }
    }

    /// Items were read. Gives what is to be granted to the sender now, if it is enough for a
    /// message.
    pub(crate) fn read(&mut self, cost: i64) -> Option<i64> {
        let Self::Open { left, owed, window } = self else {
            return None;
        };
        *owed = owed.saturating_add(cost);
        if *owed < *window / 2 {
            return None;
        }
        let grant = std::mem::take(owed);
        *left = left.saturating_add(grant);
        Some(grant)
    }

    /// Items turned out to be bulk: more may be on its way from the next grant on.
    pub(crate) fn widen(&mut self) {
        if let Self::Open { owed, window, .. } = self {
            *owed += WINDOW_OF_BULK - *window;
            *window = WINDOW_OF_BULK;
        }
    }

    /// The receiver reads no more. Tells whether the sender has to hear of it.
    pub(crate) fn stop(&mut self) -> bool {
        std::mem::replace(self, Self::Stopped) != Self::Stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SendCredit::{Finished, Open, Stopped};

    /// Every state of a sender meets every event.
    #[test]
    fn a_sender_in_every_state() {
        let open = |left| Open { left };
        let over = |state| (state, (Draw::Refused, state), (state, false), false);
        // State; drawn with a debt of 3, and the state after; after a grant of 5, and whether that
        // wakes; whether it can be stopped or finished.
        let table = [
            (
                open(7),
                (Draw::Granted(4), open(0)),
                (open(12), false),
                true,
            ),
            (open(3), (Draw::Wait, open(0)), (open(8), false), true),
            (open(0), (Draw::Wait, open(-3)), (open(5), true), true),
            (open(-9), (Draw::Wait, open(-12)), (open(-4), false), true),
            over(Stopped),
            over(Finished),
        ];
        for (state, drawn, granted, is_open) in table {
            let mut after = state;
            assert_eq!((after.draw(-3), after), drawn, "{state:?} draws");
            let mut after = state;
            let wakes = after.grant(5);
            assert_eq!((after, wakes), granted, "{state:?} is granted");
            for (event, end) in [
                (SendCredit::stop as fn(&mut SendCredit) -> bool, Stopped),
                (SendCredit::finish, Finished),
            ] {
                let mut after = state;
                assert_eq!(event(&mut after), is_open, "{state:?}");
                assert_eq!(after, if is_open { end } else { state });
            }
        }
    }

    /// Every state of a receiver meets every event.
    #[test]
    fn a_receiver_in_every_state() {
        let open = |left, owed| RecvCredit::Open {
            left,
            owed,
            window: 100,
        };
        // State, after receiving 30, after reading 30, after stop.
        let table = [
            (
                open(100, 0),
                Ok(true),
                open(70, 0),
                (None, open(100, 30)),
                true,
            ),
            (
                open(10, 20),
                Ok(true),
                open(-20, 20),
                (Some(50), open(60, 0)),
                true,
            ),
            (
                open(0, 0),
                Err(Overrun),
                open(0, 0),
                (None, open(0, 30)),
                true,
            ),
            (
                open(-20, 20),
                Err(Overrun),
                open(-20, 20),
                (Some(50), open(30, 0)),
                true,
            ),
            (
                RecvCredit::Stopped,
                Ok(false),
                RecvCredit::Stopped,
                (None, RecvCredit::Stopped),
                false,
            ),
        ];
        for (state, received, after_receive, (grant, after_read), stopped) in table {
            let mut after = state;
            assert_eq!(after.receive(30), received, "{state:?}");
            assert_eq!(after, after_receive, "{state:?} receives");
            let mut after = state;
            assert_eq!((after.read(30), after), (grant, after_read), "{state:?}");
            let mut after = state;
            assert_eq!(after.stop(), stopped, "{state:?} stops");
            assert_eq!(after, RecvCredit::Stopped);
        }
    }

    #[test]
    fn a_wider_window_is_granted_with_the_next_reading() {
        let mut credit = RecvCredit::new();
        credit.widen();
        credit.widen();
        assert_eq!(credit.read(1), Some(WINDOW_OF_BULK - WINDOW + 1));
        let mut credit = RecvCredit::Stopped;
        credit.widen();
        assert_eq!(credit, RecvCredit::Stopped);
    }

    /// A sender and a receiver with messages on their way between them, in any order of events:
    /// the sender never overruns, what is unread is bounded, and nobody is stuck.
    #[test]
    fn any_order_of_events_is_bounded_and_goes_on() {
        use proptest::prelude::*;
        let steps = proptest::collection::vec((0..4_u8, 1..100_000_i64), 1..400);
        proptest!(|(steps in steps)| {
            let (mut sender, mut receiver) = (SendCredit::new(), RecvCredit::new());
            let (mut items, mut grants) = (Vec::new(), Vec::new());
            let (mut unread, mut biggest, mut purse) = (Vec::new(), 0, 0);
            for (event, size) in steps {
                match event {
                    0 => {
                        if purse <= 0 {
                            purse = match sender.draw(purse) {
                                Draw::Granted(credit) => credit,
                                _ => 0,
                            };
                        }
                        if purse > 0 {
                            purse -= size;
                            biggest = biggest.max(size);
                            items.insert(0, size);
                        }
                    }
                    1 => if let Some(size) = items.pop() {
                        prop_assert_eq!(receiver.receive(size), Ok(true));
                        unread.push(size);
                    },
                    2 => if let Some(size) = unread.pop() {
                        grants.extend(receiver.read(size));
                    },
                    _ => if let Some(more) = grants.pop() {
                        sender.grant(more);
                    },
                }
                let pending: i64 = items.iter().chain(&unread).sum();
                prop_assert!(pending <= WINDOW + biggest);
            }
            // Everything that is on its way arrives, everything is read: the sender may send.
            for size in items.into_iter().rev() {
                prop_assert_eq!(receiver.receive(size), Ok(true));
                unread.push(size);
            }
            for size in unread {
                grants.extend(receiver.read(size));
            }
            for more in grants {
                sender.grant(more);
            }
            let may_send = purse > 0 || matches!(sender.draw(purse), Draw::Granted(_));
            prop_assert!(may_send);
        });
    }
}

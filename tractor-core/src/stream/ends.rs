//! [`Ends`]: where the two ends of a fresh stream are, and what follows when one of them leaves or
//! is gone.
//!
//! Pure. It is kept by the actor that made the stream, for as long as one of the ends is there or
//! the two have not met. Whatever becomes of one end, the holder of the other is told: that is
//! what this machine is for.

/// One end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Reader,
}

/// Where an end is, as the actor knows that made the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this actor, not used. It may leave.
    Here,
    /// In this actor, used. It stays.
    Used,
    /// Encoded with a call that was not sent yet.
    Packed,
    /// In another actor.
    Away,
    /// Nowhere: it was closed, dropped or lost.
    Gone,
}

/// What happens to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is polled here.
    Used(Side),
    /// It was encoded.
    Packed(Side),
    /// It was decoded in this very actor, or its encoding was of no use.
    Unpacked(Side),
    /// It was sent to another actor.
    Departed(Side),
    /// The actor that has the reader says where it can be reached.
    Found,
    /// It will not be used any more: closed, dropped, or lost.
    Closed(Side),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send the reader's actor the items that wait here.
    Divert,
    /// Have whoever uses the end here look again.
    Wake(Side),
    /// Ask the reader's actor where it is.
    AskReader,
    /// Tell the sender's actor where the reader is: it goes there.
    Introduce,
    /// Send the reader's actor what came from the sender's, and that it was the last.
    Forward,
    /// Tell the reader that there are no more items.
    EndReader,
    /// Tell the sender that nobody reads.
    StopSender,
}

/// Where both ends are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    sender: Place,
    reader: Place,
}

impl Ends {
    /// Of a stream that was just made.
    pub(crate) const fn new() -> Self {
        Self {
            sender: Place::Here,
            reader: Place::Here,
        }
    }

    pub(crate) fn place(&self, side: Side) -> Place {
        match side {
            Side::Sender => self.sender,
            Side::Reader => self.reader,
        }
    }

    /// Goes on, and gives what is to be done in this order. What cannot happen changes nothing.
    pub(crate) fn handle(&mut self, event: Event) -> &'static [Action] {
        match event {
            Event::Used(side) => self.pass(side, Place::Here, Place::Used),
            Event::Packed(side) => self.pass(side, Place::Here, Place::Packed),
            Event::Unpacked(side) => self.pass(side, Place::Packed, Place::Here),
            Event::Departed(side) if self.place(side) == Place::Packed => {
                self.set(side, Place::Away);
                return self.departed(side);
            }
            Event::Closed(side) => {
                let from = self.place(side);
                self.set(side, Place::Gone);
                return self.closed(side, from);
            }
            Event::Found if (self.sender, self.reader) == (Place::Away, Place::Away) => {
                return &[Action::Introduce];
            }
            Event::Departed(_) | Event::Found => {}
        }
        &[]
    }

    fn departed(self, side: Side) -> &'static [Action] {
        match (side, self.sender, self.reader) {
            (_, Place::Away, Place::Away) => &[Action::AskReader],
            (Side::Sender, _, Place::Gone) => &[Action::StopSender],
            (Side::Sender, _, _) => &[Action::Wake(Side::Reader)],
            (Side::Reader, Place::Gone, _) => &[Action::Divert, Action::EndReader],
            (Side::Reader, _, _) => &[Action::Divert, Action::Wake(Side::Sender)],
        }
    }

    fn closed(self, side: Side, from: Place) -> &'static [Action] {
        match (side, from) {
            (_, Place::Gone) => &[],
            (Side::Reader, _) if self.sender == Place::Gone => &[],
            (Side::Reader, _) => &[Action::StopSender],
            (Side::Sender, _) if self.reader == Place::Gone => &[],
            (Side::Sender, Place::Away) if self.reader == Place::Away => &[Action::Forward],
            // What came from there says to whoever reads it here that it was the last.
            (Side::Sender, Place::Away) => &[],
            (Side::Sender, _) => &[Action::EndReader],
        }
    }

    fn pass(&mut self, side: Side, from: Place, to: Place) {
        if self.place(side) == from {
            self.set(side, to);
        }
    }

    fn set(&mut self, side: Side, place: Place) {
        match side {
            Side::Sender => self.sender = place,
            Side::Reader => self.reader = place,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Action::*;
    use Side::*;

    const PLACES: [Place; 5] = [
        Place::Here,
        Place::Used,
        Place::Packed,
        Place::Away,
        Place::Gone,
    ];

    /// What follows for each place of the other end, in the order of [`PLACES`].
    fn check(from: Place, event: fn(Side) -> Event, side: Side, expected: [&[Action]; 5]) {
        for (other, expected) in PLACES.into_iter().zip(expected) {
            let (sender, reader) = match side {
                Sender => (from, other),
                Reader => (other, from),
            };
            let mut ends = Ends { sender, reader };
            let actions = ends.handle(event(side));
            assert_eq!(actions, expected, "{side:?} {from:?}, the other {other:?}");
        }
    }

    #[test]
    fn an_end_that_departs_has_the_other_told() {
        let wake: &[_] = &[Wake(Reader)];
        let ask: &[_] = &[AskReader];
        let stop: &[_] = &[StopSender];
        check(
            Place::Packed,
            Event::Departed,
            Sender,
            [wake, wake, wake, ask, stop],
        );
        let divert: &[_] = &[Divert, Wake(Sender)];
        let end: &[_] = &[Divert, EndReader];
        check(
            Place::Packed,
            Event::Departed,
            Reader,
            [divert, divert, divert, ask, end],
        );
        for from in [Place::Here, Place::Used, Place::Away, Place::Gone] {
            check(from, Event::Departed, Sender, [&[]; 5]);
            check(from, Event::Departed, Reader, [&[]; 5]);
        }
    }

    #[test]
    fn an_end_that_is_gone_has_the_other_told() {
        let end: &[_] = &[EndReader];
        let stop: &[_] = &[StopSender];
        for from in [Place::Here, Place::Used, Place::Packed] {
            check(from, Event::Closed, Sender, [end, end, end, end, &[]]);
            check(from, Event::Closed, Reader, [stop, stop, stop, stop, &[]]);
        }
        let away: [&[_]; 5] = [&[], &[], &[], &[Forward], &[]];
        check(Place::Away, Event::Closed, Sender, away);
        check(
            Place::Away,
            Event::Closed,
            Reader,
            [stop, stop, stop, stop, &[]],
        );
        check(Place::Gone, Event::Closed, Sender, [&[]; 5]);
        check(Place::Gone, Event::Closed, Reader, [&[]; 5]);
    }

    #[test]
    fn only_an_unused_end_is_packed() {
        for from in PLACES {
            let mut ends = Ends {
                sender: from,
                reader: Place::Here,
            };
            ends.handle(Event::Packed(Sender));
            let packed = ends.sender == Place::Packed;
            assert_eq!(packed, matches!(from, Place::Here | Place::Packed));
        }
    }

    #[test]
    fn the_ends_are_introduced_while_both_are_away() {
        for (sender, reader) in PLACES.iter().flat_map(|a| PLACES.map(|b| (*a, b))) {
            let both = (sender, reader) == (Place::Away, Place::Away);
            let actions = Ends { sender, reader }.handle(Event::Found);
            assert_eq!(actions, if both { &[Introduce][..] } else { &[] });
        }
    }

    /// Who has been told that the other end is gone, at the place where it is.
    #[derive(Debug, Default, Clone, Copy)]
    struct Told {
        reader: bool,
        sender: bool,
    }

    impl Told {
        fn obey(&mut self, before: Ends, after: Ends, actions: &[Action]) {
            let departs =
                |side| before.place(side) == Place::Packed && after.place(side) == Place::Away;
            // Whoever has it now knows nothing of before.
            self.reader &= !departs(Reader);
            self.sender &= !departs(Sender);
            for action in actions {
                match action {
                    Forward | EndReader => self.reader = true,
                    StopSender => self.sender = true,
                    Divert => assert_ne!(after.sender, Place::Away),
                    Wake(side) => assert_ne!(after.place(*side), Place::Away),
                    AskReader | Introduce => {
                        assert_eq!((after.sender, after.reader), (Place::Away, Place::Away));
                    }
                }
            }
        }
    }

    fn events() -> impl Strategy<Value = Event> {
        let side = prop_oneof![Just(Sender), Just(Reader)];
        (0..6_u8, side).prop_map(|(kind, side)| match kind {
            0 => Event::Used(side),
            1 => Event::Packed(side),
            2 => Event::Unpacked(side),
            3 => Event::Departed(side),
            4 => Event::Found,
            _ => Event::Closed(side),
        })
    }

    proptest! {
        #[test]
        fn no_holder_waits_for_an_end_that_is_gone(
            events in proptest::collection::vec(events(), 1..20),
        ) {
            let (mut ends, mut told) = (Ends::new(), Told::default());
            for event in events {
                let before = ends;
                // Of a sender that is away this actor hears in the stream itself, while the reader
                // is here; when it has left, too, it is asked again.
                if event == Event::Closed(Sender)
                    && before.sender == Place::Away
                    && before.reader != Place::Away
                {
                    continue;
                }
                let actions = ends.handle(event);
                told.obey(before, ends, actions);
                if ends.sender == Place::Gone && ends.reader != Place::Gone {
                    prop_assert!(told.reader, "{before:?} {event:?}");
                }
                if ends.reader == Place::Gone && ends.sender != Place::Gone {
                    prop_assert!(told.sender, "{before:?} {event:?}");
                }
            }
        }
    }
}

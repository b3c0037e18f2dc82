//! Channels: order, timeouts, reasons.

use std::io::IoSlice;
use std::thread;
use std::time::Duration;

use tractor_ipc::handshake::{Handshake, HandshakeError, Local, fresh_nonce};
use tractor_ipc::{
    ActorId, Address, BuildId, Channel, ChannelError, CloseReason, FrameError, Kind, Listener,
    Peer, Socket, TreeId, TreeSecret, frame,
};

use crate::sockets::{Dir, accept};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn pair() -> (Channel, Channel) {
    let (ours, theirs) = Socket::pair().unwrap();
    (
        Channel::new(ours),
        Channel::new(Socket::from_owned_fd(theirs).unwrap()),
    )
}

fn local(name: &str, build: u64) -> Local {
    Local {
        secret: TreeSecret::new([5; 32]),
        tree: TreeId(1),
        build: BuildId(build),
        aid: ActorId::new(name, 1),
        address: None,
        nonce: fresh_nonce(),
    }
}

type Ended = Result<(Channel, Peer), ChannelError>;

/// Shakes hands over a real listener and tells how the initiator and the acceptor end.
fn shake(name: &str, initiator: Local, acceptor: Local) -> (Ended, Ended) {
    let dir = Dir::new(name);
    let listener = Listener::bind(&Address::Unix(dir.join("sock"))).unwrap();
    thread::scope(|scope| {
        let server = scope
            .spawn(|| Channel::new(accept(&listener)).handshake(Handshake::acceptor(acceptor)));
        let client = Channel::connect(listener.address(), initiator);
        (client, server.join().unwrap())
    })
}

#[test]
fn frames_of_all_sizes_arrive_in_order() {
    let sizes = [
        0, 1, 100, 16_383, 16_384, 65_523, 65_524, 70_000, 3_000_000, 5,
    ];
    let (mut client, mut server) = pair();
    thread::scope(|scope| {
        scope.spawn(|| {
            for (id, &size) in sizes.iter().enumerate() {
                client
                    .send(Kind::Request, id as u64, &vec![id as u8; size])
                    .unwrap();
            }
        });
        for (id, &size) in sizes.iter().enumerate() {
            let frame = server.recv(None).unwrap();
            assert_eq!((frame.kind, frame.id), (Kind::Request, id as u64));
            assert!(frame.payload == vec![id as u8; size]);
        }
    });
}

#[test]
fn a_timeout_keeps_what_has_arrived() {
    let (mut client, server) = pair();
    assert_eq!(client.recv(NOW), Err(ChannelError::TimedOut));
    let header = frame::header(Kind::Pong, 1, 2);
    server
        .socket()
        .send(&[IoSlice::new(&header), IoSlice::new(b"a")])
        .unwrap();
    assert_eq!(
        client.recv(Some(Duration::from_millis(1))),
        Err(ChannelError::TimedOut)
    );
    server.socket().send(&[IoSlice::new(b"b")]).unwrap();
    assert_eq!(client.recv(NOW).unwrap().payload, b"ab");
}

#[test]
fn the_reason_for_the_end_stays() {
    let (mut client, mut server) = pair();
    server.send(Kind::Return, 1, b"last").unwrap();
    drop(server);
    assert_eq!(client.recv(None).unwrap().payload, b"last");
    let closed = ChannelError::Closed(CloseReason::PeerClosed);
    assert_eq!(client.recv(None), Err(closed.clone()));
    assert_eq!(client.send(Kind::Ping, 0, b""), Err(closed));
    assert_eq!(client.closed(), Some(&CloseReason::PeerClosed));
}

#[test]
fn a_cut_off_frame_is_told_from_an_end() {
    let (mut client, server) = pair();
    server.socket().send(&[IoSlice::new(&[0; 5])]).unwrap();
    drop(server);
    let reason = CloseReason::Frame(FrameError::Truncated);
    assert_eq!(client.recv(None), Err(ChannelError::Closed(reason)));
}

#[test]
fn garbage_closes_both_directions() {
    let (mut client, mut server) = pair();
    let garbage = b"GET / HTTP/1.1\r\n";
    server.socket().send(&[IoSlice::new(garbage)]).unwrap();
    // Read as a header, its length would pass and its kind is the slash.
    let reason = CloseReason::Frame(FrameError::UnknownKind(b'/'));
    assert_eq!(client.recv(None), Err(ChannelError::Closed(reason)));
    assert_eq!(
        server.recv(None),
        Err(ChannelError::Closed(CloseReason::PeerClosed))
    );
}

#[test]
fn a_peer_that_does_not_read_stalls_the_sender_no_longer_than_told() {
    let (mut client, _server) = pair();
    client.set_send_timeout(Some(Duration::from_millis(5)));
    let stalled = ChannelError::Closed(CloseReason::SendStalled);
    assert_eq!(
        client.send(Kind::Request, 0, &vec![0; 8 << 20]),
        Err(stalled)
    );
}

#[test]
fn buffered_frames_go_along_when_a_channel_is_taken_apart() {
    let (mut client, mut server) = pair();
    for id in 0..3 {
        client.send(Kind::Ping, id, b"").unwrap();
    }
    assert_eq!(server.recv(None).unwrap().id, 0);
    let (_socket, mut decoder) = server.into_parts();
    assert_eq!(decoder.next().unwrap().unwrap().id, 1);
    assert_eq!(decoder.next().unwrap().unwrap().id, 2);
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn actors_of_one_tree_meet_by_address() {
    let (client, server) = shake("meet", local("a", 1), local("b", 1));
    let ((mut client, server_peer), (mut server, client_peer)) = (client.unwrap(), server.unwrap());
    assert_eq!((server_peer.aid.name(), client_peer.aid.name()), ("b", "a"));
    // The bound of the handshake is gone.
    client.send(Kind::Start, 1, &[1; 10_000]).unwrap();
    assert_eq!(server.recv(None).unwrap().payload, [1; 10_000]);
}

#[test]
fn both_ends_name_a_different_build() {
    let (client, server) = shake("build", local("a", 1), local("b", 2));
    let reason = |ended: Ended| match ended {
        Err(ChannelError::Closed(CloseReason::Handshake(error))) => error,
        other => panic!("{other:?}"),
    };
    let error = |name, ours, theirs| HandshakeError::OtherBuild {
        aid: ActorId::new(name, 1),
        ours: BuildId(ours),
        theirs: BuildId(theirs),
    };
    assert_eq!(reason(client), error("b", 1, 2));
    assert_eq!(reason(server), error("a", 2, 1));
}

#[test]
fn a_long_message_is_refused_before_the_peer_is_known() {
    let (mut client, server) = pair();
    client.send(Kind::Hello, 0, &[0; 5000]).unwrap();
    let error = server
        .handshake(Handshake::acceptor(local("b", 1)))
        .unwrap_err();
    let reason = CloseReason::Frame(FrameError::TooLong {
        claimed: 5000,
        max: 4096,
    });
    assert_eq!(error, ChannelError::Closed(reason));
}

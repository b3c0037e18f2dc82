//! Sockets and listeners, with the real system.

use std::fs;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};
use tractor_ipc::{Address, Listener, Socket};

/// A directory that is removed with what is in it.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tractor-ipc-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn accept(listener: &Listener) -> Socket {
    poll(&mut [PollFd::new(listener, PollFlags::IN)], None).unwrap();
    listener.accept().unwrap().expect("a connection waits")
}

fn recv(socket: &Socket, buf: &mut [u8]) -> std::io::Result<usize> {
    socket.recv(&mut [IoSliceMut::new(buf), IoSliceMut::new(&mut [])])
}

#[test]
fn only_our_end_of_a_pair_is_non_blocking() {
    let (ours, theirs) = Socket::pair().unwrap();
    assert!(fcntl_getfl(&ours).unwrap().contains(OFlags::NONBLOCK));
    assert!(!fcntl_getfl(&theirs).unwrap().contains(OFlags::NONBLOCK));
    assert!(fcntl_getfd(&ours).unwrap().contains(FdFlags::CLOEXEC));
    assert!(fcntl_getfd(&theirs).unwrap().contains(FdFlags::CLOEXEC));
    assert_eq!(
        recv(&ours, &mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn a_pair_names_its_maker() {
    let (ours, _theirs) = Socket::pair().unwrap();
    assert_eq!(ours.peer_uid(), Some(rustix::process::geteuid().as_raw()));
    assert_eq!(ours.peer_pid(), Some(std::process::id() as i32));
}

#[test]
fn reads_fill_the_slices_in_order() {
    let (ours, theirs) = Socket::pair().unwrap();
    let theirs = Socket::from_owned_fd(theirs).unwrap();
    assert_eq!(
        theirs
            .send(&[IoSlice::new(b"abcd"), IoSlice::new(b"efgh")])
            .unwrap(),
        8
    );
    let (mut first, mut second) = ([0; 3], [0; 9]);
    let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(ours.recv(&mut slices).unwrap(), 8);
    assert_eq!((&first, &second[..5]), (b"abc", &b"defgh"[..]));
}

#[test]
fn more_slices_than_the_kernel_takes_are_sent_in_part() {
    let (ours, _theirs) = Socket::pair().unwrap();
    let slices = vec![IoSlice::new(b"x"); 3000];
    assert_eq!(ours.send(&slices).unwrap(), 1024);
}

#[test]
fn an_ended_direction_reads_as_the_end() {
    let (ours, theirs) = Socket::pair().unwrap();
    let theirs = Socket::from_owned_fd(theirs).unwrap();
    theirs.send(&[IoSlice::new(b"last")]).unwrap();
    theirs.shutdown_write().unwrap();
    let mut buf = [0; 8];
    assert_eq!(recv(&ours, &mut buf).unwrap(), 4);
    assert_eq!(recv(&ours, &mut buf).unwrap(), 0);
    assert_eq!(ours.send(&[IoSlice::new(b"still")]).unwrap(), 5);
}

#[test]
fn sending_to_nobody_is_an_error_and_no_signal() {
    let (ours, theirs) = Socket::pair().unwrap();
    drop(theirs);
    for slices in [
        &[IoSlice::new(b"x")][..],
        &[IoSlice::new(b"x"), IoSlice::new(b"y")],
    ] {
        assert_eq!(ours.send(slices).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn unix_sockets_connect_and_leave_no_file() {
    let dir = Dir::new("connect");
    let address = Address::Unix(dir.join("sock"));
    let listener = Listener::bind(&address).unwrap();
    assert_eq!(listener.address(), &address);
    assert_eq!(
        fs::metadata(dir.join("sock")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(listener.accept().unwrap().is_none());
    let client = Socket::connect(&address).unwrap();
    let server = accept(&listener);
    assert_eq!(server.peer_pid(), Some(std::process::id() as i32));
    assert!(fcntl_getfl(&server).unwrap().contains(OFlags::NONBLOCK));
    assert!(fcntl_getfd(&server).unwrap().contains(FdFlags::CLOEXEC));

    client.send(&[IoSlice::new(b"hi")]).unwrap();
    drop(client);
    let mut server = UnixStream::from(OwnedFd::from(server));
    let mut text = String::new();
    server.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hi");

    drop(listener);
    assert!(!dir.join("sock").exists());
    assert_eq!(
        Socket::connect(&address).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn tcp_sockets_connect_on_the_port_that_was_picked() {
    for loopback in ["tcp:127.0.0.1:0", "tcp:[::1]:0"] {
        let listener = match Listener::bind(&loopback.parse().unwrap()) {
            // Not every machine has IPv6.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => continue,
            listener => listener.unwrap(),
        };
        let client = Socket::connect(listener.address()).unwrap();
        let server = accept(&listener);
        assert_eq!((server.peer_uid(), server.peer_pid()), (None, None));
        for socket in [&client, &server] {
            assert!(rustix::net::sockopt::tcp_nodelay(socket).unwrap());
        }
    }
}

#[test]
fn what_others_could_reach_is_refused() {
    for address in [
        "tcp:0.0.0.0:0",
        "tcp:[::]:0",
        "tcp:192.0.2.1:80",
        "tcp:[::ffff:7f00:1]:0",
    ] {
        let address: Address = address.parse().unwrap();
        assert_eq!(
            Listener::bind(&address).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            Socket::connect(&address).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}

#[test]
fn bad_paths_are_refused_with_the_reason() {
    let long = Path::new("/tmp").join("x".repeat(103));
    let error = Listener::bind(&Address::Unix(long)).unwrap_err();
    assert!(
        error.to_string().ends_with("has 108 bytes, more than 107"),
        "{error}"
    );
    let error = Listener::bind(&Address::Unix("sock".into())).unwrap_err();
    assert!(error.to_string().ends_with("is not absolute"), "{error}");
}

#[test]
fn a_path_of_107_bytes_works() {
    let dir = Dir::new("long");
    let room = 107 - dir.join("").as_os_str().len();
    let listener = Listener::bind(&Address::Unix(dir.join(&"x".repeat(room)))).unwrap();
    Socket::connect(listener.address()).unwrap();
}

#[test]
fn an_address_in_use_is_left_alone() {
    let dir = Dir::new("in-use");
    let path = dir.join("sock");
    fs::write(&path, "somebody's").unwrap();
    let error = Listener::bind(&Address::Unix(path.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
}

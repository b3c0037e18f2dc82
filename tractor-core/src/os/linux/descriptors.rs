//! Descriptors that travel between processes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Puts a descriptor before whatever is written to a Unix stream next.
pub(crate) fn send_descriptor(link: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A descriptor travels with a byte.
    let byte = [IoSlice::new(&[0])];
    rustix::net::sendmsg(link, &byte, &mut message, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what [`send_descriptor`] put first, if there is something, close-on-exec. It waits for
/// nothing, and leaves alone what no descriptor came with. EMFILE if there is no room for it.
pub(crate) fn take_descriptor(link: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(&mut byte)];
    let seen = match rustix::net::recvmsg(&link, &mut slices, &mut message, flags) {
        Err(Errno::AGAIN) => return Ok(None),
        seen => seen?,
    };
    if seen.flags.contains(ReturnFlags::CTRUNC) {
        // There is one, and no number that it could have here.
        return Err(Errno::MFILE.into());
    }
    let descriptor = message.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    if descriptor.is_some() {
        rustix::net::recv(&link, &mut byte[..], RecvFlags::DONTWAIT)?;
    }
    Ok(descriptor)
}

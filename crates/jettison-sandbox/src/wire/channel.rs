//! One end of the socket between library, supervisor and container: packets
//! of any size, each with up to sixteen descriptors.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::{Wire, decode, encode};

const FDS: usize = 16;
/// A packet that is larger travels in a memfd: the kernel bounds packets by
/// the socket's send buffer, 208 KiB by default.
const INLINE_BYTES: usize = 64 << 10;
/// No honest message is larger; a list of written files is cut before it.
const MOST_BYTES: u64 = 256 << 20;

/// One end of a SEQPACKET socket pair.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Two connected ends, both close-on-exec.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(a), Self(b)))
    }

    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a value, with descriptors.
    pub(crate) fn send(&self, value: &impl Wire, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let body = encode(value);
        if body.len() <= INLINE_BYTES {
            return self.send_packet(0, &body, fds);
        }
        let mut file = std::fs::File::from(rustix::fs::memfd_create(
            "jettison-message",
            rustix::fs::MemfdFlags::CLOEXEC,
        )?);
        file.write_all(&body)?;
        file.rewind()?;
        let mut all = vec![file.as_fd()];
        all.extend_from_slice(fds);
        self.send_packet(1, &[], &all)
    }

    fn send_packet(&self, kind: u8, body: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::other("too many descriptors in one message"));
        }
        let kind = [kind];
        let parts = [IoSlice::new(&kind), IoSlice::new(body)];
        loop {
            match sendmsg(&self.0, &parts, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Receives a value and its descriptors; `None` when the other end is gone.
    pub(crate) fn receive<T: Wire>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut buffer = vec![0; INLINE_BYTES + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let count = loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            match recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Ok(message) => break message.bytes,
                // A reset says that the other end went without reading all we
                // sent. It is told once, before what is still to be read.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
                Err(e) => return Err(e.into()),
            }
        };
        let mut fds: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten()
            .collect();
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "malformed message");
        let body = match buffer.first().filter(|_| count > 0) {
            None => return Ok(None),
            Some(0) => buffer.get(1..count).ok_or_else(broken)?.to_vec(),
            Some(_) if fds.is_empty() => return Err(broken()),
            Some(_) => {
                let mut body = Vec::new();
                std::fs::File::from(fds.remove(0))
                    .take(MOST_BYTES)
                    .read_to_end(&mut body)?;
                body
            }
        };
        Ok(Some((decode(&body).ok_or_else(broken)?, fds)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

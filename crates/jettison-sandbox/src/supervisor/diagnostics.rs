//! Listening sockets of a network namespace, asked for by sock_diag(7).
//!
//! The kernel then looks through the table of listeners alone. A read of
//! `/proc/net/tcp` looks through that of all connections of the machine, which
//! takes a millisecond and more, and we look many times a second.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::netlink::next_message;
use crate::listener::Listener;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// NLM_F_REQUEST and NLM_F_DUMP.
const FLAGS: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// The bit of TCP_LISTEN (10) among states.
const LISTENING: u32 = 1 << 10;

/// A socket that answers for the network namespace it was made in.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    socket: OwnedFd,
}

impl Diagnostics {
    /// For the network namespace of a process.
    pub(crate) fn of(process: Pid) -> io::Result<Self> {
        let open = |path: String| rustix::fs::open(path, OFlags::CLOEXEC, Mode::empty());
        let own = open("/proc/self/ns/net".to_owned())?;
        let theirs = open(format!("/proc/{}/ns/net", process.as_raw_nonzero()))?;
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(theirs.as_fd(), kind)?;
        let made = Self::of_ours();
        move_into_link_name_space(own.as_fd(), kind)?;
        made
    }

    /// For our own network namespace.
    pub(crate) fn of_ours() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self { socket })
    }

    /// The listening sockets, each with its inode.
    pub(crate) fn listening(&self) -> io::Result<Vec<(Listener, u64)>> {
        let mut found = self.listening_by(AF_INET)?;
        // A kernel may be without the other.
        found.extend(self.listening_by(AF_INET6).unwrap_or_default());
        Ok(found)
    }

    fn listening_by(&self, family: u8) -> io::Result<Vec<(Listener, u64)>> {
        send(&self.socket, &request(family), SendFlags::empty())?;
        let mut found = Vec::new();
        let mut buffer = [0; 32 << 10];
        loop {
            let (count, _) = recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
            let mut rest = &buffer[..count];
            while let Some((kind, body, tail)) = next_message(rest) {
                rest = tail;
                match kind {
                    NLMSG_DONE => return Ok(found),
                    NLMSG_ERROR => {
                        let errno = body.first_chunk().map_or(0, |b| i32::from_ne_bytes(*b));
                        return Err(io::Error::from_raw_os_error(-errno));
                    }
                    SOCK_DIAG_BY_FAMILY => found.extend(listener(body)),
                    _ => {}
                }
            }
        }
    }
}

/// A request for every listening TCP socket: `struct nlmsghdr`, then `struct
/// inet_diag_req_v2` of the kernel's `include/uapi/linux/inet_diag.h`.
fn request(family: u8) -> Vec<u8> {
    const LENGTH: u32 = 16 + 56;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&LENGTH.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&FLAGS.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[family, IPPROTO_TCP, 0, 0]);
    bytes.extend_from_slice(&LISTENING.to_ne_bytes());
    // Which socket: any.
    bytes.extend_from_slice(&[0; 48]);
    bytes
}

/// A `struct inet_diag_msg`: the family at 0, the local port at 4 and address
/// at 8 in the network's byte order, the connections that wait at 56, the
/// inode at 68.
fn listener(body: &[u8]) -> Option<(Listener, u64)> {
    let word = |at: usize| Some(*body.get(at..)?.first_chunk::<4>()?);
    let port = u16::from_be_bytes(*body.get(4..)?.first_chunk()?);
    let address = match *body.first()? {
        AF_INET => IpAddr::from(Ipv4Addr::from(word(8)?)),
        AF_INET6 => Ipv6Addr::from(*body.get(8..)?.first_chunk::<16>()?).to_canonical(),
        _ => return None,
    };
    Some((
        Listener {
            port,
            loopback_only: address.is_loopback(),
            waiting: u32::from_ne_bytes(word(56)?),
        },
        u64::from(u32::from_ne_bytes(word(68)?)),
    ))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn sockets_of_our_own() {
        let Ok(diagnostics) = Diagnostics::of_ours() else {
            println!("skipped: the kernel has no sock_diag");
            return;
        };
        for (address, loopback_only) in [
            ("127.0.0.1:0", true),
            ("0.0.0.0:0", false),
            ("[::1]:0", true),
            ("[::]:0", false),
        ] {
            let Ok(socket) = TcpListener::bind(address) else {
                println!("skipped: {address} cannot be had");
                continue;
            };
            let port = socket.local_addr().expect("it is bound").port();
            let local: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
            let waits = match address.contains(':') && address.starts_with('[') {
                true => None,
                false => Some(TcpStream::connect(local).expect("a listener")),
            };
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&socket);
            let inode = std::fs::metadata(format!("/proc/self/fd/{descriptor}"));
            let inode = inode.expect("it is open").ino();
            let all = diagnostics.listening().expect("an answer");
            let (found, _) = all
                .iter()
                .find(|(_, known)| *known == inode)
                .expect(address);
            assert_eq!((found.port, found.loopback_only), (port, loopback_only));
            assert_eq!(found.waiting, u32::from(waits.is_some()), "{address}");
        }
    }
}

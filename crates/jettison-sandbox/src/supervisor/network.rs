//! The sandbox's network: addresses, and sockets that the library asks for.
//!
//! Routed, not bridged: the gateway's address is ours, each container has an
//! address of its own (/32) at the end of a veth pair. There is no way out,
//! so a program that calls the outside is told so at once.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SocketAddrV4, SocketFlags, SocketType, bind, listen, socket_with, sockopt,
};

use super::netlink::{Changes, LOOPBACK};

/// The sandbox's own address in every container's network. The namespace is
/// ours alone, so Docker's familiar range collides with nothing.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
/// 172.17.0.0/17 is for containers, 172.17.128.0/17 for services of ours.
const PREFIX: u32 = 0xac11_0000;
const SERVICES: u32 = 0x8000;

/// Which addresses are given away.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    containers: u32,
    services: u32,
    own: BTreeSet<Ipv4Addr>,
}

impl Addresses {
    /// The next address for a container, or for a service of ours.
    pub(crate) fn next(&mut self, service: bool) -> io::Result<Ipv4Addr> {
        let (counter, first, base) = if service {
            (&mut self.services, 1, SERVICES)
        } else {
            (&mut self.containers, 2, 0)
        };
        // The last is left out: .255.255 is a broadcast address elsewhere.
        if *counter + first + 1 >= SERVICES {
            return Err(io::Error::from_raw_os_error(libc::EADDRNOTAVAIL));
        }
        let address = Ipv4Addr::from_bits(PREFIX + base + first + *counter);
        *counter += 1;
        Ok(address)
    }

    /// Makes an address one of ours.
    fn own(&mut self, address: Ipv4Addr) -> io::Result<()> {
        if address.is_loopback()
            || address.is_unspecified()
            || address == GATEWAY
            || !self.own.insert(address)
        {
            return Ok(());
        }
        Changes::new().address(LOOPBACK, address).apply()
    }

    /// A socket that listens on one of our addresses.
    pub(crate) fn listen(&mut self, address: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
        self.own(address)?;
        let socket = tcp_socket()?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(address, port))?;
        listen(&socket, 128)?;
        Ok(socket)
    }
}

/// A TCP socket that belongs to the caller's network namespace for good.
pub(crate) fn tcp_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

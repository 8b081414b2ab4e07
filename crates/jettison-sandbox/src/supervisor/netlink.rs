//! The few words of rtnetlink(7) that a sandbox needs: links, addresses, routes.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;

const IFF_UP: u32 = 1;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;

const AF_INET: u8 = 2;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
/// Every network namespace numbers its loopback device so.
pub(crate) const LOOPBACK: u32 = 1;
/// We number the container's end of its veth pair so.
pub(crate) const CONTAINER_LINK: u32 = 2;

/// A list of changes to the network of the caller's namespace, sent as one.
pub(crate) struct Changes {
    messages: Vec<u8>,
    count: u32,
}

impl Changes {
    pub(crate) fn new() -> Self {
        Self {
            messages: Vec::new(),
            count: 0,
        }
    }

    /// Switches a link on.
    pub(crate) fn up(self, link: u32) -> Self {
        self.add(RTM_SETLINK, 0, &link_header(link, IFF_UP))
    }

    /// Removes a link.
    pub(crate) fn remove(self, link: u32) -> Self {
        self.add(RTM_DELLINK, 0, &link_header(link, 0))
    }

    /// Gives a link an address of its own (/32).
    pub(crate) fn address(self, link: u32, address: Ipv4Addr) -> Self {
        let mut body = vec![AF_INET, 32, 0, SCOPE_UNIVERSE];
        body.extend_from_slice(&link.to_ne_bytes());
        attribute(&mut body, IFA_LOCAL, &address.octets());
        attribute(&mut body, IFA_ADDRESS, &address.octets());
        self.add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body)
    }

    /// An address that is found directly on a link; from now on only there.
    pub(crate) fn neighbour_route(self, link: u32, to: Ipv4Addr) -> Self {
        let mut body = route_header(32, SCOPE_LINK);
        attribute(&mut body, RTA_DST, &to.octets());
        attribute(&mut body, RTA_OIF, &link.to_ne_bytes());
        self.add(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body)
    }

    /// Everything else goes through this address.
    pub(crate) fn default_route(self, link: u32, gateway: Ipv4Addr) -> Self {
        let mut body = route_header(0, SCOPE_UNIVERSE);
        attribute(&mut body, RTA_GATEWAY, &gateway.octets());
        attribute(&mut body, RTA_OIF, &link.to_ne_bytes());
        self.add(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body)
    }

    /// A pair of links: `link` here, and [`CONTAINER_LINK`] named `eth0` in
    /// the network namespace of process `peer`. Neither can be switched on
    /// before both are there.
    pub(crate) fn pair(self, link: u32, peer: i32, address: Ipv4Addr) -> Self {
        // Docker's scheme: a locally administered prefix and the address.
        let [a, b, c, d] = address.octets();
        let mut other = link_header(CONTAINER_LINK, 0);
        attribute(&mut other, IFLA_IFNAME, b"eth0\0");
        attribute(&mut other, IFLA_ADDRESS, &[0x02, 0x42, a, b, c, d]);
        attribute(&mut other, IFLA_NET_NS_PID, &peer.to_ne_bytes());
        let mut data = Vec::new();
        attribute(&mut data, VETH_INFO_PEER, &other);
        let mut info = Vec::new();
        attribute(&mut info, IFLA_INFO_KIND, b"veth\0");
        attribute(&mut info, IFLA_INFO_DATA, &data);
        let mut body = link_header(link, 0);
        attribute(&mut body, IFLA_IFNAME, format!("veth{link}\0").as_bytes());
        attribute(&mut body, IFLA_LINKINFO, &info);
        self.add(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body)
    }

    fn add(mut self, kind: u16, flags: u16, body: &[u8]) -> Self {
        self.count += 1;
        let length = u32::try_from(16 + body.len()).expect("a few attributes fit in 4 GiB");
        self.messages.extend_from_slice(&length.to_ne_bytes());
        self.messages.extend_from_slice(&kind.to_ne_bytes());
        self.messages
            .extend_from_slice(&(flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        self.messages.extend_from_slice(&self.count.to_ne_bytes());
        self.messages.extend_from_slice(&0_u32.to_ne_bytes());
        self.messages.extend_from_slice(body);
        pad(&mut self.messages);
        self
    }

    /// Carries the changes out; the first error ends it.
    pub(crate) fn apply(self) -> io::Result<()> {
        let socket: OwnedFd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            // NETLINK_ROUTE is protocol 0, which is what none stands for.
            None,
        )?;
        send(&socket, &self.messages, SendFlags::empty())?;
        let mut acknowledged = 0;
        let mut buffer = [0; 8192];
        while acknowledged < self.count {
            let (count, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            let mut rest = &buffer[..count];
            while let Some((kind, body, tail)) = next_message(rest) {
                rest = tail;
                if kind != NLMSG_ERROR {
                    continue;
                }
                match body.first_chunk::<4>().map(|b| i32::from_ne_bytes(*b)) {
                    Some(0) => acknowledged += 1,
                    Some(errno) => return Err(io::Error::from_raw_os_error(-errno)),
                    None => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
        }
        Ok(())
    }
}

/// The message at the beginning: its kind, its body, and what follows.
pub(super) fn next_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk::<4>()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk::<2>()?);
    let body = bytes.get(16..length)?;
    Some((
        kind,
        body,
        bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
    ))
}

/// `struct ifinfomsg` with the flags that are to be set.
fn link_header(link: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend_from_slice(&link.to_ne_bytes());
    body.extend_from_slice(&flags.to_ne_bytes());
    body.extend_from_slice(&flags.to_ne_bytes());
    body
}

/// `struct rtmsg`: main table (254), protocol static (4), unicast (1).
fn route_header(prefix: u8, scope: u8) -> Vec<u8> {
    vec![AF_INET, prefix, 0, 0, 254, 4, scope, 1, 0, 0, 0, 0]
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).expect("attributes of links are short");
    body.extend_from_slice(&length.to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

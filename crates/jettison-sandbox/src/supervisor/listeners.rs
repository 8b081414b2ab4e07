//! Which ports a container accepts connections on, read from the kernel's
//! socket tables.

use std::collections::{BTreeSet, HashSet};

use rustix::process::Pid;

use super::Supervisor;
use super::diagnostics::Diagnostics;
use super::reap::descendants;
use crate::listener::Listener;
use crate::spec::Network;
use crate::wire::Failure;

/// TCP_LISTEN of the kernel's `include/net/tcp_states.h`.
const LISTEN: &str = "0A";

impl Supervisor<'_> {
    /// The ports, sorted.
    pub(crate) fn listeners(&mut self, container: u64) -> Result<Vec<Listener>, Failure> {
        let has_namespaces = self.tier().has_namespaces();
        let contained = self.containers.get_mut(&container);
        let contained = contained.ok_or_else(Failure::ended)?;
        let Some(pid) = contained.pid else {
            return Ok(Vec::new());
        };
        // In a network of its own every socket is the container's.
        let shared = contained.request.network == Network::Host || !has_namespaces;
        let own = shared.then(|| {
            let mut all = descendants(pid);
            all.push(pid);
            all.into_iter()
                .flat_map(socket_inodes)
                .collect::<HashSet<u64>>()
        });
        if contained.diagnostics.is_none() {
            contained.diagnostics = match has_namespaces {
                true => Diagnostics::of(pid).ok(),
                false => Diagnostics::of_ours().ok(),
            };
        }
        let asked = contained.diagnostics.as_ref();
        let asked = asked.and_then(|sockets| sockets.listening().ok());
        let all = asked.unwrap_or_else(|| read_tables(pid));
        let ours = all
            .into_iter()
            .filter(|(_, inode)| own.as_ref().is_none_or(|own| own.contains(inode)));
        let found: BTreeSet<Listener> = ours.map(|(listener, _)| listener).collect();
        Ok(found.into_iter().collect())
    }
}

/// The same where the kernel does not answer.
fn read_tables(pid: Pid) -> Vec<(Listener, u64)> {
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/{}/net/{table}", pid.as_raw_nonzero());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(listening));
    }
    found
}

/// A row of `/proc/net/tcp` (proc_net_tcp.rst): local address and port in
/// field 2, state in field 4, of a listening socket the connections that wait
/// behind the colon of field 5, inode in field 10; addresses are printed as
/// words of the machine's own byte order.
fn listening(row: &str) -> Option<(Listener, u64)> {
    let fields: Vec<&str> = row.split_whitespace().take(10).collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let words: Vec<u32> = address
        .as_bytes()
        .chunks(8)
        .map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let loopback_only = match bytes.as_slice() {
        [127, ..] if bytes.len() == 4 => true,
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, ..] => true,
        _ => bytes.len() == 16 && bytes[..15].iter().all(|&b| b == 0) && bytes[15] == 1,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    let (_, waiting) = fields.get(4)?.split_once(':')?;
    Some((
        Listener {
            port,
            loopback_only,
            waiting: u32::from_str_radix(waiting, 16).ok()?,
        },
        fields.get(9)?.parse().ok()?,
    ))
}

/// The sockets that a process holds.
fn socket_inodes(pid: Pid) -> Vec<u64> {
    let Ok(links) = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())) else {
        return Vec::new();
    };
    let inode = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        target
            .to_str()?
            .strip_prefix("socket:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    };
    links.flatten().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn rows_of_the_kernel() {
        #[track_caller]
        fn check(local: &str, state: &str, expected: Option<(u16, bool)>) {
            let row = format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0"
            );
            let found = listening(&row);
            assert_eq!(found.map(|(l, _)| (l.port, l.loopback_only)), expected);
            assert!(found.is_none_or(|(_, inode)| inode == 4711));
        }
        check("00000000:1F90", "0A", Some((8080, false)));
        check("0100007F:1F90", "0A", Some((8080, true)));
        check("0100007F:1F90", "01", None);
        check(
            "00000000000000000000000000000000:0050",
            "0A",
            Some((80, false)),
        );
        check(
            "00000000000000000000000001000000:0050",
            "0A",
            Some((80, true)),
        );
        check(
            "0000000000000000FFFF00000100007F:0050",
            "0A",
            Some((80, true)),
        );
        check("junk", "0A", None);
    }
}

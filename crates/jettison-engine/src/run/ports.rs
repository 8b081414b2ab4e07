//! Published ports: this machine listens, and every connection is carried to
//! the container's address, where a server that listens on 127.0.0.1 only is
//! as much out of reach as it is under docker.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use jettison_sandbox::Container;
use rustix::net::Shutdown;

use crate::progress::Progress;
use crate::prove::join;

/// How long the container may take to accept or refuse.
const CONNECT: Duration = Duration::from_secs(3);
/// Each connection takes two threads and four descriptors of ours.
const MOST_CONNECTIONS: usize = 200;

/// `[IP:][HOST:]CONTAINER[/tcp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPort {
    /// Where this machine listens; loopback when not given.
    pub address: IpAddr,
    /// The port there; 0 is any that is free.
    pub host: u16,
    /// The port in the container.
    pub container: u16,
}

/// Why a port cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Another form.
    #[error("`{0}` is not a port of the form [IP:][HOST:]CONTAINER")]
    Form(String),
    /// TCP is carried, nothing else.
    #[error("`{0}`: only TCP ports can be published")]
    Protocol(String),
    /// This machine does not let us listen there.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl PortError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let Self::Listen { address, source } = self else {
            return Some("for example --port 8080, --port 8080:80, --port 0.0.0.0:8080:80".into());
        };
        match source.kind() {
            io::ErrorKind::AddrInUse => Some(format!(
                "something listens there already (`ss -tlnp 'sport = {}'`); take another HOST port",
                address.port()
            )),
            io::ErrorKind::PermissionDenied => {
                Some("ports below 1024 need root; take a HOST port above".to_owned())
            }
            _ => None,
        }
    }
}

impl FromStr for PublishedPort {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let form = || PortError::Form(text.to_owned());
        let ports = match text.rsplit_once('/') {
            Some((ports, "tcp")) => ports,
            Some(_) => return Err(PortError::Protocol(text.to_owned())),
            None => text,
        };
        let number = |text: &str| text.parse::<u16>().map_err(|_| form());
        let (before, container) = match ports.rsplit_once(':') {
            Some((before, container)) => (Some(before), container),
            None => (None, ports),
        };
        let container = number(container)?;
        if container == 0 {
            return Err(form());
        }
        let (address, host) = match before.map(|before| before.rsplit_once(':').ok_or(before)) {
            None => (None, container),
            Some(Err(host)) => (None, number(host)?),
            // `IP::CONTAINER` is any free port of this address, as docker has it.
            Some(Ok((address, ""))) => (Some(address), 0),
            Some(Ok((address, host))) => (Some(address), number(host)?),
        };
        let address = match address {
            None => Ipv4Addr::LOCALHOST.into(),
            Some(address) => {
                let inner = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
                inner.unwrap_or(address).parse().map_err(|_| form())?
            }
        };
        Ok(Self {
            address,
            host,
            container,
        })
    }
}

impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = SocketAddr::new(self.address, self.host);
        write!(f, "{here} leads to port {}", self.container)
    }
}

/// A listening port of this machine. It is closed when this is dropped.
pub(super) struct Door {
    listener: Arc<TcpListener>,
    container_port: u16,
}

/// Takes all ports, and says which those are that were left to the kernel.
pub(super) fn open(wanted: &[PublishedPort]) -> Result<(Vec<Door>, Vec<PublishedPort>), PortError> {
    let (mut doors, mut published) = (Vec::new(), Vec::new());
    for port in wanted {
        let address = SocketAddr::new(port.address, port.host);
        let failed = |source| PortError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let host = listener.local_addr().map_err(failed)?.port();
        published.push(PublishedPort {
            host,
            ..port.clone()
        });
        doors.push(Door {
            listener: Arc::new(listener),
            container_port: port.container,
        });
    }
    Ok((doors, published))
}

impl Door {
    /// Carries connections to a container for as long as both are there.
    pub(super) fn lead_to(&self, container: &Arc<Container>, progress: &Arc<dyn Progress>) {
        let passage = Arc::new(Passage {
            container: Arc::downgrade(container),
            port: self.container_port,
            progress: Arc::clone(progress),
            open: AtomicUsize::new(0),
            explained: AtomicBool::new(false),
        });
        let listener = Arc::clone(&self.listener);
        thread::spawn(move || {
            while let Ok((outside, _)) = listener.accept() {
                let passage = Arc::clone(&passage);
                if passage.open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
                    passage.open.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                thread::spawn(move || {
                    passage.carry(outside);
                    passage.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }
}

impl Drop for Door {
    /// Wakes whoever waits in `accept`.
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&*self.listener, Shutdown::Both);
    }
}

struct Passage {
    /// Weak: a connection must not keep the container alive.
    container: Weak<Container>,
    port: u16,
    progress: Arc<dyn Progress>,
    open: AtomicUsize,
    explained: AtomicBool,
}

impl Passage {
    fn carry(&self, outside: TcpStream) {
        let Some(container) = self.container.upgrade() else {
            return;
        };
        match container.connect(self.port, CONNECT) {
            Ok(inside) => {
                drop(container);
                let _ = join(inside, outside);
            }
            Err(error) => self.explain(&container, &error),
        }
    }

    /// Once: what a person sees is only a connection that was closed.
    fn explain(&self, container: &Container, error: &io::Error) {
        if self.explained.swap(true, Ordering::Relaxed) {
            return;
        }
        let port = self.port;
        let hidden = container.listeners().is_ok_and(|listeners| {
            let mut here = listeners.iter().filter(|listener| listener.port == port);
            here.any(|listener| listener.loopback_only)
        });
        self.progress.note(&match hidden {
            true => format!(
                "port {port}: the program listens on 127.0.0.1 only, where nothing outside the \
                 container reaches it; let it listen on 0.0.0.0"
            ),
            false => format!("port {port}: {error}"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_docker_writes_them() {
        let check = |text: &str, expected: Option<(&str, u16, u16)>| {
            let port = text.parse::<PublishedPort>().ok();
            let expected = expected.map(|(address, host, container)| PublishedPort {
                address: address.parse().expect("an address"),
                host,
                container,
            });
            assert_eq!(port, expected, "{text}");
        };
        check("8080", Some(("127.0.0.1", 8080, 8080)));
        check("8080:80", Some(("127.0.0.1", 8080, 80)));
        check("0:80", Some(("127.0.0.1", 0, 80)));
        check("0.0.0.0:8080:80/tcp", Some(("0.0.0.0", 8080, 80)));
        check("127.0.0.1::80", Some(("127.0.0.1", 0, 80)));
        check("[::1]:8080:80", Some(("::1", 8080, 80)));
        check("::1:8080:80", Some(("::1", 8080, 80)));
        for bad in [
            "", "0", "x", "80:", "1:2:3", "70000", "80-90", "80/udp", "host:1:2",
        ] {
            check(bad, None);
        }
    }
}

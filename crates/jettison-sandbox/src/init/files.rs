//! The files that an engine puts into every container: `/etc/hosts`,
//! `/etc/hostname`, `/etc/resolv.conf`.

use crate::spec::Network;
use crate::supervisor::network::GATEWAY;
use crate::wire::StartRequest;

/// `/etc/hosts`, with the lines docker writes, then the companions, then the
/// container itself.
pub(crate) fn hosts(request: &StartRequest) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n",
    );
    for (name, address) in &request.hosts {
        text.push_str(&format!("{address}\t{}\n", one_word(name)));
    }
    if let Some(address) = request.address {
        text.push_str(&format!("{address}\t{}\n", one_word(&request.hostname)));
    }
    text
}

/// A name comes from a flag; a line break in it must not become a line.
fn one_word(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect()
}

/// `/etc/resolv.conf`: the machine's where its network is shared. In a
/// network of our own nothing answers at the gateway's port 53, so a lookup
/// fails at once instead of after a timeout.
pub(crate) fn resolv_conf(request: &StartRequest, of_machine: Option<Vec<u8>>) -> Vec<u8> {
    match (request.network, of_machine) {
        (Network::Host, Some(content)) => content,
        (Network::Private, _) => format!("nameserver {GATEWAY}\n").into_bytes(),
        _ => Vec::new(),
    }
}

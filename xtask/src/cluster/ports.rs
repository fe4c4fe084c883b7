//! Ports of the loopback for programs that have to be told theirs.
//!
//! Between the choice and the start of the program, and while it is started again, nobody holds the port. The kernel gives
//! ports of its own range to whoever binds port 0 and to whoever connects, and so it may give that very one away. These are
//! from below that range: nothing but another one of these runs takes them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::Result;
use anyhow::bail;

/// Where they are looked for: below the ports that Linux gives out by itself (`net.ipv4.ip_local_port_range`), which begin
/// at 32768, and below those of Kubernetes' Services.
const RANGE: Range<u16> = 20_000..30_000;
/// How many are tried.
const TRIES: u32 = 1_000;

/// Those that this process has given out: two parts of it never get the same one.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens on now, and that is not given out again.
pub(crate) fn free() -> Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..TRIES {
        let port = fastrand::u16(RANGE);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("none of {TRIES} ports of {RANGE:?} is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_out_once_and_can_be_listened_on() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
        let port = ports.first().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap();
        assert_eq!(listener.local_addr().unwrap().port(), *port);
    }
}

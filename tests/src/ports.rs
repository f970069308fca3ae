//! Ports for servers that are started again where they were.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that systems give to outgoing connections: while a server is down,
/// nobody gets its port by chance.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port on loopback where nobody listens, another one each time.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test binaries that run side by side begin at different places.
    let begin = (std::process::id() as u16).wrapping_mul(31);
    let span = PORTS.end - PORTS.start;
    for _ in 0..span {
        let offset = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % span;
        let port = PORTS.start + offset;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// A text in which these ports are free ones. No digits may stand beside them.
pub fn with_free_ports(text: &str, ports: &[u16]) -> String {
    ports.iter().fold(text.to_owned(), |text, port| {
        text.replace(&port.to_string(), &free_port().to_string())
    })
}

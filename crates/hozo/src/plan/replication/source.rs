//! The address of a server to follow, as far as text can tell.

use std::path::Path;

use super::super::path;

/// How addresses are written.
pub(super) const FORMS: &str = "write http://HOST:PORT, https://HOST:PORT, HOST:PORT, or unix:PATH";

/// The address, whose socket, if it is one, is found from every directory.
pub(super) fn absolute(text: &str, base: &Path) -> Result<String, &'static str> {
    if let Some(socket) = text.strip_prefix("unix:") {
        let socket = socket.strip_prefix("//").unwrap_or(socket);
        if socket.is_empty() {
            return Err("the address names no socket");
        }
        // Both are text, so nothing is lost.
        return Ok(format!("unix:{}", path::absolute(base, socket).display()));
    }
    let rest = match text.split_once("://") {
        None => text,
        Some(("http" | "https", rest)) => rest,
        Some(_) => return Err("the address has a scheme that is not known"),
    };
    let lacking = "the address lacks a host or a port";
    let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':').ok_or(lacking)?;
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let numbered = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
    };
    if host.is_empty() || port.parse::<u16>().is_ok_and(|port| port == 0) || port.is_empty() {
        return Err(lacking);
    }
    if port.parse::<u16>().is_err() || !(numbered(host) || host.chars().all(named)) {
        return Err("the address has more than a host and a port");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;

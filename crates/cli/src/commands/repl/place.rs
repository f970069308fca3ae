//! Where the server of a config listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hozo::Registry;
use hozo::traits::Claim;

use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

/// The address of the first rpc frontend of the config, as this machine reaches it;
/// with TLS where `tls` says that the caller has what that needs.
pub(super) fn of_config(context: &Context, tls: bool) -> Done<String> {
    let plan = context.plan_for(&Registry::serving())?;
    let frontends = plan.frontends().iter().filter(|frontend| frontend.kind() == "rpc");
    let claims: Vec<Claim> = frontends.flat_map(|frontend| frontend.claims()).collect();
    let address = claims.iter().find_map(|claim| address(claim, tls));
    address.ok_or_else(|| {
        let file = context.config_file();
        let what = match claims.is_empty() {
            true => "has no frontend of kind \"rpc\"",
            false => "lets the system choose where it listens",
        };
        let message = format!("which server? {} {what}", file.display());
        Failure::new(exit::USAGE, message).hint("--address HOST:PORT or --address unix:PATH")
    })
}

fn address(claim: &Claim, tls: bool) -> Option<String> {
    match claim {
        Claim::Tcp(at) if at.port() != 0 => {
            let ip = match at.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            let scheme = if tls { "https" } else { "http" };
            Some(format!("{scheme}://{}", SocketAddr::new(ip, at.port())))
        }
        Claim::Socket(path) => path.to_str().map(|path| format!("unix:{path}")),
        Claim::Tcp(_) | Claim::Mount(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_this_machine_too() {
        let tcp = |text: &str, tls| address(&Claim::Tcp(text.parse().unwrap()), tls);
        assert_eq!(tcp("0.0.0.0:1978", false).as_deref(), Some("http://127.0.0.1:1978"));
        assert_eq!(tcp("[::]:1978", true).as_deref(), Some("https://[::1]:1978"));
        assert_eq!(tcp("10.0.0.1:7", false).as_deref(), Some("http://10.0.0.1:7"));
        assert_eq!(tcp("127.0.0.1:0", false), None, "nobody knows which port that is");
        let socket = address(&Claim::Socket("/run/dbm.sock".into()), false);
        assert_eq!(socket.as_deref(), Some("unix:/run/dbm.sock"));
    }
}

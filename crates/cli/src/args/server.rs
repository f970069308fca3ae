//! Which server, and how to speak to it.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::parse::positive;

/// Which server, and how to speak to it.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which server")]
pub(crate) struct Server {
    /// The server: HOST:PORT, http://HOST:PORT, https://HOST:PORT or unix:PATH.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// How long connecting may take, 10 unless given, and a call: 30, or a day where its
    /// work grows with the DBM.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = positive)]
    pub(crate) timeout: Option<f64>,
    /// The token that proves who asks. Others can see it in the list of processes:
    /// HOZO_TOKEN and --token-file are safer.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        conflicts_with = "token_file",
        hide_short_help = true
    )]
    pub(crate) token: Option<String>,
    /// A file with the token.
    #[arg(
        long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath,
        hide_short_help = true
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// The authority's certificate (PEM) that the server's is signed with; https needs it.
    #[arg(
        long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath,
        hide_short_help = true
    )]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The certificate (PEM) to show to the server.
    #[arg(
        long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath,
        hide_short_help = true
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key.
    #[arg(
        long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath,
        hide_short_help = true
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Certificates as tkrzw_dbm_remote_util takes them.
    #[arg(
        long, global = true, hide = true, value_name = "ssl:key=FILE,cert=FILE,root=FILE",
        conflicts_with_all = ["tls_ca", "tls_cert", "tls_key"], value_parser = auth
    )]
    pub(crate) auth: Option<Auth>,
}

/// The files of Tkrzw's `--auth`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Auth {
    pub(crate) key: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) root: PathBuf,
}

/// Reads Tkrzw's `--auth`.
pub(crate) fn auth(text: &str) -> Result<Auth, String> {
    let wrong = || "it is ssl:key=FILE,cert=FILE,root=FILE".to_owned();
    let (mut key, mut cert, mut root) = (None, None, None);
    for part in text.strip_prefix("ssl:").ok_or_else(wrong)?.split(',') {
        let (name, file) = part.split_once('=').ok_or_else(wrong)?;
        let place = match name {
            "key" => &mut key,
            "cert" => &mut cert,
            "root" => &mut root,
            _ => return Err(wrong()),
        };
        *place = Some(PathBuf::from(file));
    }
    let (key, cert, root) =
        (key.ok_or_else(wrong)?, cert.ok_or_else(wrong)?, root.ok_or_else(wrong)?);
    Ok(Auth { key, cert, root })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificates_of_tkrzw_are_read_in_any_order() {
        let read = auth("ssl:cert=c.pem,root=/r,key=k").unwrap();
        let expected = Auth { key: "k".into(), cert: "c.pem".into(), root: "/r".into() };
        assert_eq!(read, expected);
        for wrong in ["", "ssl:", "ssl:key=k", "key=k,cert=c,root=r", "ssl:key=k,cert=c,roots=r"] {
            assert!(auth(wrong).is_err(), "{wrong}");
        }
    }
}

//! Speaking to the server that the options name.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use hozo_client::{Builder, Client, Tls};

use crate::args::server::{Auth, Server};
use crate::exit;
use crate::failure::{Done, Failure};

/// The token where the command line does not name one.
const TOKEN_VARIABLE: &str = "HOZO_TOKEN";

/// Longer files are no tokens, and no certificates.
const SECRET_BYTES_MAX: u64 = 1 << 20;

/// A client of the server at this address, as the options say but for theirs.
pub(super) fn builder(server: &Server, address: &str) -> Done<Builder> {
    let mut builder = timeouts(server, Client::builder(address));
    if let Some(token) = token(server)? {
        builder = builder.token(token);
    }
    if let Some(tls) = tls(server)? {
        builder = builder.tls(tls);
    }
    Ok(builder)
}

/// How long connecting and calls may take.
pub(super) fn timeouts(server: &Server, builder: Builder) -> Builder {
    match server.timeout.map(Duration::from_secs_f64) {
        Some(timeout) => builder.timeout(timeout).connect_timeout(timeout),
        None => builder,
    }
}

/// Whether the options say who asks, which only a server wants to know.
pub(super) fn is_shown_who_asks(server: &Server) -> bool {
    server.token.is_some() || server.token_file.is_some() || has_tls(server)
}

/// Whether the options have certificates, which are for servers with TLS.
pub(super) fn has_tls(server: &Server) -> bool {
    certificates(server).iter().any(Option::is_some)
}

pub(super) fn token(server: &Server) -> Done<Option<String>> {
    if let Some(token) = &server.token {
        return Ok(Some(token.clone()));
    }
    if let Some(file) = &server.token_file {
        return Ok(Some(text(file)?.trim().to_owned()));
    }
    Ok(std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()))
}

fn tls(server: &Server) -> Done<Option<Tls>> {
    let wrong = |message| Err(Failure::new(exit::USAGE, message));
    match certificates(server) {
        [None, None, None] => Ok(None),
        [None, ..] => wrong("--tls-cert and --tls-key need --tls-ca, to know the server by"),
        [Some(ca), None, None] => Ok(Some(Tls::new(text(ca)?))),
        [Some(ca), Some(cert), Some(key)] => {
            Ok(Some(Tls::new(text(ca)?).identity(text(cert)?, text(key)?)))
        }
        _ => wrong("--tls-cert and --tls-key go together"),
    }
}

/// The files with the authority's certificate, the caller's, and its key.
pub(super) fn certificates(server: &Server) -> [Option<&Path>; 3] {
    let Server { tls_ca, tls_cert, tls_key, auth, .. } = server;
    match auth {
        Some(Auth { key, cert, root }) => [root, cert, key].map(|file| Some(file.as_path())),
        None => [tls_ca, tls_cert, tls_key].map(Option::as_deref),
    }
}

/// The text of a small file.
fn text(file: &Path) -> Done<String> {
    let shown = file.display().to_string();
    let read = || -> Done<String> {
        let mut text = String::new();
        File::open(file)?.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > SECRET_BYTES_MAX {
            return Err(Failure::new(exit::FAILED, "too long for a token or a certificate"));
        }
        Ok(text)
    };
    read().map_err(|e| e.when(&shown))
}

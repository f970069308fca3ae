//! The directory of a new copy.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use hozo::traits::{Ambient, Reader, SystemAmbient};
use hozo_client::Connector;
use std::os::unix::fs::OpenOptionsExt;

use super::super::super::remote;
use super::super::super::toml::{Toml, quoted};
use super::super::failure;
use crate::args::repl::Pull;
use crate::args::server::{Auth, Server};
use crate::exit;
use crate::failure::{Done, Failure};

/// Where the token is kept that the copy shows.
const TOKEN_FILE: &str = "source.token";

/// Asks the server which DBMs it has, and writes the config of their copy.
pub(super) async fn make(args: &Pull, server: &Server, address: &str, file: &Path) -> Done {
    if args.backend == "memory" {
        return Err(Failure::new(exit::USAGE, "of a copy in memory nothing would be left"));
    }
    let settings = remote::builder(server, address)?;
    let reader = Reader { name: "hozo repl pull".to_owned(), ..Reader::default() };
    let feed = Connector::new(settings).connect(address, &reader).await.map_err(failure)?;
    let dbms = feed.dbms();
    if dbms.is_empty() {
        let message = format!("{address} is a tkrzw_server, of which no copy can be pulled");
        return Err(Failure::new(exit::FAILED, message)
            .hint("`hozo repl follow` follows one; `hozo dbm export` copies its records"));
    }
    fs::create_dir_all(&args.to).map_err(|e| Failure::from(e).when("the copy's directory"))?;
    let token = token(args, server)?;
    let text = config(args, server, address, &dbms, token.as_deref())?;
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create_new(true).open(file);
    let written = written.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|e| Failure::from(e).when(&file.display().to_string()))
}

/// The file with the token; a copy of it, if the command line or a variable has it.
fn token(args: &Pull, server: &Server) -> Done<Option<PathBuf>> {
    if let Some(file) = &server.token_file {
        return Ok(Some(whole(file)?));
    }
    let Some(token) = remote::token(server)? else { return Ok(None) };
    let path = args.to.join(TOKEN_FILE);
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(token.as_bytes()));
    written.map_err(|e| Failure::from(e).when(&path.display().to_string()))?;
    Ok(Some(PathBuf::from(TOKEN_FILE)))
}

fn config(
    args: &Pull,
    server: &Server,
    address: &str,
    dbms: &[String],
    token: Option<&Path>,
) -> Done<String> {
    let mut to = Toml::default();
    to.comment(&format!("A copy of the DBMs of {address}."));
    to.comment("`hozo repl pull --to DIR` brings it up to date.");
    to.gap();
    let main = ["main".to_owned()];
    let stores = if args.namespaces.is_empty() { &main[..] } else { &args.namespaces };
    for (place, store) in stores.iter().enumerate() {
        if place > 0 {
            to.gap();
        }
        to.section(&format!("[store.{}]", quoted(store)));
        to.text_key("backend", &args.backend);
        let directory = if place == 0 { "data".to_owned() } else { format!("data-{place}") };
        to.text_key("path", &directory);
    }
    for dbm in dbms {
        to.gap();
        to.section("[[dbm]]");
        to.text_key("name", dbm);
    }
    to.gap();
    to.section("[replication.main]");
    to.text_key("kind", "ulog");
    to.key("server_id", args.server_id.unwrap_or_else(by_chance));
    to.text_key("dir", "ulog");
    to.text_key("follow", address);
    if !args.namespaces.is_empty() {
        let names: Vec<String> = args.namespaces.iter().map(|name| quoted(name)).collect();
        to.key("namespaces", format!("[{}]", names.join(", ")));
    }
    to.comment("It comes now and then: nobody waits for it.");
    to.key("acknowledge", false);
    to.text_key("keep", "1h");
    let Server { tls_ca, tls_cert, tls_key, auth, .. } = server;
    let tls = match auth {
        Some(Auth { key, cert, root }) => (Some(root), Some(cert), Some(key)),
        None => (tls_ca.as_ref(), tls_cert.as_ref(), tls_key.as_ref()),
    };
    let mut path = |key: &str, path: Option<&Path>| -> Done {
        if let Some(path) = path {
            to.text_key(key, &text(path)?);
        }
        Ok(())
    };
    path("follow_token_file", token)?;
    for (key, file) in [("follow_ca", tls.0), ("follow_cert", tls.1), ("follow_key", tls.2)] {
        path(key, file.map(|file| whole(file)).transpose()?.as_deref())?;
    }
    to.gap();
    to.comment("To serve it, for reading, or after `hozo repl promote` for all:");
    to.comment("[[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:1978\"");
    Ok(to.text)
}

/// One that hardly anybody has: those that people choose are small.
fn by_chance() -> u32 {
    let mut bytes = [0; 4];
    SystemAmbient.fill_random(&mut bytes);
    1 << 30 | u32::from_le_bytes(bytes) >> 2
}

/// From the root on, since the config is elsewhere.
fn whole(file: &Path) -> Done<PathBuf> {
    std::path::absolute(file).map_err(|e| Failure::from(e).when(&file.display().to_string()))
}

fn text(path: &Path) -> Done<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = path.display();
        Failure::new(exit::FAILED, format!("{shown} is not UTF-8, as paths of a config are"))
    })
}

//! `hozo token`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use hozo::rpc::{Right, TokenEntry, parse_tokens, token_hash};
use hozo::traits::{Ambient, SystemAmbient};
use serde_json::{Value, json};

use crate::args::token::{List, New};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

/// What tokens begin with, so that who finds one knows what it is.
const PREFIX: &str = "hozo_";
/// Random bytes in a token: nobody guesses so many.
const RANDOM_BYTES: usize = 32;

pub(super) fn new(args: &New, context: &mut Context) -> Done {
    let mut rights = BTreeMap::new();
    for (dbm, right) in &args.rights {
        if rights.insert(dbm.clone(), *right).is_some() {
            let message = format!("two rights to `{dbm}`: the higher one has the lower ones");
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    let token = make(&SystemAmbient);
    let sha256 = hex(&token_hash(&token));
    let entry = entry(&args.name, &sha256, &rights);
    if let Some(file) = &args.file {
        add(file, &args.name, &entry)?;
    }
    if context.json {
        return context.write_json(&json!({
            "name": args.name,
            "token": token,
            "sha256": sha256,
            "rights": shown(&rights),
            "file": args.file,
        }));
    }
    writeln!(context.out, "{token}")?;
    match &args.file {
        // Only the token, for who writes it to a file.
        Some(file) => context.remark(format!(
            "added `{}` to {}; the token is shown this once (`kill -HUP` makes `hozo serve` read the file again)",
            args.name,
            file.display()
        )),
        None => write!(context.out, "\n{entry}")?,
    }
    Ok(())
}

pub(super) fn list(args: &List, context: &mut Context) -> Done {
    let tokens = parse(&args.file, &read(&args.file)?)?;
    if context.json {
        let tokens = tokens.iter().map(|token| {
            json!({
                "name": token.name,
                "sha256": hex(&token.sha256),
                "rights": shown(&token.rights),
            })
        });
        return context.write_json(&tokens.collect::<Vec<_>>());
    }
    let rows = tokens.iter().map(|token| {
        let rights = token.rights.iter().map(|(dbm, right)| format!("{dbm}={}", right.as_str()));
        let rights = rights.collect::<Vec<_>>().join(" ");
        // Enough to tell them apart.
        [token.name.clone(), rights, hex(&token.sha256)[..16].to_owned()]
    });
    writeln!(context.out, "{}", output::list(["NAME", "RIGHTS", "SHA-256"], &[], rows))?;
    Ok(())
}

/// A new token.
fn make(ambient: &dyn Ambient) -> String {
    let mut random = [0; RANDOM_BYTES];
    ambient.fill_random(&mut random);
    format!("{PREFIX}{}", base64url(&random))
}

/// Base64 for URLs, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(DIGITS[index as usize]));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn shown(rights: &BTreeMap<String, Right>) -> BTreeMap<&str, Value> {
    rights.iter().map(|(dbm, right)| (&**dbm, right.as_str().into())).collect()
}

/// The entry as the file has it. Names and DBMs were checked to need no escapes.
fn entry(name: &str, sha256: &str, rights: &BTreeMap<String, Right>) -> String {
    let rights = rights.iter().map(|(dbm, right)| match dbm.contains(['*', '.']) {
        true => format!("\"{dbm}\" = \"{}\"", right.as_str()),
        false => format!("{dbm} = \"{}\"", right.as_str()),
    });
    let rights = rights.collect::<Vec<_>>().join(", ");
    format!("[[token]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nrights = {{ {rights} }}\n")
}

/// Adds an entry to a file of tokens that is right, so that it still is. The file
/// stays the same one: its owner and its mode are somebody's choice.
fn add(file: &Path, name: &str, entry: &str) -> Done {
    let before = match read(file) {
        Err(failure) if failure.exit() == exit::NOT_FOUND => String::new(),
        other => other?,
    };
    if parse(file, &before)?.iter().any(|token| token.name == name) {
        let message = format!("{} has a token `{name}` already", file.display());
        return Err(Failure::new(exit::CONFLICT, message)
            .hint("take its entry out first, or choose another name"));
    }
    let gap = match before.as_str() {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let added = format!("{gap}{entry}");
    parse(file, &format!("{before}{added}"))?;
    let doing = |e: io::Error| Failure::from(e).when(&file.display().to_string());
    let mut file = OpenOptions::new().append(true).create(true).open(file).map_err(doing)?;
    file.write_all(added.as_bytes()).and_then(|()| file.sync_all()).map_err(doing)
}

fn read(file: &Path) -> Done<String> {
    fs::read_to_string(file).map_err(|e| Failure::from(e).when(&file.display().to_string()))
}

fn parse(file: &Path, text: &str) -> Done<Vec<TokenEntry>> {
    parse_tokens(text).map_err(|e| Failure::from(e.with("file", file.display())))
}

#[cfg(test)]
mod tests;

//! What is inside the libraries that are loaded into other people's programs.

use hozo_tests::{Run, built};

use crate::case::{Case, Need};

pub(crate) const CASES: &[Case] =
    &[Case::new("libraries_have_no_server_inside", servers).needing(&[Need::Program("nm")])];

/// Only `hozo serve` needs an async runtime, HTTP/2 and TLS. All are built
/// together, so it is what a library reaches that keeps them out.
fn servers() {
    let built = built();
    for library in [&built.preload, &built.extension] {
        let symbols = Run::new("nm").arg("--demangle").arg(library).ok();
        let of = |crates: &[&str]| {
            let named = |line: &&str| crates.iter().any(|name| line.contains(&format!("{name}::")));
            symbols.lines().filter(named).map(str::to_owned).collect::<Vec<_>>()
        };
        let ours = of(&["hozo", "hozo_frontend_vfs"]);
        assert!(ours.len() > 100, "{}: {} symbols of ours", library.display(), ours.len());
        let servers = of(&["tokio", "tonic", "h2", "rustls", "hozo_frontend_rpc", "hozo_client"]);
        let some = &servers[..servers.len().min(10)];
        assert!(servers.is_empty(), "{}: {} as {some:#?}", library.display(), servers.len());
    }
}

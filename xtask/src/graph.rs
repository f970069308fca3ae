//! The workspace's crates and what they depend on, as cargo tells it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// When a dependency is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The crate's directory, relative to the workspace.
    pub(crate) dir: String,
    /// Whether plain `cargo build` and `cargo test` are about it.
    pub(crate) is_default: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// The packages of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) packages: Vec<Package>,
}

impl Graph {
    /// Asks cargo.
    pub(crate) fn load(root: &Path) -> Result<Graph, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
            .current_dir(root)
            .output()
            .map_err(|e| format!("cargo metadata did not start: {e}"))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cargo metadata failed: {stderr}"));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Graph::parse(&text)
    }

    /// Reads cargo's answer.
    pub(crate) fn parse(text: &str) -> Result<Graph, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| format!("cargo metadata's answer: {e}"))?;
        let root = value["workspace_root"].as_str().ok_or("no workspace_root in the metadata")?;
        let packages = value["packages"].as_array().ok_or("no packages in the metadata")?;
        let defaults = value["workspace_default_members"].as_array().map_or(&[][..], Vec::as_slice);
        let packages = packages
            .iter()
            .map(|package| parse_package(root, package, defaults))
            .collect::<Option<Vec<_>>>()
            .ok_or("a package in the metadata lacks its name or path")?;
        if packages.is_empty() {
            return Err("the workspace has no packages".into());
        }
        Ok(Graph { packages })
    }

    pub(crate) fn is_member(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }
}

fn parse_package(root: &str, package: &Value, defaults: &[Value]) -> Option<Package> {
    let manifest = package["manifest_path"].as_str()?;
    let dir = manifest.strip_prefix(root)?.trim_start_matches('/').strip_suffix("/Cargo.toml")?;
    let dependencies = package["dependencies"]
        .as_array()?
        .iter()
        .map(|dependency| {
            let kind = match dependency["kind"].as_str() {
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                _ => Kind::Normal,
            };
            Some(Dependency { name: dependency["name"].as_str()?.to_owned(), kind })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        dir: dir.to_owned(),
        is_default: defaults.contains(&package["id"]),
        dependencies,
    })
}

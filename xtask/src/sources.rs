//! The text of the repository's files, for the checks that read it.

use std::fs;
use std::path::Path;

use crate::Findings;

/// Lines after which a file wants a second look.
const LINES_MAX: usize = 400;

/// Where sources and documents are.
const PLACES: [&str; 7] = ["benches", "configs", "crates", "docs", "tests", "xtask", "demo"];

/// One file.
pub(crate) struct Source {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The Rust, Markdown, Python and TOML files of the repository.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) files: Vec<Source>,
}

impl Sources {
    pub(crate) fn read(root: &Path) -> Result<Sources, String> {
        let mut sources = Sources::default();
        for place in PLACES {
            sources.walk(root, place)?;
        }
        for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
            sources.add(root, name)?;
        }
        Ok(sources)
    }

    fn walk(&mut self, root: &Path, dir: &str) -> Result<(), String> {
        let Ok(entries) = fs::read_dir(root.join(dir)) else { return Ok(()) };
        for entry in entries {
            let entry = entry.map_err(|e| format!("{dir}: {e}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{dir}/{name}");
            let is_dir = entry.file_type().map_err(|e| format!("{path}: {e}"))?.is_dir();
            if is_dir && name != "target" {
                self.walk(root, &path)?;
            } else if [".rs", ".md", ".py", ".toml"].iter().any(|end| name.ends_with(end)) {
                self.add(root, &path)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, root: &Path, path: &str) -> Result<(), String> {
        match fs::read_to_string(root.join(path)) {
            Ok(text) => self.files.push(Source { path: path.to_owned(), text }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(format!("{path}: {e}")),
        }
        Ok(())
    }

    /// The text of one file, if it is there.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|source| source.path == path).map(|source| source.text.as_str())
    }

    /// Files below a directory whose names end so.
    pub(crate) fn below<'a>(
        &'a self,
        dir: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = &'a Source> {
        self.files.iter().filter(move |s| s.path.starts_with(dir) && s.path.ends_with(end))
    }

    /// Warns of long files: they are read less often than they should be. What is
    /// generated is not meant to be read.
    pub(crate) fn check_lengths(&self, findings: &mut Findings) {
        let written = |s: &&Source| s.path.ends_with(".rs") && !s.path.contains("/src/gen/");
        for source in self.files.iter().filter(written) {
            let lines = source.text.lines().count();
            if lines > LINES_MAX {
                findings.warning(format!("{}: {lines} lines; over {LINES_MAX}", source.path));
            }
        }
    }
}

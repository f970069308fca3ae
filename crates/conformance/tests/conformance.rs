//! The suite over the reference store, in all its forms.

use std::path::Path;
use std::sync::Arc;

use hozo_conformance::{Fixture, ModelFixture, obfuscated, run, trials, trials_under};
use hozo_traits::{Ambient, PageStore, Result};

/// A fixture whose pages are altered on the way down and back.
struct Altered(ModelFixture);

impl Fixture for Altered {
    fn name(&self) -> &str {
        "model, altered"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        Ok(obfuscated(self.0.open(dir, ambient)?))
    }
}

fn main() {
    let mut all = trials(ModelFixture::persistent());
    all.extend(trials_under("volatile/", ModelFixture::volatile()));
    all.extend(trials_under("altered/", Altered(ModelFixture::persistent())));
    run(all)
}

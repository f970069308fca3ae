//! The suite over the reference store, in all its forms.

use hozo_conformance::{Altered, ModelFixture, run, trials, trials_under};

fn main() {
    let mut all = trials(ModelFixture::persistent());
    all.extend(trials_under("volatile/", ModelFixture::volatile()));
    all.extend(trials_under("altered/", Altered(ModelFixture::persistent())));
    run(all)
}

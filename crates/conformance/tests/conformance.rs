//! The suite over the reference store, in all its forms.

use hozo_conformance::records::{StoreModelFixture, record_trials, record_trials_under};
use hozo_conformance::{Altered, ModelFixture, run, trials, trials_under};

fn main() {
    let mut all = trials(ModelFixture::persistent());
    all.extend(trials_under("volatile/", ModelFixture::volatile()));
    all.extend(trials_under("altered/", Altered(ModelFixture::persistent())));
    all.extend(record_trials(StoreModelFixture::persistent()));
    all.extend(record_trials_under("unordered/", StoreModelFixture::unordered()));
    all.extend(record_trials_under("volatile/", StoreModelFixture::volatile()));
    run(all)
}

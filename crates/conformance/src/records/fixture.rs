//! What a backend that has records gives to be tested.

use std::path::Path;
use std::sync::Arc;

use hozo_traits::{Ambient, PageStore, Result, Store};

use crate::Fixture;

/// [`Fixture`] for stores with records, and perhaps pages as well.
pub trait StoreFixture: Send + Sync + 'static {
    /// What to call it in reports: usually the backend's name.
    fn name(&self) -> &str;

    /// Opens the store that lives in `dir`; see [`Fixture::open`].
    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>>;

    /// See [`Fixture::outlives_process`].
    fn outlives_process(&self) -> bool {
        true
    }
}

impl<F: StoreFixture + ?Sized> StoreFixture for Arc<F> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        (**self).open(dir, ambient)
    }

    fn outlives_process(&self) -> bool {
        (**self).outlives_process()
    }
}

/// The pages of a [`StoreFixture`]'s stores.
pub struct PagesOf<F>(pub F);

impl<F: StoreFixture> Fixture for PagesOf<F> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        self.0.open(dir, ambient)?.pages()
    }

    fn outlives_process(&self) -> bool {
        self.0.outlives_process()
    }
}

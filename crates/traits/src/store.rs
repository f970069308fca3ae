//! What a backend gives: an opened store.

use std::sync::Arc;

use crate::{Error, ErrorKind, KvStore, PageStore, Result};

/// An opened backend: it holds pages, records or both.
///
/// What a backend has not is [`Unsupported`](crate::ErrorKind::Unsupported),
/// naming it.
pub trait Store: Send + Sync {
    /// The store's pages, the same each time.
    fn pages(&self) -> Result<Arc<dyn PageStore>>;

    /// The DBM of this name, made if there is none, the same each time. Names
    /// are 1 to 64 of `a-z A-Z 0-9 _ - .`, not beginning with a dot; another is
    /// [`Invalid`](crate::ErrorKind::Invalid).
    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>>;

    /// The names of the DBMs that there are, sorted.
    fn dbms(&self) -> Result<Vec<String>>;
}

/// An error unless `name` can be that of a DBM; see [`Store::records`].
pub fn check_dbm_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.') {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Invalid,
        "a DBM's name is 1 to 64 of a-z A-Z 0-9 _ - . and does not begin with a dot",
    )
    .with("name", format!("{name:?}")))
}

/// The store of a backend that holds pages only.
pub struct PagesOnly(pub Arc<dyn PageStore>);

impl PagesOnly {
    fn no_records(&self) -> Error {
        Error::new(ErrorKind::Unsupported, "the store lacks the capability records: it holds pages")
            .with("backend", self.0.capabilities().backend)
    }
}

impl Store for PagesOnly {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        Ok(Arc::clone(&self.0))
    }

    fn records(&self, _dbm: &str) -> Result<Arc<dyn KvStore>> {
        Err(self.no_records())
    }

    fn dbms(&self) -> Result<Vec<String>> {
        Err(self.no_records())
    }
}

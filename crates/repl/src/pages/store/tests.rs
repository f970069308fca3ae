use hozo_conformance::Model;
use hozo_traits::SystemAmbient;

use super::*;

#[test]
fn the_first_own_commit_is_the_lowest_in_whatever_order_they_are_told() {
    let store = Store::new("main".to_owned(), Model::new(Arc::new(SystemAmbient)));
    for seq in [7, 6, 8] {
        store.committed(Version::from_seq(seq), true);
    }
    assert_eq!(*store.first_own.lock(), Some(Version::from_seq(6)));
    store.follows();
    assert_eq!(*store.first_own.lock(), None);
}

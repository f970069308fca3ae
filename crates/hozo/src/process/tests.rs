use std::cell::Cell;

use super::*;

#[test]
fn each_process_makes_its_own_and_leaves_the_others() {
    let made = Cell::new(0);
    let make = || {
        made.set(made.get() + 1);
        made.get()
    };
    let values = PerProcess::new();
    assert_eq!(*values.get_in(10, make), 1);
    assert_eq!(*values.get_in(10, make), 1);
    // A child, then its child.
    assert_eq!(*values.get_in(11, make), 2);
    assert_eq!(*values.get_in(12, make), 3);
    assert_eq!(*values.get_in(12, make), 3);
    // The grandparent's id, given again to a process that came later.
    assert_eq!(*values.get_in(10, make), 4);
    assert_eq!(*values.get_in(10, make), 4);
}

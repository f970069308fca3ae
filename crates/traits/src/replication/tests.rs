use super::{Position, Reach, ServerId};

fn position(reaches: &[(u32, u64)]) -> Position {
    let reach = |(server, seq): &(u32, u64)| {
        (ServerId::new(*server).unwrap(), Reach { seq: *seq, digest: 7 })
    };
    reaches.iter().map(reach).collect()
}

#[test]
fn server_ids_are_those_of_the_wire() {
    assert!(ServerId::new(0).is_err());
    assert!(ServerId::new(1).is_ok());
    assert!(ServerId::new(i32::MAX as u32).is_ok());
    assert!(ServerId::new(i32::MAX as u32 + 1).is_err());
}

#[test]
fn a_position_covers_what_has_no_update_that_it_lacks() {
    let one = position(&[(1, 5), (2, 3)]);
    assert!(one.covers(&one));
    assert!(one.covers(&position(&[(1, 4)])));
    assert!(one.covers(&Position::default()));
    assert!(!one.covers(&position(&[(1, 6)])));
    assert!(!one.covers(&position(&[(3, 1)])));
    assert!(!Position::default().covers(&one));
}

#[test]
fn a_position_is_behind_by_the_updates_that_it_lacks() {
    let one = position(&[(1, 5), (2, 3)]);
    assert_eq!(one.behind(&position(&[(1, 9), (2, 1), (3, 2)])), 6);
    assert_eq!(one.behind(&one), 0);
}

#[test]
fn positions_are_shown_by_server() {
    assert_eq!(position(&[(2, 3), (1, 5)]).to_string(), "1:5 2:3");
    assert_eq!(Position::default().to_string(), "0");
}

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn server(id: u32) -> ServerId {
    ServerId::new(id).unwrap()
}

fn servers() -> impl Strategy<Value = ServerId> {
    prop_oneof![1..5u32, Just(i32::MAX as u32), 1..=i32::MAX as u32].prop_map(server)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 120..300)].prop_map(Bytes::from)
}

fn effects() -> impl Strategy<Value = Effect> {
    prop_oneof![
        (bytes(), bytes()).prop_map(|(key, value)| Effect::Set { key, value }),
        bytes().prop_map(|key| Effect::Remove { key }),
        Just(Effect::Clear),
    ]
}

fn whats() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => (any::<u32>(), vec(effects(), 0..5), any::<bool>())
            .prop_map(|(dbm, effects, reduced)| What::Records { dbm, effects, reduced }),
        1 => Just(What::Nothing),
        1 => any::<u64>().prop_map(What::Epoch),
        1 => Just(What::Reset),
    ]
}

fn times() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..1000u64, any::<u64>()].prop_map(Timestamp::from_micros)
}

fn reaches() -> impl Strategy<Value = Reach> {
    (any::<u64>(), any::<u32>()).prop_map(|(seq, digest)| Reach { seq, digest })
}

fn updates() -> impl Strategy<Value = Update> {
    (times(), servers(), reaches(), servers(), whats()).prop_map(
        |(time, origin, reach, server, what)| Update { time, origin, reach, server, what },
    )
}

fn states() -> impl Strategy<Value = State> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>());
    let positions = vec((servers(), reaches()), 0..6);
    let foreign = vec((servers(), times()), 0..4);
    (numbers, times(), positions, foreign, vec(".{0,20}", 0..4)).prop_map(
        |((epoch, conflicts, begins), newest, position, foreign, dbms)| State {
            position: position.into_iter().collect(),
            newest,
            epoch,
            conflicts,
            begins,
            foreign,
            dbms,
        },
    )
}

proptest! {
    #[test]
    fn an_update_comes_back_as_it_was(update in updates()) {
        let (key, value) = (encode_key(&update), encode_what(&update.what));
        let head = decode_head(&key).unwrap();
        prop_assert_eq!((head.origin, head.server), (update.origin, update.server));
        prop_assert_eq!((head.reach, head.time), (update.reach, update.time));
        prop_assert_eq!(decode(&key, &value).unwrap(), update);
    }

    #[test]
    fn a_state_comes_back_as_it_was(state in states()) {
        prop_assert_eq!(State::decode(&state.encode()).unwrap(), state);
    }

    #[test]
    fn any_bytes_are_an_update_or_an_error(key in vec(any::<u8>(), 0..60), value in vec(any::<u8>(), 0..60)) {
        let _ = decode(&key, &value);
    }

    #[test]
    fn changed_bytes_are_an_update_or_an_error(
        update in updates(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut key = encode_key(&update);
        let mut value = encode_what(&update.what);
        *at.get_mut(&mut key) = to;
        let _ = decode(&key, &value);
        if !value.is_empty() {
            *at.get_mut(&mut value) = to;
            let _ = decode(&encode_key(&update), &value);
            value.truncate(cut.index(value.len()));
            let _ = decode(&encode_key(&update), &value);
        }
        key = encode_key(&update);
        key.truncate(cut.index(key.len()));
        prop_assert!(decode_head(&key).is_err(), "a head that ends too early");
    }

    #[test]
    fn changed_bytes_are_a_state_or_an_error(
        state in states(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = state.encode();
        *at.get_mut(&mut bytes) = to;
        let _ = State::decode(&bytes);
        bytes = state.encode();
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(State::decode(&bytes).is_err(), "a state that ends too early");
    }

    #[test]
    fn any_bytes_are_a_state_or_an_error(bytes in vec(any::<u8>(), 0..100)) {
        let _ = State::decode(&bytes);
    }

    #[test]
    fn a_digest_is_over_all_that_an_update_says(update in updates(), before in any::<u32>()) {
        let digest = digest_of(before, &update);
        prop_assert_ne!(digest, digest_of(before ^ 1, &update));
        let mut other = update.clone();
        other.reach.seq ^= 1;
        prop_assert_ne!(digest, digest_of(before, &other));
        other = update.clone();
        other.time = Timestamp::from_micros(update.time.as_micros() ^ 1);
        prop_assert_ne!(digest, digest_of(before, &other));
        other = update.clone();
        other.server = server(update.server.get() % 1000 + 1);
        prop_assert_eq!(digest == digest_of(before, &other), update.server == other.server);
        // It is not over how an update came here.
        other = update.clone();
        other.origin = server(77);
        other.reach.digest ^= 1;
        prop_assert_eq!(digest, digest_of(before, &other));
        other = update.clone();
        if let What::Records { dbm, effects, reduced } = &mut other.what {
            *reduced = !*reduced;
            prop_assert_eq!(digest, digest_of(before, &Update {
                what: What::Records { dbm: *dbm, effects: effects.clone(), reduced: *reduced },
                ..update.clone()
            }));
            *dbm ^= 1;
            prop_assert_ne!(digest, digest_of(before, &other));
        }
    }
}

#[test]
fn what_nobody_writes_is_an_error_that_says_why() {
    let update = Update {
        time: Timestamp::from_micros(5),
        origin: server(1),
        reach: Reach { seq: 1, digest: 7 },
        server: server(1),
        what: What::Records { dbm: 0, effects: vec![Effect::Clear], reduced: false },
    };
    let (key, value) = (encode_key(&update), encode_what(&update.what));
    let says = |key: &[u8], value: &[u8], why: &str| {
        let error = decode(key, value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(why), "{error}");
    };
    let with = |at: usize, byte: u8| {
        let mut key = key.clone();
        key[at] = byte;
        key
    };
    says(&with(0, 4), &value, "an update of a kind that is not known");
    says(&with(0, 0x40), &value, "an update of a kind that is not known");
    says(&with(5, 0), &value, "a server id that there cannot be");
    says(&[&key[..], &[0]].concat(), &value, "goes on where it should end");
    says(&key, &[3], "an effect of a kind that is not known");
    says(&key, &[REMOVE, 2, b'a'], "ends too early");
    says(
        &key,
        &[REMOVE, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        "ends too early",
    );
    says(&key, &[REMOVE, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2], "64 bits");
    says(&with(0, EPOCH), &[], "goes on where it should end");
}

#[test]
fn lists_have_an_end() {
    let mut bytes = State::default().encode();
    bytes[4..6].copy_from_slice(&[0x81, 0x08]);
    bytes.extend([1; 1025 * 6]);
    let error = State::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains("a list in the log is too long"), "{error}");
    let full = State {
        position: (1..=SERVERS_MAX as u32).map(|id| (server(id), Reach::default())).collect(),
        dbms: vec!["casket".to_owned(); DBMS_MAX],
        ..State::default()
    };
    assert_eq!(State::decode(&full.encode()).unwrap(), full);
}

#[test]
fn a_state_is_what_its_updates_come_to() {
    let mut state = State::default();
    let mut add = |time, origin, seq, maker, what| {
        state.add(&Update {
            time: Timestamp::from_micros(time),
            origin: server(origin),
            reach: Reach { seq, digest: seq as u32 },
            server: server(maker),
            what,
        });
        state.clone()
    };
    add(10, 1, 1, 1, What::Epoch(3));
    add(8, 2, 5, 2, What::Nothing);
    add(12, 1, 2, 9, What::Nothing);
    let state = add(11, 1, 3, 9, What::Epoch(2));
    assert_eq!(state.position.to_string(), "1:3 2:5");
    assert_eq!(state.position.of(server(2)).digest, 5);
    assert_eq!((state.newest.as_micros(), state.epoch), (12, 3));
    assert_eq!(state.foreign_of(server(9)), Some(Timestamp::from_micros(12)));
    assert_eq!(state.foreign_of(server(1)), None);
}

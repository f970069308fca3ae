use proptest::prelude::*;

use super::{CHUNK, MemFile};

#[derive(Clone, Debug)]
enum Op {
    Write(u64, usize, u8),
    Truncate(u64),
    Read(u64, usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let end = 3 * CHUNK as u64;
    let op = prop_oneof![
        (0..end, 0..2 * CHUNK, any::<u8>()).prop_map(|(at, n, byte)| Op::Write(at, n, byte)),
        (0..end).prop_map(Op::Truncate),
        (0..end, 0..2 * CHUNK).prop_map(|(at, n)| Op::Read(at, n)),
    ];
    proptest::collection::vec(op, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_is_a_file(ops in ops(), memory in prop_oneof![Just(0), Just(CHUNK), Just(100 * CHUNK)]) {
        let mut file = MemFile::new(memory);
        let mut model: Vec<u8> = Vec::new();
        for op in ops {
            match op {
                Op::Write(at, n, byte) => {
                    file.write(at, &vec![byte; n]).unwrap();
                    let at = at as usize;
                    if model.len() < at + n {
                        model.resize(at + n, 0);
                    }
                    model[at..at + n].fill(byte);
                }
                Op::Truncate(size) => {
                    file.truncate(size).unwrap();
                    model.truncate(size as usize);
                }
                Op::Read(at, n) => {
                    let mut buf = vec![0x77; n];
                    let there = file.read(at, &mut buf).unwrap();
                    let from = (at as usize).min(model.len());
                    let to = (at as usize + n).min(model.len());
                    prop_assert_eq!(&buf[..there], &model[from..to]);
                }
            }
            prop_assert_eq!(file.size(), model.len() as u64);
        }
    }
}

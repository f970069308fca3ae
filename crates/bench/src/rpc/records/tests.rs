use super::*;

#[test]
fn a_value_belongs_to_its_record_to_the_last_byte() {
    for bytes in [1, 3, 4, 7, 8, 9, 100, 1024] {
        let records = Records::new(1_000, "p:", bytes);
        for version in [0, 1, u32::MAX] {
            let mut value = vec![0; bytes];
            records.write_value(17, version, &mut value);
            assert!(records.is_value(17, &value), "{bytes} bytes, version {version}");
            if bytes >= 4 {
                assert!(!records.is_value(18, &value), "{bytes} bytes are of one record only");
            }
            for at in (0..bytes).filter(|at| !(4..8).contains(at)) {
                value[at] ^= 1;
                assert!(!records.is_value(17, &value), "{bytes} bytes, byte {at}");
                value[at] ^= 1;
            }
            value.push(0);
            assert!(!records.is_value(17, &value), "it is too long");
            assert!(!records.is_value(17, &value[..bytes - 1]), "it is too short");
        }
    }
}

#[test]
fn the_version_is_part_of_longer_values() {
    let records = Records::new(10, "", 64);
    let mut value = records.value(3).to_vec();
    value[4] ^= 1;
    assert!(!records.is_value(3, &value));
}

#[test]
fn values_may_be_empty() {
    let records = Records::new(10, "", 0);
    assert_eq!(records.value(3), Bytes::new());
    assert!(records.is_value(3, b"") && !records.is_value(3, b"x"));
}

#[test]
fn keys_are_all_different_and_alike_long() {
    let records = Records::new(10, "p:", 0);
    let keys: Vec<Bytes> = (0..10).map(|number| records.key(number)).collect();
    assert_eq!(keys[7], "p:0000000007");
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(!keys.contains(&records.counter(7)));
}

use super::*;

fn rows(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn dbms_are_read_from_the_properties_of_the_server() {
    let rows = rows(&[
        ("version", "0.1.0"),
        ("num_dbms", "12"),
        ("dbm_10_name", "log"),
        ("dbm_10_path", ""),
        ("dbm_10_count", "3"),
        ("dbm_10_class", "memory"),
        ("dbm_0_path", "casket.tkh"),
        ("dbm_0_count", "many"),
        ("dbm_0_class", "HashDBM"),
        ("dbm_x_path", "no number"),
        ("dbm_0", "no property"),
    ]);
    let casket = DbmInfo {
        index: 0,
        name: "casket.tkh".into(),
        path: "casket.tkh".into(),
        count: 0,
        class: "HashDBM".into(),
    };
    let log = DbmInfo {
        index: 10,
        name: "log".into(),
        path: String::new(),
        count: 3,
        class: "memory".into(),
    };
    assert_eq!(DbmInfo::read(&rows), [casket, log]);
    assert_eq!(DbmInfo::read(&[]), []);
}

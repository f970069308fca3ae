use super::*;

#[test]
fn paths_lead_where_they_say() {
    for (path, expected) in [
        ("/tkrzw_rpc.DBMService/Get", Some((Whose::Dbms, Manner::Once))),
        ("/tkrzw_rpc.DBMService/None", Some((Whose::Dbms, Manner::Once))),
        ("/tkrzw_rpc.DBMService/PopFirst", Some((Whose::Dbms, Manner::Taking))),
        ("/tkrzw_rpc.DBMService/CompareExchange", Some((Whose::Dbms, Manner::Taking))),
        ("/tkrzw_rpc.DBMService/CompareExchangeMulti", Some((Whose::Dbms, Manner::Once))),
        ("/tkrzw_rpc.DBMService/Stream", Some((Whose::Dbms, Manner::Often))),
        ("/tkrzw_rpc.DBMService/Iterate", Some((Whose::Dbms, Manner::Often))),
        ("/tkrzw_rpc.DBMService/Replicate", Some((Whose::Dbms, Manner::Late))),
        ("/tkrzw_rpc.DBMService/ChangeMaster", Some((Whose::Dbms, Manner::Late))),
        ("/hozo.v1.Replication/Follow", Some((Whose::Replication, Manner::Often))),
        ("/hozo.v1.Replication/FollowPages", Some((Whose::Replication, Manner::Often))),
        ("/hozo.v1.Replication/Status", Some((Whose::Replication, Manner::Once))),
        ("/hozo.v1.Replication/Conflicts", Some((Whose::Replication, Manner::Once))),
        ("/hozo.v1.Replication/ChangeSource", Some((Whose::Replication, Manner::Late))),
        ("/hozo.v1.Replication/Promote", Some((Whose::Replication, Manner::Late))),
        ("/hozo.v1.Replication/Prune", Some((Whose::Replication, Manner::Late))),
        ("/grpc.health.v1.Health/Check", Some((Whose::Health, Manner::Once))),
        ("/grpc.health.v1.Health/Watch", Some((Whose::Health, Manner::Late))),
        ("/tkrzw_rpc.DBMService", None),
        ("/tkrzw_rpc.dbmservice/Get", None),
        ("tkrzw_rpc.DBMService/Get", None),
        ("//tkrzw_rpc.DBMService/Get", None),
        ("/grpc.health.v1.Health/Check/x", None),
        ("/", None),
        ("", None),
        ("*", None),
    ] {
        assert_eq!(route(path), expected, "{path}");
    }
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        assert_eq!(route(&path), Some((Whose::Reflection, Manner::Often)));
    }
}

#[test]
fn only_what_is_out_of_range_is_translated() {
    for code in 0..=16 {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from(code));
        translate(&mut headers);
        let expected = if code == 11 { 8 } else { code };
        assert_eq!(headers["grpc-status"], HeaderValue::from(expected));
    }
    let mut headers = HeaderMap::new();
    translate(&mut headers);
    assert!(headers.is_empty());
    // What replication says is meant.
    headers.insert("grpc-status", HeaderValue::from(11));
    headers.insert(KIND, HeaderValue::from_static("version gone"));
    translate(&mut headers);
    assert_eq!(headers["grpc-status"], HeaderValue::from(11));
}

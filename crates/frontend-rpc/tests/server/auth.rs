use std::fmt::Write as _;
use std::fs;

use hozo_frontend_rpc::token_hash;
use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::{
    EchoRequest, IterateRequest, IterateResponse, PopFirstRequest, StreamRequest, StreamResponse,
};
use hozo_traits::ErrorKind;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::kit::{
    Client, Reply, Server, get_request, keep_log, logged, path, refused, run, serve_in, set_request,
};

const UNAUTHENTICATED: i32 = 16;
const PERMISSION_DENIED: i32 = 7;

/// A directory with a file of tokens: name and token are the same.
fn tokens(entries: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, entries);
    directory
}

fn write(directory: &TempDir, entries: &[(&str, &str)]) {
    let mut text = String::new();
    for (name, rights) in entries {
        let hash = token_hash(name).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        writeln!(
            text,
            "[[token]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nrights = {{ {rights} }}\n"
        )
        .unwrap();
    }
    fs::write(directory.path().join("tokens.toml"), text).unwrap();
}

fn serve(entries: &[(&str, &str)]) -> Server {
    serve_in(tokens(entries), "tokens = \"tokens.toml\"").unwrap()
}

async fn read(client: &Client, authorization: Option<&str>) -> Reply {
    ask(client, authorization, "Get", 0).await
}

async fn ask(client: &Client, authorization: Option<&str>, method: &str, index: i32) -> Reply {
    let header = authorization.map(|value| ("authorization", value));
    let headers = header.as_slice();
    match method {
        "Get" => {
            let mut get = get_request("tenon");
            get.dbm_index = index;
            client.ask(&path(method), &get, headers).await
        }
        "Set" => {
            let mut set = set_request("tenon", "oak");
            set.dbm_index = index;
            client.ask(&path(method), &set, headers).await
        }
        _ => client.ask(&path(method), &EchoRequest::default(), headers).await,
    }
}

#[test]
fn who_shows_no_token_of_ours_is_not_served() {
    let server = serve(&[("web", "\"*\" = \"admin\"")]);
    assert_eq!(server.running.endpoints()[0].protection, "tokens");
    run(async {
        let client = server.client().await;
        assert_eq!(read(&client, Some("Bearer web")).await.code, 0);
        // The scheme has no case, the token has.
        assert_eq!(read(&client, Some("bearer web")).await.code, 0);
        for wrong in [
            None,
            Some("Bearer "),
            Some("Bearer Web"),
            Some("Bearer web2"),
            Some("web"),
            Some("Basic web"),
            Some("Bearer"),
            Some(""),
            Some("Bearer web web"),
        ] {
            let reply = read(&client, wrong).await;
            assert_eq!((reply.http, reply.code), (200, UNAUTHENTICATED), "{wrong:?}: {reply:?}");
            assert!(reply.answers.is_empty());
            assert!(!reply.message.contains("web"), "{reply:?}");
        }
        // And the one who was served before still is.
        assert_eq!(read(&client, Some("Bearer web")).await.code, 0);
        for method in ["Echo", "Nonsense"] {
            assert_eq!(ask(&client, None, method, 0).await.code, UNAUTHENTICATED, "{method}");
        }
    });
}

#[test]
fn a_token_has_its_rights_to_each_dbm_and_no_more() {
    let server = serve(&[
        ("reader", "casket = \"read\""),
        ("writer", "log = \"write\", \"*\" = \"read\""),
        ("nobody", ""),
    ]);
    run(async {
        let client = server.client().await;
        // Token, method, DBM, whether it is allowed.
        for (token, method, index, allowed) in [
            ("reader", "Get", 0, true),
            ("reader", "Set", 0, false),
            ("reader", "Get", 1, false),
            ("reader", "Echo", 0, true),
            ("writer", "Get", 0, true),
            ("writer", "Set", 0, false),
            ("writer", "Get", 1, true),
            ("writer", "Set", 1, true),
            ("nobody", "Get", 0, false),
            ("nobody", "Echo", 0, true),
        ] {
            let authorization = format!("Bearer {token}");
            let reply = ask(&client, Some(&authorization), method, index).await;
            let expected = if allowed { 0 } else { PERMISSION_DENIED };
            assert_eq!(reply.code, expected, "{token} {method} {index}: {reply:?}");
            if !allowed {
                let dbm = ["casket", "log"][usize::try_from(index).unwrap()];
                assert!(reply.message.contains(dbm), "{reply:?}");
            }
        }
    });
}

#[test]
fn who_is_refused_is_logged_without_the_token() {
    keep_log();
    let server = serve(&[("reader", "casket = \"read\"")]);
    run(async {
        let tcp = TcpStream::connect(server.address()).await.unwrap();
        let peer = format!("peer={} ", tcp.local_addr().unwrap());
        let client = Client::over(tcp).await.unwrap();
        let secret = Some("Bearer wrong-secret");
        assert_eq!(ask(&client, secret, "Get", 0).await.code, UNAUTHENTICATED);
        assert_eq!(ask(&client, Some("Bearer reader"), "Get", 0).await.code, 0);
        assert_eq!(ask(&client, Some("Bearer reader"), "Set", 0).await.code, PERMISSION_DENIED);
        // More of the same is not told of.
        for _ in 0..9 {
            assert_eq!(ask(&client, None, "Get", 0).await.code, UNAUTHENTICATED);
            assert_eq!(ask(&client, Some("Bearer reader"), "Get", 1).await.code, PERMISSION_DENIED);
        }
        let lines = logged(&peer);
        let [unknown, denied] = &lines[..] else { panic!("{lines:?}") };
        assert!(unknown.starts_with("WARN") && unknown.contains("DBMService/Get"), "{unknown}");
        assert!(!unknown.contains("wrong-secret"), "{unknown}");
        for part in ["INFO", "DBMService/Set", "token=\"reader\"", "write to the DBM casket"] {
            assert!(denied.contains(part), "{denied}");
        }
    });
    // In a stream it is the trailers that say so.
    let server = serve(&[("reader", "casket = \"read\"")]);
    run(async {
        let tcp = TcpStream::connect(server.address()).await.unwrap();
        let peer = format!("peer={} ", tcp.local_addr().unwrap());
        let client = Client::over(tcp).await.unwrap();
        let headers = [("authorization", "Bearer reader")];
        let mut stream = client.begin(&path("Stream"), &headers).await.unwrap();
        let set = RequestOneof::SetRequest(set_request("tenon", "oak"));
        stream.say(&StreamRequest { request_oneof: Some(set), omit_response: false }, false);
        assert_eq!(stream.rest().await.code, PERMISSION_DENIED);
        let lines = logged(&peer);
        assert!(lines.len() == 1 && lines[0].contains("DBMService/Stream"), "{lines:?}");
    });
}

#[test]
fn a_unix_socket_wants_tokens_too() {
    let directory = tokens(&[("web", "\"*\" = \"read\"")]);
    let settings = "listen = \"unix:dbm.sock\"\ntokens = \"tokens.toml\"";
    let server = serve_in(directory, settings).unwrap();
    assert_eq!(server.running.endpoints()[0].protection, "socket mode 0600, tokens");
    run(async {
        let client = Client::unix(&server.directory.path().join("dbm.sock")).await;
        assert_eq!(read(&client, None).await.code, UNAUTHENTICATED);
        assert_eq!(read(&client, Some("Bearer web")).await.code, 0);
    });
}

#[test]
fn a_reload_holds_from_the_next_request_on() {
    let server = serve(&[("old", "\"*\" = \"write\""), ("both", "\"*\" = \"write\"")]);
    run(async {
        let client = server.client().await;
        assert_eq!(ask(&client, Some("Bearer both"), "Set", 0).await.code, 0);
        assert_eq!(ask(&client, Some("Bearer old"), "Set", 0).await.code, 0);
        write(&server.directory, &[("both", "\"*\" = \"read\""), ("new", "\"*\" = \"read\"")]);
        server.running.reload().unwrap();
        assert_eq!(read(&client, Some("Bearer old")).await.code, UNAUTHENTICATED);
        assert_eq!(read(&client, Some("Bearer new")).await.code, 0);
        assert_eq!(ask(&client, Some("Bearer both"), "Set", 0).await.code, PERMISSION_DENIED);
    });
}

#[test]
fn a_reload_ends_what_goes_on_with_a_token_that_was_taken_back() {
    let all = [("old", "\"*\" = \"write\""), ("both", "\"*\" = \"write\"")];
    let server = serve(&all);
    run(async {
        let client = server.client().await;
        let stream_set = StreamRequest {
            request_oneof: Some(RequestOneof::SetRequest(set_request("tenon", "oak"))),
            omit_response: false,
        };
        let first =
            IterateRequest { operation: OpType::OpFirst.into(), ..IterateRequest::default() };
        let begin = async |token: &str| {
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str())];
            let mut stream = client.begin(&path("Stream"), &headers).await.unwrap();
            stream.say(&stream_set, false);
            let _: StreamResponse = stream.next().await;
            let mut iterate = client.begin(&path("Iterate"), &headers).await.unwrap();
            iterate.say(&first, false);
            let _: IterateResponse = iterate.next().await;
            let mut pop = client.begin(&path("PopFirst"), &headers).await.unwrap();
            pop.say(&PopFirstRequest { dbm_index: 1, retry_wait: 1e6, ..Default::default() }, true);
            (stream, iterate, pop)
        };
        let (mut stream, mut iterate, pop) = begin("old").await;
        let (mut kept_stream, mut kept_iterate, kept_pop) = begin("both").await;
        // Twice, as what is kept is kept by every reload.
        server.running.reload().unwrap();
        write(&server.directory, &all[1..]);
        server.running.reload().unwrap();
        stream.say(&stream_set, false);
        iterate.say(&first, false);
        assert_eq!(stream.rest().await.code, UNAUTHENTICATED);
        assert_eq!(iterate.rest().await.code, UNAUTHENTICATED);
        kept_stream.say(&stream_set, false);
        kept_iterate.say(&first, false);
        let _: StreamResponse = kept_stream.next().await;
        let _: IterateResponse = kept_iterate.next().await;
        // Who waits for a record takes none, and leaves it to others.
        assert_eq!(ask(&client, Some("Bearer both"), "Set", 1).await.code, 0);
        assert_eq!(pop.rest().await.code, UNAUTHENTICATED);
        assert_eq!(kept_pop.rest().await.code, 0);
        // Other rights are no less a reason.
        write(&server.directory, &[("both", "\"*\" = \"read\"")]);
        server.running.reload().unwrap();
        kept_stream.say(&stream_set, false);
        assert_eq!(kept_stream.rest().await.code, UNAUTHENTICATED);
    });
}

#[test]
fn a_reload_of_a_bad_file_changes_nothing() {
    let server = serve(&[("web", "\"*\" = \"read\"")]);
    let file = server.directory.path().join("tokens.toml");
    run(async {
        let client = server.client().await;
        for bad in ["[[token]]\nname = \"x\"\n", "\u{0}", "[[token"] {
            fs::write(&file, bad).unwrap();
            let error = server.running.reload().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("tokens.toml"), "{error}");
            assert_eq!(read(&client, Some("Bearer web")).await.code, 0);
        }
        write(&server.directory, &[("new", "\"*\" = \"read\""), ("x", "elsewhere = \"read\"")]);
        let error = server.running.reload().unwrap_err();
        assert!(error.to_string().contains("given elsewhere, served casket, log"), "{error}");
        fs::remove_file(&file).unwrap();
        server.running.reload().unwrap_err();
        assert_eq!(read(&client, Some("Bearer web")).await.code, 0);
        assert_eq!(read(&client, Some("Bearer new")).await.code, UNAUTHENTICATED);
    });
}

#[test]
fn a_server_does_not_start_without_its_tokens() {
    let error = refused(tempfile::tempdir().unwrap(), "tokens = \"tokens.toml\"");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("tokens.toml"), "{error}");
}

use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::kit::{PATIENCE, run, serve};

const UNIMPLEMENTED: i32 = 12;

/// The two versions differ in nothing that is on the wire.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

fn request(what: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest { host: String::new(), message_request: Some(what) }
}

#[test]
fn services_and_their_messages_can_be_asked_for() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        for (path, version) in PATHS.into_iter().zip(["v1", "v1alpha"]) {
            let mut talk = client.begin(path, &[]).await.unwrap();
            talk.say(&request(MessageRequest::ListServices(String::new())), false);
            let answer: ServerReflectionResponse = talk.next().await;
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("{answer:?}");
            };
            let mut names: Vec<_> = list.service.into_iter().map(|one| one.name).collect();
            names.sort();
            let own = format!("grpc.reflection.{version}.ServerReflection");
            let expected =
                ["grpc.health.v1.Health", &own, "hozo.v1.Replication", "tkrzw_rpc.DBMService"];
            assert_eq!(names, expected);

            for symbol in
                ["tkrzw_rpc.DBMService.CompareExchangeMulti", "hozo.v1.Replication.Follow"]
            {
                talk.say(&request(MessageRequest::FileContainingSymbol(symbol.into())), false);
                let answer: ServerReflectionResponse = talk.next().await;
                assert!(matches!(
                    answer.message_response,
                    Some(MessageResponse::FileDescriptorResponse(_))
                ));
            }
            talk.say(&request(MessageRequest::ListServices(String::new())), true);
            let _: ServerReflectionResponse = talk.next().await;
            assert_eq!(talk.rest().await.code, 0);
        }
    });
}

#[test]
fn it_can_be_left_out() {
    let server = serve("reflection = false");
    run(async {
        let client = server.client().await;
        for path in PATHS {
            let list = request(MessageRequest::ListServices(String::new()));
            assert_eq!(client.ask(path, &list, &[]).await.code, UNIMPLEMENTED);
        }
    });
}

#[test]
fn who_asks_on_and_on_does_not_keep_the_server_from_stopping() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut talk = client.begin(PATHS[0], &[]).await.unwrap();
        talk.say(&request(MessageRequest::ListServices(String::new())), false);
        let _: ServerReflectionResponse = talk.next().await;
        let running = server.running;
        let stopped = tokio::task::spawn_blocking(move || running.stop(PATIENCE));
        assert_eq!(talk.rest().await.code, 0);
        stopped.await.unwrap().unwrap();
    });
}

//! `grpc.reflection`: which services and messages there are, for `grpcurl` and
//! its like.

use http::Request;
use tonic_reflection::server::Builder;

use super::body::RequestBody;
use super::router::Answer;

/// Both versions that clients speak.
pub(super) struct Reflection {
    v1: Box<dyn Answers>,
    v1alpha: Box<dyn Answers>,
}

/// The servers' types cannot be named.
trait Answers: Send + Sync {
    fn answer(&self, request: Request<RequestBody>) -> Answer;
}

impl<S> Answers for S
where
    S: tower_service::Service<
            Request<RequestBody>,
            Response = http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
            Future = Answer,
        > + Clone
        + Send
        + Sync,
{
    fn answer(&self, request: Request<RequestBody>) -> Answer {
        self.clone().call(request)
    }
}

impl Reflection {
    pub(super) fn new() -> Self {
        let builder = || {
            Builder::configure()
                .register_encoded_file_descriptor_set(hozo_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let valid = "descriptors that were generated";
        Reflection {
            v1: Box::new(builder().build_v1().expect(valid)),
            v1alpha: Box::new(builder().build_v1alpha().expect(valid)),
        }
    }

    pub(super) fn call(&self, request: Request<RequestBody>) -> Answer {
        let alpha = request.uri().path().starts_with("/grpc.reflection.v1alpha.");
        if alpha { self.v1alpha.answer(request) } else { self.v1.answer(request) }
    }
}

use claviger_testkit::Fault;
use claviger_verifier::{Principal, Refusal, Verifier, authorized, principal_of};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tower::Layer;

use crate::{Bench, ORDERS, OrdersRead, OrdersWrite, bearer, own_answer};

/// Any service of gRPC: it serves whoever asks for himself, and `write` for those who may.
struct Mirror;

#[tonic::async_trait]
impl Health for Mirror {
    type WatchStream = tonic::codegen::BoxStream<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if request.get_ref().service == "write" {
            authorized::<OrdersWrite>(request.extensions())?;
        }
        let caller = principal_of(request.extensions()).map(Principal::sub);
        let known = caller == Some(&request.get_ref().service);
        let status = if known { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody watches here"))
    }
}

/// A server on a free port, and a client of it.
struct Fleet {
    client: HealthClient<Channel>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Fleet {
    async fn start(verifier: &Verifier) -> Self {
        let layer = verifier.layer().require::<OrdersRead>().grpc();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder().layer(layer).add_service(HealthServer::new(Mirror));
        let server = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { client: HealthClient::new(Channel::from_shared(url).unwrap().connect_lazy()), server }
    }

    async fn ask(&self, service: &str, authorization: &[&str]) -> Result<ServingStatus, Status> {
        let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
        for value in authorization {
            request.metadata_mut().append("authorization", value.parse().unwrap());
        }
        Ok(self.client.clone().check(request).await?.into_inner().status())
    }

    /// The code, message, challenge and `retry-after` of a refusal.
    async fn refusal(&self, service: &str, authorization: &[&str]) -> (Code, String, String, String) {
        let status = self.ask(service, authorization).await.unwrap_err();
        let text = |name| status.metadata().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        (status.code(), status.message().to_owned(), text("www-authenticate"), text("retry-after"))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.server.abort();
    }
}

const UNAUTHENTICATED: &str = "the request needs an acceptable access token";
const DENIED: &str = "the access token does not allow this";

#[tokio::test]
async fn a_service_of_grpc_learns_who_calls() {
    let bench = Bench::new().await;
    let fleet = Fleet::start(&bench.verifier).await;
    let caller = fleet.ask("client:test-client", &[&bench.bearer()]).await.unwrap();
    assert_eq!(caller, ServingStatus::Serving);
    assert_eq!(fleet.ask("user:alice", &[&bench.bearer()]).await.unwrap(), ServingStatus::NotServing);
    let writer = bearer(&bench.issuer.token(ORDERS).scope("orders:read orders:write"));
    assert_eq!(fleet.ask("write", &[&writer]).await.unwrap(), ServingStatus::NotServing);
}

#[tokio::test]
async fn refusals_have_status_codes_and_a_challenge() {
    let bench = Bench::new().await;
    let fleet = Fleet::start(&bench.verifier).await;
    let good = bench.bearer();
    let narrow = bearer(&bench.issuer.token(ORDERS));
    let lacks = |scope: &str| format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
    let check = async |service, authorization: &[&str], code, message: &str, challenge: &str| {
        let expected = (code, message.to_owned(), challenge.to_owned(), String::new());
        assert_eq!(fleet.refusal(service, authorization).await, expected, "{authorization:?}");
    };
    let unauthenticated = Code::Unauthenticated;
    check("", &[], unauthenticated, UNAUTHENTICATED, r#"Bearer realm="service""#).await;
    check("", &["Bearer a"], unauthenticated, UNAUTHENTICATED, r#"Bearer error="invalid_token""#).await;
    let repeated = r#"Bearer error="invalid_request""#;
    check("", &[&good, &good], unauthenticated, UNAUTHENTICATED, repeated).await;
    check("", &[&narrow], Code::PermissionDenied, DENIED, &lacks("orders:read")).await;
    check("write", &[&good], Code::PermissionDenied, DENIED, &lacks("orders:write")).await;
}

#[tokio::test]
async fn without_keys_a_service_of_grpc_is_unavailable() {
    let bench = Bench::new().await;
    bench.issuer.fault(Fault::StatusWithRetryAfter(503, 7));
    let cold = bench.cold();
    let fleet = Fleet::start(&cold).await;
    let (code, message, challenge, retry_after) = fleet.refusal("", &[&bench.bearer()]).await;
    assert_eq!((code, challenge.as_str()), (Code::Unavailable, ""));
    assert_eq!(message, "access tokens cannot be verified at present");
    assert!((1..=60).contains(&retry_after.parse::<u32>().unwrap()));
}

#[tokio::test]
async fn a_service_of_grpc_answers_in_its_own_way() {
    let bench = Bench::with(|builder| {
        builder.answer_with(|refusal, answer| {
            let mut answer = own_answer(refusal, answer);
            if refusal.reason() == "insufficient_scope" {
                *answer.status_mut() = http::StatusCode::NOT_FOUND;
            }
            answer
        })
    })
    .await;
    let fleet = Fleet::start(&bench.verifier).await;
    let status = fleet.ask("", &["Bearer a"]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.metadata().get("x-refused").unwrap(), "malformed_jws");
    // In the layer and in the service: one verifier, one way.
    for (service, token) in [("", bearer(&bench.issuer.token(ORDERS))), ("write", bench.bearer())] {
        let status = fleet.ask(service, &[&token]).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(status.metadata().get("x-refused").unwrap(), "insufficient_scope");
    }
}

#[tokio::test]
async fn a_refusal_is_trailers_only() {
    let bench = Bench::new().await;
    let guarded = bench.verifier.layer().grpc().layer(HealthServer::new(Mirror));
    let request =
        http::Request::post("/grpc.health.v1.Health/Check").body(tonic::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(guarded, request).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/grpc".parse().unwrap())
    );
    assert_eq!(response.headers()["grpc-status"], "16");
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="service""#);
    assert!(axum::body::HttpBody::is_end_stream(response.body()));
}

#[tokio::test]
async fn one_service_of_a_server_may_be_guarded_alone() {
    let bench = Bench::new().await;
    let guarded = bench.verifier.layer().grpc().layer(HealthServer::new(Mirror));
    let routes = tonic::service::Routes::new(guarded);
    let request =
        http::Request::post("/grpc.health.v1.Health/Check").body(tonic::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(routes, request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn statuses_of_http_have_their_codes() {
    for (status, code) in [
        (400, Code::Unauthenticated),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ] {
        let verifier =
            Verifier::builder("https://id.fleet.test", ORDERS).answer_with(move |_, mut answer| {
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                answer
            });
        let refused = verifier.build().unwrap().refuse(Refusal::CrossSite);
        let status = Status::from(refused);
        assert_eq!((status.code(), status.metadata().len()), (code, 0));
    }
    assert_eq!(Status::from(Refusal::NoToken).code(), Code::Unauthenticated);
}

use actix_web::{
    App, HttpResponse, HttpServer, ResponseError,
    dev::ServiceResponse,
    test::{TestRequest, call_service, init_service},
    web::{self, Data},
};
use axum::routing::get;
use claviger_testkit::{Fault, TestKey, assert_rejects_all_at};
use claviger_verifier::{
    Authorized, MaybePrincipal, Principal, Refusal, Rejection, Requirement, Verifier, VerifierBuilder,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::{Answer, Bench, ORDERS, OrdersRead, bearer, own_answer};

#[derive(Deserialize)]
struct Tenant {
    tenant: String,
}

async fn whoami(caller: Principal) -> String {
    caller.sub().to_owned()
}

async fn open(caller: MaybePrincipal) -> String {
    caller.0.map_or_else(|| "nobody".to_owned(), |caller| caller.sub().to_owned())
}

async fn orders(caller: Authorized<OrdersRead>, again: Principal, typed: Principal<Tenant>) -> String {
    format!("{} {} {}", caller.sub(), again.client_id(), typed.claims().tenant)
}

async fn admin(caller: Principal) -> Result<&'static str, Refusal> {
    caller.require(&Requirement::Role("admin"))?;
    Ok("in")
}

async fn answer_of<B: actix_web::body::MessageBody>(response: ServiceResponse<B>) -> Answer {
    let status = response.status().as_u16();
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(HeaderName::from_bytes(name.as_str().as_bytes()).unwrap(), value);
    }
    let body = actix_web::test::read_body(response).await;
    Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

async fn ask(verifier: &Verifier, path: &str, headers: &[(&str, &str)]) -> Answer {
    let app = App::new()
        .app_data(verifier.clone())
        .route("/whoami", web::get().to(whoami))
        .route("/open", web::get().to(open))
        .route("/orders", web::get().to(orders))
        .route("/admin", web::get().to(admin));
    let app = init_service(app).await;
    let request = headers.iter().fold(TestRequest::get().uri(path), |request, it| request.append_header(*it));
    answer_of(call_service(&app, request.to_request()).await).await
}

#[tokio::test]
async fn a_handler_of_actix_is_given_the_principal() {
    let bench = Bench::new().await;
    let token = bearer(&bench.token().claim("tenant", "acme"));
    let check = async |path, headers: &[(&str, &str)], status, body| {
        let answer = ask(&bench.verifier, path, headers).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
    };
    let good = [("authorization", token.as_str())];
    check("/whoami", &good, 200, "client:test-client").await;
    check("/orders", &good, 200, "client:test-client test-client acme").await;
    check("/open", &good, 200, "client:test-client").await;
    check("/open", &[], 200, "nobody").await;
    check("/open", &[("authorization", "Bearer a")], 401, r#"{"error":"invalid_token"}"#).await;
    check("/admin", &good, 403, r#"{"error":"insufficient_scope"}"#).await;
}

#[tokio::test]
async fn actix_answers_in_the_same_bytes_as_axum() {
    let same = async |configure: fn(VerifierBuilder) -> VerifierBuilder| {
        let bench = Bench::with(configure).await;
        let app = axum::Router::new()
            .route("/whoami", get(async |caller: Principal| caller.sub().to_owned()))
            .route("/orders", get(async |_: Authorized<OrdersRead>, _: Principal<()>| "in"))
            .with_state(bench.verifier.clone());
        let narrow = bearer(&bench.issuer.token(ORDERS));
        let good = bench.bearer();
        for headers in [
            &[][..],
            &[("authorization", "Basic b3JkZXJzOnM=")],
            &[("authorization", "Bearer a")],
            &[("authorization", &good), ("authorization", &good)],
            &[("authorization", &narrow)],
        ] {
            for path in ["/whoami", "/orders"] {
                let answer = ask(&bench.verifier, path, headers).await;
                let expected = crate::get(&app, path, headers).await;
                if expected.status == 200 {
                    assert_eq!((answer.status, answer.body), (200, expected.body));
                } else {
                    assert_eq!(answer, expected, "{path} {headers:?}");
                }
            }
        }
    };
    same(|builder| builder).await;
    same(|builder| builder.resource_metadata("https://orders.fleet.test/meta")).await;
    same(|builder| builder.answer_with(own_answer)).await;
}

// S-13
#[tokio::test]
async fn no_forgery_passes_a_server_of_actix() {
    let bench = Bench::new().await;
    let (verifier, (told, heard)) = (bench.verifier.clone(), tokio::sync::oneshot::channel());
    // A server of actix wants a runtime of its own kind.
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = move || App::new().app_data(verifier.clone()).route("/whoami", web::get().to(whoami));
            let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            told.send((address, server.handle())).unwrap();
            server.await
        })
    });
    let (address, server) = heard.await.unwrap();
    assert_rejects_all_at(&format!("http://{address}/whoami"), &bench.token()).await;
    server.stop(false).await;
    thread.join().unwrap().unwrap();
}

#[tokio::test]
async fn actix_answers_503_without_keys() {
    let bench = Bench::new().await;
    bench.issuer.fault(Fault::StatusWithRetryAfter(503, 7));
    let cold = bench.cold();
    for path in ["/whoami", "/open"] {
        let answer = ask(&cold, path, &[("authorization", &bench.bearer())]).await;
        assert_eq!((answer.status, answer.challenge()), (503, ""));
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u32>().unwrap()));
    }
}

/// An extractor after which the key of the token is dead.
struct Kill;

impl actix_web::FromRequest for Kill {
    type Error = actix_web::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;

    fn from_request(request: &actix_web::HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let verifier = request.app_data::<Data<Verifier>>().unwrap();
            verifier.keys().deny_kid(TestKey::es256_other().kid()).unwrap();
            Ok(Self)
        })
    }
}

#[tokio::test]
async fn extractors_of_one_request_verify_once() {
    // The key is not held when they begin, so that all of them have to wait for it, and the token has one use.
    let bench = Bench::with(|builder| builder.one_time(16)).await;
    bench.issuer.set_keys(&[TestKey::es256_other()]);
    let token =
        || format!("Bearer {}", bench.token().claim("tenant", "acme").sign_with(TestKey::es256_other()));
    let once = token();
    let answer = ask(&bench.verifier, "/orders", &[("authorization", &once)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "client:test-client test-client acme"));
    assert_eq!(ask(&bench.verifier, "/orders", &[("authorization", &once)]).await.status, 401);

    // A key that dies after the first extractor shows whether the second one looks again.
    let handler = async |_: Principal, _: Kill, caller: Principal| caller.sub().to_owned();
    let shared = Data::new(bench.verifier.clone());
    let app = init_service(App::new().app_data(shared).route("/", web::get().to(handler))).await;
    let request = || TestRequest::get().insert_header(("authorization", token())).to_request();
    assert_eq!(call_service(&app, request()).await.status().as_u16(), 200);
    assert_eq!(call_service(&app, request()).await.status().as_u16(), 401);
}

#[tokio::test]
async fn an_app_without_a_verifier_says_so() {
    let app = init_service(App::new().route("/", web::get().to(whoami))).await;
    let answer = answer_of(call_service(&app, TestRequest::get().to_request()).await).await;
    assert_eq!((answer.status, answer.body.contains("app_data")), (500, true));
}

/// The verifier of the inner scope counts, or nobody's.
#[tokio::test]
async fn a_scope_is_not_judged_by_the_verifier_of_another() {
    let (app, scope) = (Bench::new().await, Bench::new().await);
    let bare = || App::new().app_data(app.verifier.clone());
    let shared = || App::new().app_data(Data::new(app.verifier.clone()));
    let inner = || web::scope("/in").route("", web::get().to(whoami));
    let check = async |from: App<_>, bench: &Bench, status: u16| {
        let service = init_service(from).await;
        let request = TestRequest::get().uri("/in").insert_header(("authorization", bench.bearer()));
        assert_eq!(answer_of(call_service(&service, request.to_request()).await).await.status, status);
    };
    let own = || inner().app_data(scope.verifier.clone());
    let own_shared = || inner().app_data(Data::new(scope.verifier.clone()));
    for (bench, status) in [(&scope, 200), (&app, 401)] {
        check(bare().service(own()), bench, status).await;
        check(shared().service(own_shared()), bench, status).await;
        check(bare().service(own_shared()), bench, 500).await;
        check(shared().service(own()), bench, 500).await;
    }
    // The same one in both ways is one.
    check(shared().app_data(app.verifier.clone()).service(inner()), &app, 200).await;
}

#[test]
fn a_refusal_is_an_error_of_actix() {
    let response: HttpResponse = Refusal::NoToken.error_response();
    assert_eq!(response.status(), Refusal::NoToken.status_code());
    assert_eq!(response.status(), Rejection::from(Refusal::NoToken).status_code());
    assert_eq!(response.headers().get("www-authenticate").unwrap(), r#"Bearer realm="service""#);
}

// S-16
#[cfg(feature = "mtls")]
#[tokio::test]
async fn a_certificate_is_found_where_actix_keeps_it() {
    use actix_web::HttpMessage;
    use claviger_verifier::ClientCertificate;

    let bench = Bench::new().await;
    let [own, other] = [&b"own"[..], b"other"].map(ClientCertificate::from_der);
    let token = bench.token().claim("cnf", serde_json::json!({ "x5t#S256": own.thumbprint() }));
    let app = App::new().app_data(bench.verifier.clone()).route("/", web::get().to(whoami));
    let app = init_service(app).await;
    for (certificate, status) in [(Some(own), 200), (Some(other), 401), (None, 401)] {
        let request = TestRequest::get().insert_header(("authorization", bearer(&token))).to_request();
        certificate.map(|certificate| request.extensions_mut().insert(certificate));
        assert_eq!(call_service(&app, request).await.status().as_u16(), status);
    }
}

//! The binary as a team in another language uses it: a process, a line of JSON, HTTP.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use claviger_testkit::{Fault, Tamper};
use claviger_verifier::Verifier;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

const LEDGER: &str = "https://ledger.fleet.test";

/// A running binary. It ends with its standard input, even where a test panics.
struct Binary {
    child: Child,
    _stdin: ChildStdin,
    ready: Value,
    http: Client,
}

impl Binary {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger-testkit"));
        command.args(["serve", "--until-stdin-closes"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let http = Client::builder().tls_certs_only([]).no_proxy().timeout(Duration::from_secs(10));
        Self {
            child,
            _stdin: stdin,
            ready: serde_json::from_str(&line).unwrap(),
            http: http.build().unwrap(),
        }
    }

    fn told(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.told("control"));
        let request = self.http.request(method, url);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.control(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.control(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn token(&self, wanted: Value) -> String {
        self.post("/token", wanted).await["access_token"].as_str().unwrap().to_owned()
    }

    fn verifier(&self) -> Verifier {
        Verifier::builder(self.told("issuer"), LEDGER).build().unwrap()
    }

    async fn key_set(&self) -> reqwest::Result<StatusCode> {
        self.http.get(self.told("jwks_uri")).send().await.map(|answer| answer.status())
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_client_and_a_user_have_tokens_that_a_verifier_accepts() {
    let client = format!("id=orders,secret=s3cret,audience={LEDGER},scope=ledger:post ledger:read");
    let binary = Binary::start(&["--client", &client, "--user", "id=alice,name=Alice"]);
    let request = binary.http.post(binary.told("token_endpoint")).basic_auth("orders", Some("s3cret"));
    let form = [("grant_type", "client_credentials"), ("scope", "ledger:post")];
    let answer: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
    let verifier = binary.verifier();
    let principal = verifier.verify(answer["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!((principal.sub(), principal.has_scope("ledger:post")), ("client:orders", true));

    let token = binary.token(json!({ "audience": LEDGER, "user": "alice", "alg": "RS256" })).await;
    assert_eq!(verifier.verify(&token).await.unwrap().sub(), "user:alice");
    let payload = claviger_jose::base64url::decode(token.split('.').nth(1).unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap()["name"], "Alice");

    binary.post("/users", json!({ "id": "bob", "roles": ["admin"] })).await;
    binary.post("/clients", json!({ "id": "web", "secret": "x", "audience": LEDGER })).await;
    let token = binary.token(json!({ "audience": LEDGER, "user": "bob" })).await;
    assert_eq!(verifier.verify(&token).await.unwrap().sub(), "user:bob");
}

#[tokio::test]
async fn tokens_are_made_to_measure() {
    let binary = Binary::start(&[]);
    let wanted = json!({
        "audience": LEDGER, "sub": "user:x", "client_id": "web", "scope": "a b", "expires_in": 60,
        "claims": { "acr": "gold" }, "without": ["jti"], "header": { "typ": "JWT" },
    });
    let token = binary.token(wanted).await;
    let parts: Vec<Value> = token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&claviger_jose::base64url::decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0]["typ"], "JWT");
    let claims = &parts[1];
    assert_eq!((&claims["sub"], &claims["acr"], claims.get("jti")), (&json!("user:x"), &json!("gold"), None));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
}

#[tokio::test]
async fn every_forgery_is_there_by_name_and_refused() {
    let binary = Binary::start(&[]);
    let verifier = binary.verifier();
    let good = binary.token(json!({ "audience": LEDGER, "scope": "ledger:read" })).await;
    assert!(verifier.verify(&good).await.is_ok());
    let query = format!("audience={LEDGER}&scope=ledger%3Aread&expires_in=120");
    let rows = binary.get(&format!("/tampered?{query}&alg=ES256")).await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), Tamper::all().len());
    for row in rows {
        let refused = verifier.verify(row["token"].as_str().unwrap()).await.is_err();
        assert!(refused && row["attack"].is_string(), "{row}");
    }
    let one = binary.get(&format!("/tampered/alg-none?{query}")).await;
    assert_eq!((&one["name"], &one["attack"]), (&json!("alg-none"), &json!("algorithm")));
}

#[tokio::test]
async fn keys_rotate_by_name() {
    let binary = Binary::start(&[]);
    let es256 = json!({ "alg": "ES256" });
    let states = |keys: &Value| -> Vec<String> {
        let keys = keys.as_array().unwrap().iter().filter(|key| key["alg"] == "ES256");
        keys.map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    let old = binary.token(json!({ "audience": LEDGER })).await;
    let keys = binary.post("/keys/publish-next", es256.clone()).await;
    assert_eq!(states(&keys), ["active", "prepared"]);
    assert_eq!(states(&binary.post("/keys/promote", es256.clone()).await), ["retiring", "active"]);
    assert!(binary.verifier().verify(&old).await.is_ok());
    let keys = binary.post("/keys/retire", es256.clone()).await;
    assert_eq!(states(&keys), ["active"]);
    assert_eq!(binary.verifier().verify(&old).await.unwrap_err().reason(), "unknown_kid");

    let (refused, body) = binary.control(Method::POST, "/keys/promote", es256).await;
    assert_eq!(refused, StatusCode::CONFLICT);
    assert!(body["error"].as_str().unwrap().contains("publish the next one first"), "{body}");
    let active = keys.as_array().unwrap().iter().find(|key| key["alg"] == "ES256").unwrap()["kid"].clone();
    let keys = binary.post("/keys/revoke", json!({ "kid": active })).await;
    assert!(keys.as_array().unwrap().iter().all(|key| key["kid"] != active), "{keys}");
    assert_eq!(binary.get("/keys").await, keys);
}

#[tokio::test]
async fn faults_begin_and_end_and_requests_are_on_record() {
    let binary = Binary::start(&[]);
    let names = binary.get("/faults").await;
    assert_eq!(names.as_array().unwrap().len(), Fault::all().len());
    binary.post("/fault", json!({ "fault": "status", "status": 418 })).await;
    assert_eq!(binary.key_set().await.unwrap().as_u16(), 418);
    binary.post("/fault", json!({ "fault": "slow", "seconds": 0.01 })).await;
    assert_eq!(binary.key_set().await.unwrap(), StatusCode::OK);
    binary.post("/fault", json!({ "fault": "down", "endpoint": "metadata" })).await;
    binary.post("/fault", json!({ "fault": "redirect", "endpoint": "token", "to": "http://a.test/" })).await;
    assert_eq!(binary.key_set().await.unwrap(), StatusCode::OK);
    binary.control(Method::DELETE, "/fault", Value::Null).await;
    binary.post("/stop", Value::Null).await;
    assert!(binary.key_set().await.unwrap_err().is_connect());
    binary.post("/restart", Value::Null).await;
    assert_eq!(binary.key_set().await.unwrap(), StatusCode::OK);

    let seen = binary.get("/requests").await;
    assert_eq!((&seen["fetches"], &seen["metadata_fetches"]), (&json!(4), &json!(0)));
    let first = &seen["requests"][0];
    assert_eq!((&first["endpoint"], &first["status"]), (&json!("key_set"), &json!(418)));
}

#[tokio::test]
async fn time_passes_as_the_test_says() {
    let standing = Binary::start(&["--clock", "1700000000"]);
    assert_eq!(standing.get("/clock").await, json!({ "now": 1_700_000_000 }));
    let now = standing.post("/clock", json!({ "advance_seconds": 60 })).await;
    assert_eq!(now, json!({ "now": 1_700_000_060 }));

    let running = Binary::start(&["--issuer-name", "realms/shop", "--issuer-url", "https://id.test/a"]);
    let before = running.get("/clock").await["now"].as_u64().unwrap();
    let after = running.post("/clock", json!({ "advance_seconds": 3600 })).await["now"].as_u64().unwrap();
    assert!((before + 3600..before + 3700).contains(&after));
    assert_eq!(running.told("issuer"), "https://id.test/a");
    assert!(running.told("jwks_uri").ends_with("/realms/shop/.well-known/jwks.json"));
    assert_eq!(running.key_set().await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_done_is_answered_with_the_reason() {
    let binary = Binary::start(&[]);
    for (path, body, status, reason) in [
        ("/token", json!({}), 422, "missing field `audience`"),
        ("/token", json!({ "audience": LEDGER, "user": "nobody" }), 404, "no user has the id"),
        ("/token", json!({ "audience": LEDGER, "alg": "HS256" }), 400, "ES256 or RS256"),
        ("/token", json!({ "audience": LEDGER, "exp": 1 }), 422, "unknown field `exp`"),
        ("/fault", json!({ "fault": "earthquake" }), 400, "/control/faults has all"),
        ("/fault", json!({ "fault": "status", "status": 7 }), 400, "between 200 and 999"),
        ("/fault", json!({ "fault": "slow", "seconds": -1.0 }), 400, "positive"),
        ("/fault", json!({ "fault": "redirect", "to": "a\nb" }), 400, "URL"),
        ("/keys/retire", json!({ "alg": "RS256" }), 409, "promote another one first"),
        ("/keys/revoke", json!({ "kid": "a\"b" }), 400, "a kid has"),
        ("/keys/revoke", json!({ "kid": "short" }), 409, "no key short is published"),
        ("/clients", json!({ "id": "a b", "secret": "s", "audience": LEDGER }), 422, ""),
        ("/clock", json!({ "advance_seconds": -5 }), 422, "advance_seconds"),
        ("/nowhere", json!({}), 404, "--help"),
    ] {
        let (found, answer) = binary.control(Method::POST, path, body.clone()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(found.as_u16(), status, "{path} {body}: {answer}");
        assert!(error.contains(reason) && !error.is_empty(), "{path} {body}: {error}");
    }
    assert_eq!(binary.control(Method::GET, "/tampered", Value::Null).await.0, StatusCode::BAD_REQUEST);
    let missing = binary.control(Method::GET, "/tampered/alg-nine?audience=urn:a", Value::Null).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
}

#[test]
fn it_ends_with_its_standard_input() {
    let mut binary = Binary::start(&[]);
    let Binary { child, _stdin: stdin, .. } = &mut binary;
    let null = Command::new("true").stdin(Stdio::piped()).spawn().unwrap().stdin.take().unwrap();
    drop(std::mem::replace(stdin, null));
    assert!(child.wait().unwrap().success());
}

#[test]
fn wrong_arguments_are_refused_with_the_reason() {
    for (arguments, reason) in [
        (&["serve", "--client", "orders:s3cret"][..], "name=value"),
        (&["serve", "--user", "name=Alice"], "missing field `id`"),
        (&["serve", "--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
        (&[], "Usage"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger-testkit"));
        let ran = command.args(arguments).output().unwrap();
        let error = String::from_utf8(ran.stderr).unwrap();
        assert!(!ran.status.success() && error.contains(reason), "{arguments:?}: {error}");
    }
    let help =
        Command::new(env!("CARGO_BIN_EXE_claviger-testkit")).args(["serve", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("/control/tampered/NAME"));
}

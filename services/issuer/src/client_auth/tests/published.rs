//! Key sets that clients publish, asked for over real sockets.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, routing::get};
use claviger_oauth::ClientKeys;
use claviger_testkit::TestKey;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
};

use super::{House, ISSUER, by_assertion, claims, key_set, sign};

/// A server on loopback with a key set, which counts how often it is asked.
async fn publisher(set: &str) -> (String, Arc<AtomicUsize>) {
    let (set, asked) = (set.to_owned(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&asked);
    let answer = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(set)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/jwks", get(answer))).await });
    (url, asked)
}

// S-59
#[tokio::test]
async fn published_keys_are_fetched_once_and_unknown_ones_cost_nothing_more() {
    let (url, asked) = publisher(&key_set(&[TestKey::es256()])).await;
    let local = "http://127.0.0.1:8080";
    let house = House::with(local, |client| client.keys = ClientKeys::Uri(url.clone())).await;
    let by = |key: &TestKey, jti: &str| {
        let mut claims = claims(jti);
        claims["aud"] = local.into();
        by_assertion(&sign(key, &claims))
    };
    for number in 0..10 {
        let presented = by(TestKey::es256(), &number.to_string());
        assert_eq!(house.authenticate(&presented).await.unwrap(), "robot");
    }
    for number in 0..10 {
        let refused = house.authenticate(&by(TestKey::es256_other(), &number.to_string())).await.unwrap_err();
        assert!(refused.to_string().contains("publishes no key of this kid"), "{refused}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

// S-59
#[tokio::test]
async fn who_goes_away_before_the_answer_neither_loses_it_nor_makes_anybody_ask_again() {
    let (asked, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (started, mut was_started) = mpsc::unbounded_channel();
    let (counter, gate) = (Arc::clone(&asked), Arc::clone(&release));
    let answer = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        let (gate, started) = (Arc::clone(&gate), started.clone());
        async move {
            started.send(()).unwrap();
            drop(gate.acquire().await.unwrap());
            key_set(&[TestKey::es256()])
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/jwks", get(answer))).await });
    let local = "http://127.0.0.1:8080";
    let house = House::with(local, |client| client.keys = ClientKeys::Uri(url.clone())).await;
    let by = |jti: &str| {
        let mut claims = claims(jti);
        claims["aud"] = local.into();
        by_assertion(&sign(TestKey::es256(), &claims))
    };
    let hasty = by("hasty");
    tokio::select! {
        biased;
        _ = house.authenticate(&hasty) => panic!("there was no answer yet"),
        _ = was_started.recv() => {}
    }
    // Another who comes and goes: it is polled until it waits.
    let other = by("other");
    tokio::select! {
        biased;
        _ = house.authenticate(&other) => panic!("there was no answer yet"),
        () = std::future::ready(()) => {}
    }
    release.add_permits(1);
    assert_eq!(house.authenticate(&by("patient")).await.unwrap(), "robot");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

// S-59
#[tokio::test]
async fn a_key_set_inside_this_network_is_never_asked_for() {
    let (url, asked) = publisher(&key_set(&[TestKey::es256()])).await;
    let port = url.trim_end_matches("/jwks").rsplit_once(':').unwrap().1.to_owned();
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "2130706433", "localhost", "10.0.0.1"] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/jwks");
            let house = House::with(ISSUER, |client| client.keys = ClientKeys::Uri(url.clone())).await;
            let assertion = by_assertion(&sign(TestKey::es256(), &claims("j")));
            let refused = house.authenticate(&assertion).await.unwrap_err();
            assert_eq!(refused.code(), "temporarily_unavailable", "{url}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use super::*;

fn outbound(issuer: &str) -> Outbound {
    Outbound::new(&issuer.parse().unwrap())
}

// S-59
#[test]
fn a_url_with_an_address_of_this_network_is_refused_however_it_is_spelt() {
    let outbound = outbound("https://id.fleet.test");
    for bad in [
        "https://127.0.0.1/jwks",
        "https://127.1/jwks",
        "https://2130706433/jwks",
        "https://0x7f.1/jwks",
        "https://[::1]/jwks",
        "https://[::ffff:127.0.0.1]/jwks",
        "https://169.254.169.254/latest",
        "https://10.0.0.1",
        "https://localhost/jwks",
    ] {
        assert_eq!(outbound.check(bad), Err(Refused::Address), "{bad}");
    }
    for bad in [
        "http://client.fleet.test/jwks",
        "http://127.0.0.1/jwks",
        "ftp://client.fleet.test",
        "client.fleet.test",
        "https://a@client.fleet.test",
        "https://client.fleet.test/#a",
        "file:///etc/passwd",
        "",
    ] {
        assert_eq!(outbound.check(bad), Err(Refused::Url), "{bad}");
    }
    assert!(outbound.check("https://client.fleet.test/jwks?v=1").is_ok());
}

#[test]
fn an_issuer_on_loopback_asks_loopback() {
    let outbound = outbound("http://127.0.0.1:8080");
    for good in ["http://127.0.0.1:1/jwks", "http://[::1]:1/jwks", "http://localhost:1/", "https://10.0.0.1/"]
    {
        assert!(outbound.check(good).is_ok(), "{good}");
    }
    assert_eq!(outbound.check("http://client.fleet.test/jwks"), Err(Refused::Url));
}

/// Counts the connections that reach this machine.
struct Canary {
    port: u16,
    seen: Arc<AtomicUsize>,
}

async fn canary() -> Canary {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    Canary { port, seen }
}

/// Answers a public address when it is first asked, and loopback from then on.
struct Rebinding(AtomicUsize);

impl Resolve for Rebinding {
    fn resolve(&self, _: Name) -> Resolving {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { [1, 1, 1, 1] } else { [127, 0, 0, 1] };
        Box::pin(async move { Ok(Box::new([SocketAddr::from((address, 0))].into_iter()) as Addrs) })
    }
}

// S-59
#[tokio::test]
async fn a_name_that_means_this_machine_when_it_is_dialled_is_not_dialled() {
    let canary = canary().await;
    let rebinding = Rebinding(AtomicUsize::new(0));
    // Whoever looked before was told another address.
    assert!(rebinding.resolve("client.fleet.test".parse().unwrap()).await.is_ok());
    let client = builder().dns_resolver(Arc::new(Guarded(rebinding))).build().unwrap();
    let url = format!("https://client.fleet.test:{}/jwks", canary.port);
    assert!(client.get(url).send().await.unwrap_err().is_connect());
    assert_eq!(canary.seen.load(Ordering::SeqCst), 0);
}

// S-59
#[tokio::test]
async fn the_system_s_own_names_of_this_machine_are_not_dialled() {
    let canary = canary().await;
    let outbound = outbound("https://id.fleet.test");
    let url = format!("https://localhost:{}/jwks", canary.port);
    assert!(outbound.http().unwrap().get(url).send().await.is_err());
    assert_eq!(canary.seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn one_local_address_among_public_ones_is_enough_to_refuse() {
    struct Mixed;
    impl Resolve for Mixed {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses = [[1, 1, 1, 1], [10, 0, 0, 1]].map(|address| SocketAddr::from((address, 0)));
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }
    let name = "client.fleet.test".parse().unwrap();
    let Err(refused) = Guarded(Mixed).resolve(name).await else { panic!("dialled") };
    assert_eq!(refused.downcast_ref(), Some(&Refused::Address));
}

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A server that answers with what it is sent, and its name first.
async fn echo(name: &'static str) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(name.as_bytes()).await.unwrap();
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn greeting(gate: &Gate) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(gate.address()).await?;
    let mut name = [0; 3];
    stream.read_exact(&mut name).await?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

#[tokio::test]
async fn connections_go_to_each_server_in_turn_and_pass_by_one_that_is_gone() {
    let gone = Address::Tcp(format!("127.0.0.1:{}", crate::free_port().unwrap()));
    let gate = Gate::open(&[echo("one").await, gone, echo("two").await], false).unwrap();
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(greeting(&gate).await.unwrap());
    }
    assert!(seen.contains(&"one".to_owned()) && seen.contains(&"two".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_cut_line_resets_old_and_new_connections_until_it_is_open_again() {
    let gate = Gate::open(&[echo("one").await], false).unwrap();
    let mut old = TcpStream::connect(gate.address()).await.unwrap();
    old.read_exact(&mut [0; 3]).await.unwrap();
    gate.set(Line::Cut);
    assert!(!matches!(old.read(&mut [0; 1]).await, Ok(1..)), "an end or an error");
    assert!(greeting(&gate).await.is_err());
    gate.set(Line::Open);
    assert_eq!(greeting(&gate).await.unwrap(), "one");
}

#[tokio::test]
async fn a_silent_line_keeps_what_it_is_given_until_it_is_open_again() {
    let gate = Gate::open(&[echo("one").await], false).unwrap();
    gate.set(Line::Silent);
    let waiting = tokio::time::timeout(Duration::from_millis(300), greeting(&gate)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    let (greeting, ()) = tokio::join!(greeting(&gate), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        gate.set(Line::Open);
    });
    assert_eq!(greeting.unwrap(), "one");
}

#[tokio::test]
async fn a_late_line_and_a_narrow_one_take_their_time() {
    let gate = Gate::open(&[echo("one").await], false).unwrap();
    for line in [Line::Late(Duration::from_millis(200)), Line::Narrow(15)] {
        gate.set(line);
        let start = Instant::now();
        assert_eq!(greeting(&gate).await.unwrap(), "one");
        assert!(start.elapsed() >= Duration::from_millis(200), "{line:?}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_process_can_have_a_line_of_its_own() {
    let gate = Gate::open(&[echo("one").await], false).unwrap();
    gate.set_for(1, Line::Cut);
    assert_eq!(greeting(&gate).await.unwrap(), "one", "process 1 is somebody else");
    gate.set_for(std::process::id(), Line::Cut);
    assert!(greeting(&gate).await.is_err());
    gate.set_for(std::process::id(), Line::Open);
    assert_eq!(greeting(&gate).await.unwrap(), "one");
}

#[tokio::test]
async fn a_lossy_line_carries_every_word_there_and_each_third_answer_not_back() {
    let gate = Gate::open(&[echo("one").await], false).unwrap();
    gate.set(Line::Lossy(3));
    let mut heard = Vec::new();
    for _ in 0..6 {
        heard.push(greeting(&gate).await.is_ok());
    }
    assert_eq!(heard, [true, true, false, true, true, false]);
}

#[tokio::test]
async fn a_server_that_has_only_just_come_waits_until_it_is_known_to_be_ready() {
    let gate = Gate::open(&[echo("HTTP/1.1 200").await], true).unwrap();
    while !lock(&gate.shared.upstreams)[0].is(Health::Ready) {
        tokio::task::yield_now().await;
    }
    gate.admit(echo("new").await);
    for _ in 0..4 {
        assert_eq!(greeting(&gate).await.unwrap(), "HTT");
    }
}

//! Tests of downloads and their redirects.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use super::{DownloadError, Fetched, client, download, fetch, first_of_public, is_same_service, redirect};

/// A host that answers each path as the script says, and the paths that were asked for.
async fn host(script: impl Fn(&str) -> String + 'static) -> (Url, Rc<RefCell<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&asked);
    actix::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let length = connection.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(head.get(..length).unwrap_or_default()).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = script(&path);
            seen.borrow_mut().push(path);
            let _gone = connection.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

fn found(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn file(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{content}", content.len())
}

#[actix::test]
async fn a_redirect_to_a_private_host_is_not_followed() {
    let (private, asked) = host(|_| file("secret")).await;
    let port = private.port().unwrap();
    // Loopback in every spelling, private networks, and a metadata service.
    let spelled = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.1:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("0x7f000001:{port}"),
        format!("127.1:{port}"),
        "169.254.169.254".to_owned(),
        "10.0.0.1".to_owned(),
        "192.168.0.1".to_owned(),
        "[64:ff9b::7f00:1]".to_owned(),
        "[2002:7f00:1::1]".to_owned(),
    ];
    for host_and_port in spelled {
        for (scheme, refused) in [("https", DownloadError::Private), ("http", DownloadError::Open)] {
            let to = format!("{scheme}://{host_and_port}/latest/meta-data/");
            let place = to.clone();
            let (first, _) = host(move |_| found(&to)).await;
            assert_eq!(download(&client(), &first).await, Err(refused), "{place}");
        }
    }
    for open in ["http://8.8.8.8/music.mp3".to_owned(), format!("//127.0.0.1:{port}/")] {
        let to = open.clone();
        let (first, _) = host(move |_| found(&to)).await;
        assert_eq!(download(&client(), &first).await, Err(DownloadError::Open), "{open}");
    }
    assert_eq!(*asked.borrow(), Vec::<String>::new());
    // Behind a redirect within the host as well.
    let to = private.to_string().replace("http:", "https:");
    let (first, _) = host(move |path| if path == "/" { found("/next") } else { found(&to) }).await;
    assert_eq!(download(&client(), &first).await, Err(DownloadError::Private));
    assert_eq!(*asked.borrow(), Vec::<String>::new());
}

#[test]
fn a_name_counts_as_public_only_if_all_of_its_addresses_are() {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    for (answer, expected) in [
        (addresses(&["8.8.8.8:443"]), Ok("8.8.8.8:443".parse().unwrap())),
        (addresses(&["[2a00:1450::1]:443", "8.8.8.8:443"]), Ok("[2a00:1450::1]:443".parse().unwrap())),
        (addresses(&["8.8.8.8:443", "10.0.0.1:443"]), Err(DownloadError::Private)),
        (addresses(&["8.8.8.8:443", "[::1]:443"]), Err(DownloadError::Private)),
        (addresses(&["100.64.0.1:443"]), Err(DownloadError::Private)),
        (addresses(&[]), Err(DownloadError::Unreachable)),
    ] {
        assert_eq!(first_of_public(&answer), expected, "{answer:?}");
    }
}

#[actix::test]
async fn the_connection_is_made_to_the_address_that_was_checked() {
    // The name leads nowhere: whatever it would lead to a moment later is not asked for.
    let (checked, asked) = host(|_| file("music")).await;
    let address = checked.socket_addrs(|| None).unwrap().first().copied();
    let url: Url = "http://no-such-name.invalid/a".parse().unwrap();
    assert!(
        matches!(fetch(&client(), &url, address).await, Ok(Fetched::File(content)) if content == "music")
    );
    assert_eq!(*asked.borrow(), ["/a"]);
    assert!(matches!(fetch(&client(), &url, None).await, Err(DownloadError::Unreachable)));
}

#[actix::test]
async fn a_redirect_within_the_configured_service_is_followed() {
    let (first, asked) = host(|path| if path == "/" { found("/a/b?c=d") } else { file("music") }).await;
    assert_eq!(download(&client(), &first).await.unwrap(), "music");
    assert_eq!(*asked.borrow(), ["/", "/a/b?c=d"]);
    let (endless, asked) = host(|_| found("/")).await;
    assert_eq!(download(&client(), &endless).await, Err(DownloadError::Endless));
    assert_eq!(asked.borrow().len(), 6);
    for nowhere in ["file:///etc/passwd", "ftp://example.com/a", "data:audio/wav,x", "http://"] {
        let (first, _) = host(move |_| found(nowhere)).await;
        assert_eq!(download(&client(), &first).await, Err(DownloadError::NoAddress), "{nowhere}");
    }
    let (without, _) =
        host(|_| "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()).await;
    assert_eq!(download(&client(), &without).await, Err(DownloadError::Status(302)));
}

#[test]
fn another_port_of_the_host_is_another_service() {
    let url = |text: &str| text.parse::<Url>().unwrap();
    for (from, to, is_same) in [
        ("http://music.lan/a", "https://music.lan/b", true),
        ("http://music.lan:8080/a", "http://MUSIC.lan:8080/b", true),
        ("http://music.lan/a", "http://music.lan:8080/b", false),
        ("http://music.lan:8080/a", "http://music.lan/b", false),
        ("http://music.lan/a", "http://other.lan/b", false),
    ] {
        assert_eq!(is_same_service(&url(from), &url(to)), is_same, "{from} {to}");
    }
    let from = url("https://example.com/a/b?key=1");
    assert_eq!(redirect(&from, "../c"), Ok(url("https://example.com/c")));
    assert_eq!(redirect(&from, "//other.example/c"), Ok(url("https://other.example/c")));
}

#[actix::test]
async fn a_download_that_stops_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    actix::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nsome").await;
        // Until the client leaves.
        while connection.read_u8().await.is_ok() {}
    });
    assert_eq!(download(&client(), &address).await, Err(DownloadError::Stopped));
}

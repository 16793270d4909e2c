//! Tests of the streams under TLS, with a certificate that only `extra_ca` makes trusted.

use precall_providers::test_peers::tls_front::Front;

use super::*;
use crate::leg_events::{LegAudioEvent, StreamFailure};

fn world(name: &str) -> (Pbx, Front, Media, TokenPublisher) {
    let pbx = Pbx::start();
    let front = Front::before(pbx.address, name);
    let mut settings = MediaSettings::new(format!("https://localhost:{}", front.port).parse().unwrap());
    settings.extra_ca = Some(front.ca_file().to_owned());
    let (tokens, mut desk) = TokenPublisher::channel();
    desk.publish("one");
    let media = Media::start(settings, tokens, Logger::root(Discard, o!())).unwrap();
    (pbx, front, media, desk)
}

#[test]
fn a_pbx_with_a_private_certificate_receives_the_playlist() {
    let (pbx, front, media, _desk) = world("localhost");
    let owner = Owner::new();
    let clip = speech(300 * MS);
    let audio = media.open(leg(1), clock::now(), once(&clip), owner.reports.clone());
    assert_eq!(pbx.audio(clip.pcm().len())[..clip.pcm().len()], *clip.pcm());
    let head = pbx.change(|state| state.posts[0].head.clone());
    assert!(head.contains(&format!("Host: localhost:{}\r\n", front.port)), "{head}");
    drop(audio);
    let post = pbx.first_post_over();
    assert_eq!((post.is_complete, post.audio.len() as u64), (true, owner.closed().bytes));
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let (pbx, _front, media, _desk) = world("pbx.example");
    let owner = Owner::new();
    let connected_at = precall_call::At(clock::now().0 - 9_800_000);
    let _audio = media.open(leg(1), connected_at, Playlist::default(), owner.reports.clone());
    let _ = owner.closed();
    owner.wait_for(&LegAudioEvent::Failed(StreamFailure::Unreachable));
    assert_eq!(pbx.change(|state| state.posts.len() + state.gets.len()), 0);
}

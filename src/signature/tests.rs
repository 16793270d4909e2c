//! Tests of signatures. The vectors were computed with Python's `hmac` and `hashlib`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use precall_call::At;
use proptest::prelude::{any, proptest};

use super::{Kind, SignatureError, Verifier, sign};

const T: i64 = 1_764_425_485;
const SECRET: &[u8] = b"three-secret";
const BODY: &[u8] = br#"{"event_type":"IncomingCall","call_id":"1264"}"#;
const TAG: &str = "b593923c0f844d71b11856531c8dda7f1e85721d216fcbf5a5da7b3778474e4b";

fn at(seconds: i64) -> At {
    At(seconds * 1_000_000)
}

fn verify(
    kind: Kind,
    secret: &[u8],
    header: Option<&[u8]>,
    body: &[u8],
    now: At,
) -> Result<(), SignatureError> {
    let mut verifier = Verifier::begin(kind, &[secret], header, now)?;
    verifier.update(body);
    verifier.finish().map(|place| assert_eq!(place, 0))
}

#[test]
fn either_of_two_secrets_proves_a_body() {
    let (new, old, now): (&[u8], &[u8], At) = (b"the new secret", b"the old secret", at(1_700_000_000));
    for (secret, place) in [(new, Ok(0)), (old, Ok(1)), (b"another".as_slice(), Err(SignatureError::Wrong))] {
        let (_, header) = sign(Kind::ThreeCx, secret, BODY, now);
        let mut verifier = Verifier::begin(Kind::ThreeCx, &[new, old], Some(header.as_bytes()), now).unwrap();
        verifier.update(BODY);
        assert_eq!(verifier.finish(), place);
    }
    let (_, header) = sign(Kind::ThreeCx, old, BODY, now);
    let begun = Verifier::begin(Kind::ThreeCx, &[new, b""], Some(header.as_bytes()), now);
    assert_eq!(begun.err(), Some(SignatureError::Wrong), "an empty secret proves nothing");
}

fn check(kind: Kind, header: &str, now: i64) -> Result<(), SignatureError> {
    verify(kind, SECRET, Some(header.as_bytes()), BODY, at(now))
}

#[test]
fn known_vectors_are_signed_and_verified() {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let megabyte = vec![b'a'; 1_000_000];
    for (secret, body, tag) in [
        (SECRET, BODY, TAG),
        (b"eleven-secret", b"", "2141c5afc302028bda96443033d8e9d8f95ae008af0e6d43542abdfb1f8266a4"),
        (
            "schl\u{fc}ssel".as_bytes(),
            &all_bytes,
            "c347a8497cf574696c48b7aef23ac0c3645951a61d9d4a29117e33f478911d6b",
        ),
        (&[b'k'; 200], &megabyte, "1f7c1578307cd91712c38649c20c7ca2647aea6e5b2f37a29f98c043e970a397"),
    ] {
        for kind in [Kind::ThreeCx, Kind::ElevenLabs] {
            let (name, value) = sign(kind, secret, body, at(T));
            assert_eq!(name, kind.header_name());
            assert_eq!(value, format!("t={T},v0={tag}"));
            assert_eq!(verify(kind, secret, Some(value.as_bytes()), body, at(T)), Ok(()));
        }
    }
}

#[test]
fn each_sender_has_a_time_window_with_inclusive_limits() {
    let header = format!("t={T},v0={TAG}");
    for (kind, past) in [(Kind::ThreeCx, 300), (Kind::ElevenLabs, 1_800)] {
        assert_eq!(check(kind, &header, T + past), Ok(()));
        assert_eq!(check(kind, &header, T + past + 1), Err(SignatureError::TooOld { seconds: past + 1 }));
        assert_eq!(check(kind, &header, T - 60), Ok(()));
        assert_eq!(check(kind, &header, T - 61), Err(SignatureError::TooNew { seconds: 61 }));
        let last = At((T + past) * 1_000_000 + 999_999);
        assert!(verify(kind, SECRET, Some(header.as_bytes()), BODY, last).is_ok());
    }
}

#[test]
fn order_and_unknown_keys_do_not_matter() {
    for header in
        [format!("v0={TAG},t={T}"), format!("t={T},v0={TAG},v9=whatever"), format!("a=,t={T},b=c=d,v0={TAG}")]
    {
        for kind in [Kind::ThreeCx, Kind::ElevenLabs] {
            assert_eq!(check(kind, &header, T), Ok(()), "{header}");
        }
    }
}

#[test]
fn one_right_tag_among_several_is_enough() {
    let other = "0".repeat(64);
    assert_eq!(check(Kind::ElevenLabs, &format!("t={T},v0={other},v0={TAG}"), T), Ok(()));
    assert_eq!(check(Kind::ElevenLabs, &format!("t={T},v0={TAG},v0={other}"), T), Ok(()));
    assert_eq!(
        check(Kind::ElevenLabs, &format!("t={T},v0={other},v0={other}"), T),
        Err(SignatureError::Wrong)
    );
    let many = format!("t={T}{}", format!(",v0={TAG}").repeat(9));
    assert_eq!(check(Kind::ElevenLabs, &many, T), Err(SignatureError::Malformed));
}

#[test]
fn v1_is_a_tag_of_3cx_only() {
    let header = format!("t={T},v1={TAG}");
    assert_eq!(check(Kind::ThreeCx, &header, T), Ok(()));
    assert_eq!(check(Kind::ElevenLabs, &header, T), Err(SignatureError::Malformed));
    // ElevenLabs ignores v1, even a wrong one.
    assert_eq!(check(Kind::ElevenLabs, &format!("t={T},v1=zz,v0={TAG}"), T), Ok(()));
}

#[test]
fn a_header_that_no_sender_writes_is_malformed() {
    let upper = TAG.to_uppercase();
    for header in [
        String::new(),
        "t".to_owned(),
        format!("t={T}"),
        format!("v0={TAG}"),
        format!("t={T},v0="),
        format!("t={T},v0={upper}"),
        format!("t={T},v0={}", &TAG[1..]),
        format!("t={T},v0={TAG}0"),
        format!("t={T},v0={TAG}00"),
        format!("t={T},v0=g{}", &TAG[1..]),
        format!("t={T},v0={TAG},v0=short"),
        format!("t={T}, v0={TAG}"),
        format!(" t={T},v0={TAG}"),
        format!("t={T},v0={TAG} "),
        format!("t={T};v0={TAG}"),
        format!("t={T},,v0={TAG}"),
        format!("t={T},t={T},v0={TAG}"),
        format!("t=,v0={TAG}"),
        format!("t=-{T},v0={TAG}"),
        format!("t=+{T},v0={TAG}"),
        format!("t={T}.5,v0={TAG}"),
        format!("t=1234567890123,v0={TAG}"),
        format!("t=now,v0={TAG}"),
        format!("T={T},V0={TAG}"),
        format!("t={T},v0={TAG},x={}", "x".repeat(1_024)),
    ] {
        for kind in [Kind::ThreeCx, Kind::ElevenLabs] {
            assert_eq!(check(kind, &header, T), Err(SignatureError::Malformed), "{header}");
        }
    }
    let not_text = [b"t=1,v0=".as_slice(), &[0xff; 64]].concat();
    let result = verify(Kind::ThreeCx, SECRET, Some(&not_text), BODY, at(T));
    assert_eq!(result, Err(SignatureError::Malformed));
}

#[test]
fn without_a_header_the_signature_is_missing() {
    assert_eq!(verify(Kind::ThreeCx, SECRET, None, BODY, at(T)), Err(SignatureError::Missing));
}

#[test]
fn the_signature_covers_the_text_of_the_time() {
    // The same second with other digits is another text, so the tag does not match.
    assert_eq!(check(Kind::ThreeCx, &format!("t=0{T},v0={TAG}"), T), Err(SignatureError::Wrong));
    assert_eq!(check(Kind::ThreeCx, &format!("t={},v0={TAG}", T + 1), T), Err(SignatureError::Wrong));
}

#[test]
fn an_empty_secret_verifies_nothing() {
    let header = format!("t={T},v0={TAG}");
    let result = verify(Kind::ThreeCx, b"", Some(header.as_bytes()), BODY, at(T));
    assert_eq!(result, Err(SignatureError::Wrong));
    let (_, value) = sign(Kind::ThreeCx, b"", BODY, at(T));
    assert!(verify(Kind::ThreeCx, b"", Some(value.as_bytes()), BODY, at(T)).is_err());
}

proptest! {
    #[test]
    fn a_signed_body_is_verified_in_pieces_of_any_size(
        secret in proptest::collection::vec(any::<u8>(), 1..100),
        body in proptest::collection::vec(any::<u8>(), 0..2_000),
        piece in 1_usize..300,
    ) {
        let (_, header) = sign(Kind::ElevenLabs, &secret, &body, at(T));
        let mut verifier = Verifier::begin(Kind::ElevenLabs, &[&secret], Some(header.as_bytes()), at(T + 5)).unwrap();
        for piece in body.chunks(piece) {
            verifier.update(piece);
        }
        assert_eq!(verifier.finish(), Ok(0));
    }

    #[test]
    fn one_flipped_bit_is_detected(
        body in proptest::collection::vec(any::<u8>(), 1..500),
        place in any::<proptest::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (_, header) = sign(Kind::ThreeCx, SECRET, &body, at(T));
        let mut other = body.clone();
        other[place.index(body.len())] ^= 1 << bit;
        let result = verify(Kind::ThreeCx, SECRET, Some(header.as_bytes()), &other, at(T));
        assert_eq!(result, Err(SignatureError::Wrong));
        let mut digits = header.into_bytes();
        let first = digits.len() - 64;
        let digit = &mut digits[first + place.index(64)];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        let result = verify(Kind::ThreeCx, SECRET, Some(&digits), &body, at(T));
        assert_eq!(result, Err(SignatureError::Wrong));
    }

    #[test]
    fn no_header_and_no_clock_causes_a_panic(
        header in proptest::collection::vec(any::<u8>(), 0..200),
        now in any::<i64>(),
    ) {
        for kind in [Kind::ThreeCx, Kind::ElevenLabs] {
            assert!(verify(kind, SECRET, Some(&header), BODY, At(now)).is_err());
            let _any = check_text(kind, &format!("t={},v0={TAG}", now.unsigned_abs() % 1_000_000_000_000), now);
        }
    }
}

fn check_text(kind: Kind, header: &str, now: i64) -> Result<(), SignatureError> {
    verify(kind, SECRET, Some(header.as_bytes()), BODY, At(now))
}

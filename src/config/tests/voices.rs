//! Samples, and who may hear a voice.

use precall_call::VoicePolicy;

use super::{with, wrong};

#[test]
fn a_bucket_is_configured_whole_or_not_at_all() {
    let names = |pairs: &[(&str, &str)]| wrong(with(pairs));
    assert_eq!(
        names(&[("VOICE_SAMPLE_STORAGE", "s3")]),
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "S3_BUCKET_NAME", "S3_REGION"]
    );
    assert_eq!(
        names(&[("S3_BUCKET_NAME", "voices"), ("S3_ENDPOINT", "https://minio.example.com")]),
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    );
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    assert!(with(&keys).unwrap().clone.s3.is_none(), "the keys may be there for another program");
    for bucket in ["s3://voices", "Voices", "a/b", "..."] {
        assert_eq!(
            names(&[("S3_BUCKET_NAME", bucket), ("S3_REGION", "eu-west-1"), keys[0], keys[1]]),
            ["S3_BUCKET_NAME"]
        );
    }
    let whole = [("S3_BUCKET_NAME", "voices"), ("S3_ENDPOINT", "http://127.0.0.1:9000"), keys[0], keys[1]];
    let config = with(&whole).unwrap();
    assert_eq!(config.clone.s3.as_ref().unwrap().region, "us-east-1");
    assert!(!format!("{:?}", config.clone).contains("secret\""), "{:?}", config.clone);
}

#[test]
fn who_may_hear_a_voice_is_one_of_three() {
    let plain = with(&[]).unwrap().clone;
    assert_eq!(
        (plain.policy, plain.trusted_trunks, plain.pin_wait.as_secs()),
        (VoicePolicy::Number, vec![], 10)
    );
    for &policy in VoicePolicy::ALL {
        assert_eq!(with(&[("VOICE_POLICY", policy.name())]).unwrap().clone.policy, policy);
    }
    let proof = with(&[("VOICE_POLICY", "proof"), ("CALL_ROUTE", "callback")]).unwrap();
    assert!(proof.notices().iter().any(|notice| notice.contains("cannot prove anything")));
    let trusting = with(&[("TRUSTED_TRUNKS", "10007, 10008"), ("PIN_WAIT_SECONDS", "20")]).unwrap().clone;
    assert_eq!(
        (trusting.trusted_trunks.as_slice(), trusting.pin_wait.as_secs()),
        (&["10007".to_owned(), "10008".to_owned()][..], 20)
    );
    for (name, value) in
        [("VOICE_POLICY", "anybody"), ("PIN_WAIT_SECONDS", "0"), ("TRUSTED_TRUNKS", "10007,,10008 10009")]
    {
        assert_eq!(wrong(with(&[(name, value)])), [name], "{value}");
    }
}

//! Consents, so that samples may be cloned.

use std::path::Path;

use precall_base::clock;
use precall_store::people::consents::{self, Evidence, NewConsent, Personal};
use precall_store::people::speakers;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use uuid::Uuid;

/// Adds a speaker who agrees that this sample is cloned, and maps these callers, who must be there, to the speaker.
pub async fn consent_of(client: &mut Client, sample: &Path, numbers: &[String]) -> Uuid {
    let transaction = client.transaction().await.unwrap();
    let speaker = speakers::add(&transaction, "default", "Test", clock::now()).await.unwrap();
    let given = NewConsent {
        account: "default".to_owned(),
        speaker,
        evidence: Evidence::Recorded,
        sample_sha256: hex::encode(Sha256::digest(std::fs::read(sample).unwrap())),
        document_sha256: None,
        text_version: "1".to_owned(),
        given_at: clock::now(),
        expires_at: None,
        by: "test".to_owned(),
        personal: Personal { name: "Test".to_owned(), reference: None, text: "I agree.".to_owned() },
    };
    consents::give(&transaction, &given, clock::now()).await.unwrap();
    let map = "update caller_voice_mapping set speaker = $1 where caller_id = any($2) and deleted_at is null";
    transaction.execute(map, &[&speaker, &numbers]).await.unwrap();
    transaction.commit().await.unwrap();
    speaker
}

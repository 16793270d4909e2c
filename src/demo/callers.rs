//! The callers: fictional numbers, most of them with a generated sample and a consent.

use std::f64::consts::TAU;
use std::path::Path;

use deadpool_postgres::{Pool, Transaction};
use precall_base::clock;
use precall_store::StoreError;
use precall_store::people::consents::{Evidence, NewConsent, Personal};
use precall_store::people::{consents, speakers};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::DemoError;

/// Callers of a demo that runs until Ctrl-C.
const ENDLESS: u32 = 200;
/// One of this many callers has no voice, so that the fallback voice is heard too.
const WITHOUT_VOICE: u32 = 10;
const SAMPLE_RATE: u32 = 16_000;
const SAMPLE_SECONDS: u32 = 4;

const MAP: &str = "
    insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name, description)
    values ($1, $2, $3, 'a generated sample')
    on conflict do nothing";

const SPEAKER: &str = "
    update caller_voice_mapping set speaker = $2 where caller_id = $1 and speaker is null and deleted_at is null";

/// The callers of the demo.
#[derive(Clone, Debug)]
pub struct Callers {
    numbers: Vec<String>,
}

impl Callers {
    /// Makes enough callers that some of them call twice, with their samples and rows.
    ///
    /// # Errors
    /// When a sample or a row cannot be written.
    pub async fn new(calls: Option<u32>, samples: &Path, pool: &Pool) -> Result<Self, DemoError> {
        let count = calls.map_or(ENDLESS, |calls| calls.saturating_mul(3).div_ceil(4)).max(1);
        let numbers: Vec<String> = (0..count).map(number).collect();
        let failed = |error: &dyn std::fmt::Display| DemoError::Database(error.to_string());
        let mut client = pool.get().await.map_err(|error| failed(&error))?;
        for (i, number) in (0_u32..).zip(&numbers) {
            if i % WITHOUT_VOICE == WITHOUT_VOICE - 1 {
                continue;
            }
            let file = format!("caller-{i}.wav");
            write_sample(&samples.join(&file), i)?;
            let name = format!("Caller {i}");
            let mapped =
                client.execute(MAP, &[number, &file, &name]).await.map_err(|error| failed(&error))?;
            // A caller of an earlier demo has given consent already.
            if mapped > 0 {
                let transaction = client.transaction().await.map_err(|error| failed(&error))?;
                let speaker = agree(&transaction, name, &samples.join(&file)).await?;
                transaction.execute(SPEAKER, &[number, &speaker]).await.map_err(|error| failed(&error))?;
                transaction.commit().await.map_err(|error| failed(&error))?;
            }
        }
        Ok(Self { numbers })
    }

    /// The caller of the call with this number.
    #[must_use]
    pub fn of_call(&self, ordinal: u32) -> Option<&str> {
        let count = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX).max(1);
        self.numbers.get(usize::try_from(ordinal % count).ok()?).map(String::as_str)
    }
}

/// A speaker whose sample contains the consent.
async fn agree(transaction: &Transaction<'_>, name: String, sample: &Path) -> Result<Uuid, DemoError> {
    let (account, now) = ("default".to_owned(), clock::now());
    let failed = |error: StoreError| DemoError::Database(error.to_string());
    let speaker = speakers::add(&**transaction, &account, &name, now).await.map_err(failed)?;
    let given = NewConsent {
        account,
        speaker,
        evidence: Evidence::Recorded,
        sample_sha256: hex::encode(Sha256::digest(std::fs::read(sample)?)),
        document_sha256: None,
        text_version: "demo".to_owned(),
        given_at: now,
        expires_at: None,
        by: "demo".to_owned(),
        personal: Personal { name, reference: None, text: "My voice may be cloned.".to_owned() },
    };
    consents::give(transaction, &given, now).await.map_err(failed)?;
    Ok(speaker)
}

/// 555-01xx is reserved for fiction; different area codes give enough numbers.
fn number(i: u32) -> String {
    const AREAS: [&str; 12] =
        ["201", "202", "212", "213", "301", "303", "305", "312", "404", "415", "503", "617"];
    let area = AREAS.get(usize::try_from(i / 100).unwrap_or(0) % AREAS.len()).copied().unwrap_or("202");
    let round = i / 100 / 12;
    format!("+1{area}55{}01{:02}", 5 - (round % 4), i % 100)
}

/// A sweep; every caller has a different file.
fn write_sample(path: &Path, i: u32) -> Result<(), DemoError> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let failed = |error: hound::Error| DemoError::Io(std::io::Error::other(error));
    let mut writer = hound::WavWriter::create(path, spec).map_err(failed)?;
    let base = 110.0 + f64::from(i % 200);
    for n in 0..SAMPLE_RATE * SAMPLE_SECONDS {
        let t = f64::from(n) / f64::from(SAMPLE_RATE);
        let loudness = 0.35 + 0.15 * (t * TAU * 3.0).sin();
        let voice = (t * TAU * base).sin() + 0.5 * (t * TAU * base * 2.0).sin();
        #[allow(clippy::cast_possible_truncation)] // Within ±20,000 by construction.
        let sample = (voice * loudness * 20_000.0) as i16;
        writer.write_sample(sample).map_err(failed)?;
    }
    writer.finalize().map_err(failed)
}

//! The options of a simulated store and the flags of `precall simulate s3`.

use super::Versioning;
use crate::shared::options::Secret;

/// The options of a store with one bucket and one access key.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The name of the bucket.
    pub bucket: String,
    /// The region that signatures must name.
    pub region: String,
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret.
    pub secret: String,
    /// Whether replaced and deleted objects stay as versions.
    pub versioning: Versioning,
    /// Versions on a page of a list.
    pub page: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            bucket: "voices".to_owned(),
            region: "eu-central-1".to_owned(),
            key_id: "simulated-key".to_owned(),
            secret: "simulated-secret".to_owned(),
            versioning: Versioning::Kept,
            page: 1_000,
        }
    }
}

/// Flags of `precall simulate s3`. No flag reads the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Name of the bucket
    #[arg(long, value_name = "NAME", default_value = "voices")]
    bucket: String,
    /// Region that signatures must name
    #[arg(long, value_name = "REGION", default_value = "eu-central-1")]
    region: String,
    /// Id of the access key
    #[arg(long, value_name = "ID", default_value = "simulated-key")]
    access_key_id: String,
    /// Secret of the access key
    #[arg(long, value_name = "SECRET", default_value = "simulated-secret")]
    secret_access_key: Secret,
    /// Whether replaced and deleted objects stay as versions
    #[arg(long, value_enum, default_value_t = Versioning::Kept)]
    versioning: Versioning,
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        Self {
            port: args.port,
            bucket: args.bucket,
            region: args.region,
            key_id: args.access_key_id,
            secret: args.secret_access_key.expose().to_owned(),
            versioning: args.versioning,
            ..Self::default()
        }
    }
}

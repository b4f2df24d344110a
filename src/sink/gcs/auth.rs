//! Credentials, as Google's own library finds and refreshes them.

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use http::{Extensions, HeaderMap};
use parking_lot::Mutex;

use super::super::{Fault, FaultKind};
use crate::http::{deepest, use_ring};

/// Reading and writing objects; no more is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// Where the library asks on machines of Google's own, when nothing else says who we are.
const METADATA: &str = "metadata.google.internal";

/// A metadata server is on the same machine or beside it. The library would look for one that is not there
/// for more than 20 s.
const METADATA_TIMEOUT: Duration = Duration::from_millis(1500);

/// Who we are to the service.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nobody: an emulator.
    #[default]
    Anonymous,
    /// Google credentials.
    Google(Arc<Renewable>),
}

/// Credentials that can be built anew, which drops the token that the library keeps.
pub struct Renewable {
    build: Box<dyn Fn() -> Result<Credentials, Fault> + Send + Sync>,
    /// The credentials in use, and how often they were built.
    current: Mutex<(Credentials, u64)>,
    /// The metadata server that credentials come from, until it was reached once.
    metadata: Option<String>,
    reached: AtomicBool,
}

/// The headers of a request, and which credentials made them.
pub(super) struct Signed {
    pub(super) headers: HeaderMap,
    pub(super) built: u64,
}

impl Auth {
    /// Application Default Credentials: the file that `GOOGLE_APPLICATION_CREDENTIALS` names,
    /// gcloud's own, or the metadata server of the machine
    /// (<https://cloud.google.com/docs/authentication/application-default-credentials>).
    /// No token is asked for yet. Needs a running Tokio runtime: the credentials refresh
    /// themselves.
    ///
    /// # Errors
    /// When what was found cannot be used.
    pub fn application_default() -> Result<Self, Fault> {
        use_ring();
        let build = || {
            let credentials = Builder::default().with_scopes([SCOPE]).build();
            credentials.map_err(|e| no_credentials(false, &e))
        };
        let metadata = if has_credentials_file() { None } else { Some(metadata_address()) };
        Self::built_with(build, metadata)
    }

    /// Credentials from a function that is called again when they stop working.
    ///
    /// # Errors
    /// Those of the function.
    pub fn built_by(
        build: impl Fn() -> Result<Credentials, Fault> + Send + Sync + 'static,
    ) -> Result<Self, Fault> {
        Self::built_with(build, None)
    }

    fn built_with(
        build: impl Fn() -> Result<Credentials, Fault> + Send + Sync + 'static,
        metadata: Option<String>,
    ) -> Result<Self, Fault> {
        let current = Mutex::new((build()?, 0));
        let (build, reached) = (Box::new(build), AtomicBool::new(metadata.is_none()));
        Ok(Self::Google(Arc::new(Renewable { build, current, metadata, reached })))
    }

    /// The headers that a request needs now; the library keeps the token and renews it in time.
    pub(super) async fn sign(&self) -> Result<Signed, Fault> {
        let Self::Google(renewable) = self else {
            return Ok(Signed { headers: HeaderMap::new(), built: 0 });
        };
        renewable.reach_metadata().await?;
        let (credentials, built) = renewable.get();
        // However long that takes: whoever asks has a time limit, and what was begun goes on, so that a
        // program which asks a person or a slow service is heard in the end.
        let fault = match credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => return Ok(Signed { headers: data, built }),
            // Only given to callers that say which headers they hold.
            Ok(CacheableResource::NotModified) => {
                no_token(true, "the credentials library returned no token")
            }
            Err(e) => no_credentials(e.is_transient(), &e),
        };
        // The next attempt begins with credentials that know nothing of this.
        renewable.renew(built)?;
        Err(fault)
    }

    /// The service did not accept the headers of the credentials built `built` times: the next
    /// ones are of new credentials.
    pub(super) fn rejected(&self, built: u64) -> Result<(), Fault> {
        match self {
            Self::Anonymous => Ok(()),
            Self::Google(renewable) => renewable.renew(built),
        }
    }
}

impl Renewable {
    fn get(&self) -> (Credentials, u64) {
        self.current.lock().clone()
    }

    /// Credentials of the machine need its metadata server, which elsewhere is not there.
    async fn reach_metadata(&self) -> Result<(), Fault> {
        if let Some(address) = self.metadata.as_ref()
            && !self.reached.load(Ordering::Relaxed)
        {
            let connecting = tokio::net::TcpStream::connect(address);
            match tokio::time::timeout(METADATA_TIMEOUT, connecting).await {
                Ok(Ok(_)) => self.reached.store(true, Ordering::Relaxed),
                _ => return Err(no_account()),
            }
        }
        Ok(())
    }

    /// Builds new credentials in place of those built `built` times; once, however many requests
    /// find at the same time that they are no good.
    fn renew(&self, built: u64) -> Result<(), Fault> {
        let mut current = self.current.lock();
        if current.1 == built {
            tracing::debug!("building the credentials anew");
            *current = ((self.build)()?, built + 1);
        }
        Ok(())
    }
}

/// Whether a file says who we are: the one that is named, or gcloud's own.
fn has_credentials_file() -> bool {
    let home = |variable, file: &str| {
        env::var_os(variable).is_some_and(|home| Path::new(&home).join(file).exists())
    };
    env::var_os("GOOGLE_APPLICATION_CREDENTIALS").is_some()
        || if cfg!(windows) {
            home("APPDATA", "gcloud/application_default_credentials.json")
        } else {
            home("HOME", ".config/gcloud/application_default_credentials.json")
        }
}

/// Host and port of the metadata server.
fn metadata_address() -> String {
    let host = env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| METADATA.to_owned());
    if host.contains(':') { host } else { host + ":80" }
}

fn no_account() -> Fault {
    Fault::new(
        FaultKind::Credentials { transient: false },
        "no Google credentials; sign in with: gcloud auth application-default login, or try without an \
         account: --endpoint embedded",
    )
}

fn no_credentials(transient: bool, error: &(dyn std::error::Error + 'static)) -> Fault {
    let cause = deepest(error).to_string();
    no_token(transient, cause.lines().next().unwrap_or_default())
}

fn no_token(transient: bool, why: &str) -> Fault {
    Fault::new(
        FaultKind::Credentials { transient },
        format!(
            "no usable Google credentials ({why}); sign in with: gcloud auth application-default \
             login, or name a key file in GOOGLE_APPLICATION_CREDENTIALS"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use google_cloud_auth::credentials::{CredentialsProvider, EntityTag};
    use http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn without_a_metadata_server_there_are_no_credentials() {
        let build = || Ok(google_cloud_auth::credentials::anonymous::Builder::default().build());
        // A port that nobody listens to, and one that somebody does.
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let auth = Auth::built_with(build, Some(address.clone())).unwrap();
        auth.sign().await.unwrap();
        drop(taken);
        auth.sign().await.unwrap();
        let fault = Auth::built_with(build, Some(address)).unwrap().sign().await.err().unwrap();
        assert_eq!(fault.kind, FaultKind::Credentials { transient: false });
        assert!(fault.to_string().contains("--endpoint embedded"), "{fault}");
    }

    /// A person or a program that takes its time to say who we are.
    #[derive(Debug)]
    struct Slow(Duration);

    impl CredentialsProvider for Slow {
        async fn headers(
            &self,
            _: Extensions,
        ) -> Result<CacheableResource<HeaderMap>, google_cloud_auth::errors::CredentialsError>
        {
            tokio::time::sleep(self.0).await;
            let mut data = HeaderMap::new();
            data.insert("authorization", HeaderValue::from_static("Bearer token"));
            Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
        }

        async fn universe_domain(&self) -> Option<String> {
            None
        }
    }

    /// AIP-4117 gives a program that is asked for credentials 30 seconds.
    #[tokio::test(start_paused = true)]
    async fn slow_credentials_are_waited_for() {
        let built = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&built);
        let auth = Auth::built_by(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Slow(Duration::from_secs(29)).into())
        });
        let signed = auth.unwrap().sign().await.unwrap();
        assert_eq!(signed.headers["authorization"], "Bearer token");
        assert_eq!(built.load(Ordering::Relaxed), 1, "asked once");
    }
}

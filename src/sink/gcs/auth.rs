//! Credentials, as Google's own library finds and refreshes them.

use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use http::{Extensions, HeaderMap};

use super::super::{Fault, FaultKind};

/// Reading and writing objects; no more is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// Who we are to the service.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Nobody: an emulator.
    Anonymous,
    /// Application Default Credentials: the file that `GOOGLE_APPLICATION_CREDENTIALS` names,
    /// gcloud's own, or the metadata server of the machine
    /// (<https://cloud.google.com/docs/authentication/application-default-credentials>).
    Google(Credentials),
}

impl Auth {
    /// Finds Application Default Credentials. No token is asked for yet. Needs a running Tokio
    /// runtime: the credentials refresh themselves.
    ///
    /// # Errors
    /// When what was found cannot be used.
    pub fn application_default() -> Result<Self, Fault> {
        crate::http::use_ring();
        let credentials = Builder::default().with_scopes([SCOPE]).build();
        credentials.map(Self::Google).map_err(|e| no_credentials(false, &e))
    }

    /// The headers that a request needs now; the library caches the token and renews it in time.
    pub(super) async fn headers(&self) -> Result<HeaderMap, Fault> {
        let Self::Google(credentials) = self else { return Ok(HeaderMap::new()) };
        match credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            // Only given to callers that say which headers they hold.
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(e) => Err(no_credentials(e.is_transient(), &e)),
        }
    }
}

fn no_credentials(transient: bool, error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::new(
        FaultKind::Credentials { transient },
        format!(
            "no usable Google credentials ({}); sign in with: gcloud auth application-default \
             login, or name a key file in GOOGLE_APPLICATION_CREDENTIALS",
            crate::http::deepest(error).to_string().lines().next().unwrap_or_default()
        ),
    )
}

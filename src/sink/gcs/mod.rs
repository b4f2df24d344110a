//! Google Cloud Storage through its JSON API
//! (<https://cloud.google.com/storage/docs/json_api/v1>).

mod about;
mod answer;
mod auth;
mod connection;
mod request;
mod uploads;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use reqwest::RequestBuilder;

use self::answer::{ListAnswer, ObjectAnswer, PermissionsAnswer};
use self::auth::Signed;
pub use self::auth::{Auth, Renewable};
use self::request::Requests;
use self::uploads::Uploads;
use super::{
    About, Body, BoxFuture, Fault, FaultKind, MOST_METADATA, NameRange, NewObject, Page,
    Precondition, Purpose, Sink, Stored,
};

/// Where Google's own API is.
pub const GOOGLE: &str = "https://storage.googleapis.com";

/// What a load must be allowed to do; the role "Storage Object User" includes all of it.
const PERMISSIONS: [&str; 3] =
    ["storage.objects.list", "storage.objects.get", "storage.objects.create"];

/// Asking for permissions is a courtesy, and waited for no longer than this.
const COURTESY: Duration = Duration::from_secs(5);

/// A bucket, or a prefix in it.
pub struct Gcs {
    client: reqwest::Client,
    uploads: Uploads,
    auth: Auth,
    requests: Requests,
    url: String,
}

/// A client for requests to an endpoint.
fn client(endpoint: &str, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Fault> {
    let mut builder =
        builder.redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(usize::MAX);
    if crate::http::is_loopback(endpoint) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| {
        Fault::new(FaultKind::Connect, format!("the HTTP client cannot be set up: {e}"))
    })
}

impl Gcs {
    /// A prefix (may be empty) of a bucket at an endpoint such as [`GOOGLE`].
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(endpoint: &str, bucket: &str, prefix: &str, auth: Auth) -> Result<Self, Fault> {
        let mut url = format!("gs://{bucket}");
        if !prefix.is_empty() {
            url.push('/');
            url.push_str(prefix);
        }
        let client = client(endpoint, crate::http::client())?;
        let requests = Requests::new(endpoint, bucket, prefix);
        let uploads = Uploads::new(&requests)?;
        Ok(Self { client, uploads, auth, requests, url })
    }

    /// Sends one request with fresh credentials, and returns what a success says.
    async fn send(&self, request: RequestBuilder) -> Result<Bytes, Fault> {
        let Signed { headers, built } = self.auth.sign().await?;
        let answer = request.headers(headers).send().await;
        let answer = answer.map_err(|e| answer::transport_fault(&e))?;
        self.read(Response::<reqwest::Body>::from(answer), built).await
    }

    /// Reads an answer to a request with the credentials built `built` times; one that is no success
    /// becomes a fault.
    async fn read<B>(&self, answer: Response<B>, built: u64) -> Result<Bytes, Fault>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Error + 'static,
    {
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.auth.rejected(built)?;
        }
        if answer.status().is_success() {
            answer::body(answer.into_body()).await
        } else {
            Err(answer::refusal(answer).await)
        }
    }

    async fn get(&self, url: &str) -> Result<Bytes, Fault> {
        self.send(self.client.get(url)).await
    }

    /// Sends an object, and returns what a success says.
    async fn insert(&self, object: &NewObject, condition: Precondition) -> Result<Bytes, Fault> {
        let post = || {
            let request = self.client.post(self.requests.insert_url(condition));
            request.header(header::CONTENT_TYPE, self.requests.content_type())
        };
        let content = match &object.body {
            Body::Bytes(content) => content,
            Body::File(path, size) => {
                let (length, body) = self.requests.file_body(object, path, *size);
                let request = post().header(header::CONTENT_LENGTH, length);
                return self.send(request.body(body)).await;
            }
        };
        let body = self.requests.body(object, content);
        match &self.uploads {
            Uploads::Client => self.send(post().body(body)).await,
            Uploads::Direct(direct) => {
                let path = direct.path(&self.requests, condition).ok_or_else(|| {
                    Fault::new(FaultKind::Internal, "the address of an upload is none")
                })?;
                let Signed { headers, built } = self.auth.sign().await?;
                let request = direct.connections.post(path, body, headers);
                self.read(direct.connections.send(request).await?, built).await
            }
        }
    }

    async fn put_now(&self, object: &NewObject, condition: Precondition) -> Result<Stored, Fault> {
        if object.metadata_size() > MOST_METADATA {
            let refused =
                format!("{}: custom metadata of more than {MOST_METADATA} bytes", object.name);
            return Err(Fault::new(FaultKind::Status(400), refused));
        }
        let answer = self.insert(object, condition).await?;
        let stored: ObjectAnswer<'_> = answer::parse(&answer)?;
        let stored = stored.into_stored(self.requests.prefix())?;
        if stored.name == object.name && stored.holds(object) {
            return Ok(stored);
        }
        Err(Fault::new(
            FaultKind::Mismatch,
            format!(
                "the answer to {} is about another object: {}",
                object.name,
                stored.unlike(object)
            ),
        ))
    }

    async fn stat_now(&self, name: &str) -> Result<Option<Stored>, Fault> {
        match self.get(&self.requests.stat_url(name)).await {
            Ok(answer) => {
                let stored: ObjectAnswer<'_> = answer::parse(&answer)?;
                let stored = stored.into_stored(self.requests.prefix())?;
                if stored.name == name {
                    return Ok(Some(stored));
                }
                let other = format!("the answer to {name} is about {}", stored.name);
                Err(Fault::new(FaultKind::Mismatch, other))
            }
            Err(fault) if fault.kind == FaultKind::Status(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn delete_now(&self, name: &str) -> Result<(), Fault> {
        match self.send(self.client.delete(self.requests.object_url(name))).await {
            Err(fault) if fault.kind != FaultKind::Status(404) => Err(fault),
            _ => Ok(()),
        }
    }

    async fn list_now(
        &self,
        range: &NameRange,
        page: Option<&str>,
        most: u32,
    ) -> Result<Page, Fault> {
        let answer = self.get(&self.requests.list_url(range, page, most)).await?;
        let answer: ListAnswer<'_> = answer::parse(&answer)?;
        let objects = answer
            .items
            .into_iter()
            .map(|item| item.into_stored(self.requests.prefix()))
            .collect::<Result<_, _>>()?;
        Ok(Page { objects, next: answer.next_page_token })
    }

    /// Listing tells whether the bucket is there and may be read. Whether it may be written is
    /// asked of `testIamPermissions`, which needs no permission itself; emulators do not know it,
    /// so only a clear "no" counts.
    async fn check_now(&self, purpose: Purpose) -> Result<(), Fault> {
        self.list_now(&NameRange::default(), None, 1).await.map_err(|fault| self.explain(fault))?;
        let needed = match purpose {
            Purpose::Read => &PERMISSIONS[..2],
            Purpose::Write => &PERMISSIONS[..],
        };
        let url = self.requests.permissions_url(needed);
        let granted = tokio::time::timeout(COURTESY, self.get(&url)).await;
        let Ok(Ok(granted)) = granted else { return Ok(()) };
        let Ok(granted) = answer::parse::<PermissionsAnswer>(&granted) else { return Ok(()) };
        let missing: Vec<_> =
            needed.iter().copied().filter(|p| !granted.permissions.contains(*p)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.explain(Fault::new(
            FaultKind::Status(StatusCode::FORBIDDEN.as_u16()),
            format!("lacking {}", missing.join(", ")),
        )))
    }

    /// Two questions that few may ask; the role "Storage Object User" does not include them.
    async fn about_now(&self) -> Result<About, Fault> {
        let bucket = unless_refused(self.get(&self.requests.about_url()).await)?;
        let mut about = bucket.map_or(Ok(About::default()), |answer| about::of_bucket(&answer))?;
        if let Some(policy) = unless_refused(self.get(&self.requests.policy_url()).await)? {
            about.vertex_agent_reads = about::vertex_agent_reads(&policy)?;
        }
        Ok(about)
    }

    /// Says what a refusal means for this bucket and what to do.
    fn explain(&self, mut fault: Fault) -> Fault {
        let bucket = self.requests.bucket();
        let said = &fault.message;
        fault.message = match fault.kind {
            FaultKind::Status(404) => format!(
                "there is no bucket gs://{bucket}; create it with: gcloud storage buckets create \
                 gs://{bucket}"
            ),
            FaultKind::Status(403) => format!(
                "no permission for gs://{bucket} ({said}); the role roles/storage.objectUser on \
                 the bucket is enough"
            ),
            FaultKind::Status(401) => format!(
                "the credentials were not accepted for gs://{bucket} ({said}); try: gcloud auth \
                 application-default login"
            ),
            FaultKind::Connect => format!("{} cannot be reached: {said}", self.requests.endpoint()),
            _ => return fault,
        };
        fault
    }
}

/// An answer, unless it is that one may not ask, or that the service does not know the question.
fn unless_refused(answer: Result<Bytes, Fault>) -> Result<Option<Bytes>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Fault { kind: FaultKind::Status(403 | 404 | 405 | 501), .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

impl Sink for Gcs {
    fn url(&self) -> &str {
        &self.url
    }

    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(self.check_now(purpose))
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        Box::pin(self.put_now(object, condition))
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(self.stat_now(name))
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.delete_now(name))
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(async move { self.list_now(range, page.as_deref(), 1000).await })
    }

    fn about(&self) -> BoxFuture<'_, Result<About, Fault>> {
        Box::pin(self.about_now())
    }
}

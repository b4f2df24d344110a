//! Google Cloud Storage through its JSON API
//! (<https://cloud.google.com/storage/docs/json_api/v1>).

mod about;
mod answer;
mod auth;
mod request;
mod resumable;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};

use self::answer::{ListAnswer, ObjectAnswer, PermissionsAnswer};
use self::auth::Signed;
pub use self::auth::{Auth, Renewable};
use self::request::{ApiRequest, Requests};
use self::resumable::{ONE_REQUEST, Sessions};
use super::transport::Transport;
use super::{
    About, Body, BoxFuture, Fault, FaultKind, MOST_METADATA, NameRange, NewObject, Page,
    Precondition, Purpose, Sink, Stored,
};

/// Where Google's own API is.
pub const GOOGLE: &str = "https://storage.googleapis.com";

/// What a load must be allowed to do, what it needs of that to write, and to replace what exists; the
/// role "Storage Object User" includes all of it.
const READING: [&str; 2] = ["storage.objects.list", "storage.objects.get"];
const WRITING: &str = "storage.objects.create";
const REPLACING: &str = "storage.objects.delete";

/// Who pays for a request.
const USER_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// Bytes of a page token that fit into an address; Google's are about as long as an object's name.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Asking for permissions is a courtesy, and waited for no longer than this.
const PERMISSIONS_TIMEOUT: Duration = Duration::from_secs(5);

/// A bucket, or a prefix in it.
pub struct Gcs {
    transport: Transport,
    auth: Auth,
    requests: Requests,
    sessions: Sessions,
    endpoint: String,
    bucket: String,
    url: String,
    /// The project that pays for the requests, where it is not the bucket's own.
    user_project: Option<HeaderValue>,
    /// Whether the service keeps objects as files under their names.
    keeps_files: bool,
}

impl Gcs {
    /// A prefix (may be empty) of a bucket at an endpoint such as [`GOOGLE`].
    ///
    /// # Errors
    /// An endpoint that is no address, or TLS that cannot be set up.
    pub fn new(endpoint: &str, bucket: &str, prefix: &str, auth: Auth) -> Result<Self, Fault> {
        let mut url = format!("gs://{bucket}");
        if !prefix.is_empty() {
            url.push('/');
            url.push_str(prefix);
        }
        Ok(Self {
            transport: Transport::new(endpoint)?,
            auth,
            requests: Requests::new(endpoint, bucket, prefix),
            sessions: Sessions::default(),
            endpoint: endpoint.to_owned(),
            bucket: bucket.to_owned(),
            url,
            user_project: None,
            keeps_files: false,
        })
    }

    /// The same, with requests that are paid for by a project, as a bucket with "requester pays" wants
    /// (<https://cloud.google.com/storage/docs/using-requester-pays>).
    ///
    /// # Errors
    /// A project that cannot be written in a header.
    pub fn billed_to(mut self, project: &str) -> Result<Self, Fault> {
        let header = HeaderValue::from_str(project).map_err(|_| {
            Fault::new(FaultKind::Status(400), format!("{project:?} is no project's name"))
        })?;
        self.user_project = Some(header);
        Ok(self)
    }

    /// The same, of an emulator that keeps objects as files under their names.
    #[must_use]
    pub fn keeping_files(mut self) -> Self {
        self.keeps_files = true;
        self
    }

    /// Sends a request with credentials, and returns the response, successful or not.
    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let Signed { headers, built } = self.auth.sign().await?;
        request.headers_mut().extend(headers);
        // In place of the project that the credentials may name.
        if let Some(project) = &self.user_project {
            request.headers_mut().insert(USER_PROJECT, project.clone());
        }
        let response = self.transport.send(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.auth.rejected(built)?;
        }
        Ok(response)
    }

    /// The same, and a response that is no success becomes a fault.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let response = self.exchange(request).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(answer::refusal(&response, SystemTime::now()))
        }
    }

    /// What a success says.
    async fn call(&self, request: ApiRequest) -> Result<Bytes, Fault> {
        Ok(self.send(request?).await?.into_body())
    }

    /// Sends an object, and returns what the service says of it.
    async fn insert(&self, object: &NewObject, condition: Precondition) -> Result<Bytes, Fault> {
        match &object.body {
            Body::Bytes(content) => {
                self.call(self.requests.insert(object, content, condition)).await
            }
            Body::File(file) if file.size() <= ONE_REQUEST => {
                let content = resumable::read(file, 0, file.size()).await?;
                self.call(self.requests.insert(object, &content, condition)).await
            }
            Body::File(file) => Box::pin(self.insert_chunks(object, file, condition)).await,
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
                "the response to {} is about another object: {}",
                object.name,
                stored.diff(object)
            ),
        ))
    }

    async fn stat_now(&self, name: &str) -> Result<Option<Stored>, Fault> {
        match self.call(self.requests.stat(name)).await {
            Ok(answer) => {
                let stored: ObjectAnswer<'_> = answer::parse(&answer)?;
                let stored = stored.into_stored(self.requests.prefix())?;
                if stored.name == name {
                    return Ok(Some(stored));
                }
                let other = format!("the response to {name} is about {}", stored.name);
                Err(Fault::new(FaultKind::Mismatch, other))
            }
            Err(fault) if fault.kind == FaultKind::Status(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn read_now(&self, name: &str) -> Result<Option<Bytes>, Fault> {
        match self.call(self.requests.read(name)).await {
            Ok(content) => Ok(Some(content)),
            Err(fault) if fault.kind == FaultKind::Status(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn annotate_now(&self, object: &NewObject, generation: u64) -> Result<(), Fault> {
        match self.call(self.requests.annotate(object, generation)).await {
            // It is gone, and with it the generation.
            Err(fault) if fault.kind == FaultKind::Status(404) => {
                Err(Fault::new(FaultKind::Precondition, fault.message))
            }
            answer => answer.map(drop),
        }
    }

    async fn delete_now(&self, name: &str) -> Result<(), Fault> {
        match self.call(self.requests.delete(name)).await {
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
        let answer = self.call(self.requests.list(range, page, most)).await?;
        let answer: ListAnswer<'_> = answer::parse(&answer)?;
        let objects = answer
            .items
            .into_iter()
            .map(|item| item.into_stored(self.requests.prefix()))
            .collect::<Result<_, _>>()?;
        let next = answer.next_page_token;
        if next.as_ref().is_some_and(|token| token.len() > LONGEST_TOKEN) {
            let problem = "the listing's page token is too long to be sent back";
            return Err(Fault::new(FaultKind::Unparsable, problem));
        }
        Ok(Page { objects, next })
    }

    /// Listing tells whether the bucket is there and may be read. Whether it may be written is
    /// asked of `testIamPermissions`, which needs no permission itself; emulators do not know it,
    /// so only a clear "no" counts.
    async fn check_now(&self, purpose: Purpose) -> Result<(), Fault> {
        self.list_now(&NameRange::default(), None, 1).await.map_err(|fault| self.explain(fault))?;
        let mut wanted = READING.to_vec();
        if purpose.writes() {
            wanted.extend([WRITING, REPLACING]);
        }
        let asked = self.call(self.requests.permissions(&wanted));
        let granted = tokio::time::timeout(PERMISSIONS_TIMEOUT, asked).await;
        let Ok(Ok(granted)) = granted else { return Ok(()) };
        let Ok(granted) = answer::parse::<PermissionsAnswer>(&granted) else { return Ok(()) };
        wanted.retain(|permission| !granted.permissions.contains(*permission));
        if wanted == [REPLACING] && purpose != Purpose::Replace {
            tracing::warn!(
                "no permission {REPLACING} for gs://{}: a manifest of an earlier load that differs \
                 cannot be replaced; the role roles/storage.objectUser on the bucket is enough",
                self.bucket
            );
            return Ok(());
        }
        if wanted.is_empty() {
            return Ok(());
        }
        Err(self.explain(Fault::new(
            FaultKind::Status(StatusCode::FORBIDDEN.as_u16()),
            format!("lacking {}", wanted.join(", ")),
        )))
    }

    /// Two questions that few may ask; the role "Storage Object User" does not include them.
    async fn about_now(&self) -> Result<About, Fault> {
        let bucket = unless_refused(self.call(self.requests.about()).await)?;
        let mut about = bucket.map_or(Ok(About::default()), |answer| about::of_bucket(&answer))?;
        if let Some(policy) = unless_refused(self.call(self.requests.policy()).await)? {
            about.vertex_agent_reads = about::vertex_agent_reads(&policy)?;
        }
        Ok(about)
    }

    /// Says what a refusal means for this bucket and what to do.
    fn explain(&self, mut fault: Fault) -> Fault {
        let bucket = &self.bucket;
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
            FaultKind::Connect => format!("{} cannot be reached: {said}", self.endpoint),
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

    fn names_are_files(&self) -> bool {
        self.keeps_files
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

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Fault>> {
        Box::pin(self.read_now(name))
    }

    fn has_metadata(&self) -> bool {
        true
    }

    fn annotate<'a>(
        &'a self,
        object: &'a NewObject,
        generation: u64,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.annotate_now(object, generation))
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

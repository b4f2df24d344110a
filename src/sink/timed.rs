//! A sink on which every call has a time limit: what the rest of the program holds.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{
    About, Body, Fault, FaultKind, FileBody, NameRange, NewObject, Page, Precondition, Purpose,
    Sink, Stored,
};

/// Bytes a second at which a body in memory travels at the least: a large image gets more time than a
/// small one.
const SLOWEST: u64 = 128 << 10;

/// A sink whose calls end. A call with a small request and a small response ends after the time for one
/// attempt, or after `within` where that is less; one that stores a file goes on as long as the file gets
/// anywhere, and ends when nothing has moved for the time of one attempt.
#[derive(Clone)]
pub struct TimedSink {
    sink: Arc<dyn Sink>,
    attempt: Duration,
}

/// Ends work that takes longer than a time limit, as a fault.
///
/// # Errors
/// Those of the work, and [`FaultKind::Timeout`].
pub async fn timed<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timeout("answer", limit)))
}

fn timeout(what: &str, limit: Duration) -> Fault {
    // Whole milliseconds read better than nanoseconds.
    let limit = Duration::from_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let limit = humantime::format_duration(limit);
    Fault::new(FaultKind::Timeout, format!("no {what} within {limit}"))
}

impl TimedSink {
    /// A sink with so much time for one attempt.
    pub fn new(sink: Arc<dyn Sink>, attempt: Duration) -> Self {
        Self { sink, attempt }
    }

    /// The same sink with another time for one attempt.
    #[must_use]
    pub fn limited_to(&self, attempt: Duration) -> Self {
        Self { attempt, ..self.clone() }
    }

    /// See [`Sink::url`].
    pub fn url(&self) -> &str {
        self.sink.url()
    }

    /// See [`Sink::address`].
    pub fn address(&self, name: &str) -> String {
        self.sink.address(name)
    }

    /// See [`Sink::check_makes_something`].
    pub fn check_makes_something(&self) -> bool {
        self.sink.check_makes_something()
    }

    /// See [`Sink::names_are_files`].
    pub fn names_are_files(&self) -> bool {
        self.sink.names_are_files()
    }

    /// See [`Sink::counts_as_a_whole`].
    pub fn counts_as_a_whole(&self) -> bool {
        self.sink.counts_as_a_whole()
    }

    /// See [`Sink::lists_what_was_written`].
    pub fn lists_what_was_written(&self) -> bool {
        self.sink.lists_what_was_written()
    }

    /// See [`Sink::abandon`].
    pub fn abandon(&self) {
        self.sink.abandon();
    }

    /// See [`Sink::check`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn check(&self, purpose: Purpose, within: Duration) -> Result<(), Fault> {
        timed(self.attempt.min(within), self.sink.check(purpose)).await
    }

    /// See [`Sink::put`]. The time limit of an object in memory grows with its size; that of a file
    /// begins anew whenever the file gets further, whatever `within` says.
    ///
    /// # Errors
    /// As there, and no answer, or no progress, in time.
    pub async fn put(
        &self,
        object: &NewObject,
        condition: Precondition,
        within: Duration,
    ) -> Result<Stored, Fault> {
        let put = self.sink.put(object, condition);
        match &object.body {
            Body::Bytes(bytes) => {
                let travel = Duration::from_millis(bytes.len() as u64 * 1000 / SLOWEST);
                timed((self.attempt + travel).min(within), put).await
            }
            Body::File(file) => self.put_file(file, put).await,
        }
    }

    async fn put_file(
        &self,
        file: &FileBody,
        put: impl Future<Output = Result<Stored, Fault>>,
    ) -> Result<Stored, Fault> {
        let (mut put, mut steps, furthest) = (pin!(put), file.steps(), file.furthest());
        let ended = loop {
            match tokio::time::timeout(self.attempt, &mut put).await {
                Ok(ended) => break ended,
                Err(_) if file.steps() != steps => steps = file.steps(),
                Err(_) => break Err(timeout("progress", self.attempt)),
            }
        };
        ended.map_err(|fault| fault.after_progress(file.furthest() > furthest))
    }

    /// See [`Sink::stat`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn stat(&self, name: &str, within: Duration) -> Result<Option<Stored>, Fault> {
        timed(self.attempt.min(within), self.sink.stat(name)).await
    }

    /// See [`Sink::read`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn read(&self, name: &str, within: Duration) -> Result<Option<Bytes>, Fault> {
        timed(self.attempt.min(within), self.sink.read(name)).await
    }

    /// See [`Sink::has_metadata`].
    pub fn has_metadata(&self) -> bool {
        self.sink.has_metadata()
    }

    /// See [`Sink::file`].
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.sink.file(name)
    }

    /// See [`Sink::annotate`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn annotate(
        &self,
        object: &NewObject,
        generation: u64,
        within: Duration,
    ) -> Result<(), Fault> {
        timed(self.attempt.min(within), self.sink.annotate(object, generation)).await
    }

    /// See [`Sink::delete`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn delete(&self, name: &str, within: Duration) -> Result<(), Fault> {
        timed(self.attempt.min(within), self.sink.delete(name)).await
    }

    /// See [`Sink::list`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn list(
        &self,
        range: &NameRange,
        page: Option<String>,
        within: Duration,
    ) -> Result<Page, Fault> {
        timed(self.attempt.min(within), self.sink.list(range, page)).await
    }

    /// See [`Sink::about`].
    ///
    /// # Errors
    /// As there, and no answer in time.
    pub async fn about(&self, within: Duration) -> Result<About, Fault> {
        timed(self.attempt.min(within), self.sink.about()).await
    }

    /// See [`Sink::finish`], which alone has no limit: a disk that takes gigabytes in shows nothing of
    /// it meanwhile.
    ///
    /// # Errors
    /// As there.
    pub async fn finish(&self) -> Result<(), Fault> {
        self.sink.finish().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::BoxFuture;
    use super::*;
    use tokio::time::Instant;

    /// Answers nothing; a file gets further every 20 seconds, until it has got so far.
    struct Stalling(u64);

    impl Sink for Stalling {
        fn url(&self) -> &'static str {
            "stalling"
        }
        fn check(&self, _: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
            Box::pin(std::future::pending())
        }
        fn put<'a>(
            &'a self,
            object: &'a NewObject,
            _: Precondition,
        ) -> BoxFuture<'a, Result<Stored, Fault>> {
            Box::pin(async {
                if let Body::File(file) = &object.body {
                    for bytes in 1..=self.0 {
                        tokio::time::sleep(Duration::from_secs(20)).await;
                        file.stored(bytes);
                    }
                }
                std::future::pending().await
            })
        }
        fn stat<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
            Box::pin(std::future::pending())
        }
        fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
            Box::pin(std::future::pending())
        }
        fn list<'a>(
            &'a self,
            _: &'a NameRange,
            _: Option<String>,
        ) -> BoxFuture<'a, Result<Page, Fault>> {
            Box::pin(std::future::pending())
        }
        fn about(&self) -> BoxFuture<'_, Result<About, Fault>> {
            Box::pin(std::future::pending())
        }
    }

    fn object(body: Body) -> NewObject {
        NewObject {
            name: "a".to_owned(),
            body,
            crc32c: 0,
            content_type: "text/csv",
            metadata: Vec::new(),
        }
    }

    const ATTEMPT: Duration = Duration::from_secs(30);

    fn stalling(steps: u64) -> TimedSink {
        TimedSink::new(Arc::new(Stalling(steps)), ATTEMPT)
    }

    /// How long a call took that ended in a time-out, and the fault.
    async fn ended<T>(call: impl Future<Output = Result<T, Fault>>) -> (u64, Fault) {
        let began = Instant::now();
        let Err(fault) = call.await else { panic!("it has no answer") };
        assert_eq!(fault.kind, FaultKind::Timeout);
        (began.elapsed().as_secs(), fault)
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_ends() {
        let (sink, range) = (stalling(0), NameRange::default());
        for (within, expected) in [(Duration::MAX, 30), (Duration::from_secs(7), 7)] {
            assert_eq!(ended(sink.check(Purpose::Write, within)).await.0, expected);
            assert_eq!(ended(sink.stat("a", within)).await.0, expected);
            assert_eq!(ended(sink.delete("a", within)).await.0, expected);
            assert_eq!(ended(sink.list(&range, None, within)).await.0, expected);
            assert_eq!(ended(sink.about(within)).await.0, expected);
            let image = object(Body::Bytes(Bytes::from_static(b"x")));
            let (took, fault) = ended(sink.put(&image, Precondition::Absent, within)).await;
            assert_eq!((took, fault.has_progressed()), (expected, false));
            assert_eq!(fault.message, format!("no answer within {expected}s"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_image_has_more_time_than_a_small_one() {
        let large = object(Body::Bytes(vec![0; 12 << 20].into()));
        let put = |within| {
            let (sink, large) = (stalling(0), large.clone());
            async move { ended(sink.put(&large, Precondition::Absent, within)).await.0 }
        };
        assert_eq!(put(Duration::MAX).await, 30 + 96);
        assert_eq!(put(Duration::from_secs(50)).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_has_time_as_long_as_it_gets_further() {
        let file = object(Body::file("a".into(), 100));
        let put = async |steps| {
            let sink = stalling(steps);
            ended(sink.put(&file, Precondition::Absent, Duration::ZERO)).await
        };
        let (took, fault) = put(0).await;
        assert_eq!((took, fault.has_progressed()), (30, false));
        assert_eq!(fault.message, "no progress within 30s");
        let (took, fault) = put(50).await;
        assert!((1030..=1060).contains(&took), "{took} s: 1,000 s of progress, then none");
        assert!(fault.has_progressed());
        // The next one gets no further than the one before.
        let (took, fault) = put(50).await;
        assert!((1030..=1060).contains(&took), "{took} s");
        assert!(!fault.has_progressed());
    }
}

//! The main job: a source is decoded, split, named, encoded, stored, and listed in manifests.

mod plan;
mod publish;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use self::plan::{Plan, RequestCost};
use crate::config::{Endpoint, IfExists, Place, Settings};
use crate::emulator::{self, Emulator};
use crate::encode::Encoder;
use crate::error::{Error, Exit};
use crate::manifest::Labels;
use crate::pace::Rate;
use crate::pipeline::{self, Cut, Existing, Images, Run, Storing};
use crate::report::{FailureLog, Reporter, Stats, Summary, keep_reporting, thousands};
use crate::retry::{Chance, Limits, Retry};
use crate::sink::folder::Folder;
use crate::sink::gcs::{Auth, GOOGLE, Gcs};
use crate::sink::{Fault, Sink};
use crate::source::DataSet;
use crate::split::Split;

/// Before the work begins a destination that does not answer is given up after so many attempts.
const CHECK_ATTEMPTS: u32 = 4;

/// Everything that is known before the destination is asked.
pub struct Job {
    /// The opened data set.
    pub data: DataSet,
    /// How records become objects.
    pub images: Images,
    /// The labels that manifests use.
    pub labels: Labels,
    /// Images of this run: the data set's, or the limit.
    pub count: u32,
}

impl Job {
    /// Draws the split and checks that the settings fit the data set.
    ///
    /// # Errors
    /// A split that leaves nothing to train on, or classes that cannot be told apart.
    pub fn new(settings: &Settings, data: DataSet) -> Result<Self, Error> {
        let split = Split::random(data.training(), settings.validation, settings.seed)?;
        let encoder = Encoder {
            quality: settings.quality,
            scale: settings.scale,
            rows: data.rows,
            cols: data.cols,
        };
        let images = Images { encoder, split: Arc::new(split), names: settings.name.clone() };
        let labels = Labels::new(&data.classes)?;
        let count = settings.source.limit.unwrap_or(u32::MAX).min(data.images());
        Ok(Self { data, images, labels, count })
    }

    /// Images of the run by partition, in the order of [`crate::split::Partition::ALL`].
    pub fn partitions(&self) -> [u32; 3] {
        let mut counts = [0; 3];
        for index in 0..self.count {
            counts[self.images.split.partition(index) as usize] += 1;
        }
        counts
    }
}

/// How a load ended.
pub struct Outcome {
    /// What was done.
    pub summary: Summary,
    /// Why it is not complete, if it is not.
    pub error: Option<Error>,
}

/// Loads a data set. `stop` ends the run early: what is in flight is finished.
///
/// Writes `summary.json` (always), `failures.jsonl` (if an image failed) and the manifests (if and
/// only if every image is stored) into the output folder.
///
/// # Errors
/// When the output folder cannot be written; everything else is told in the outcome.
pub async fn load(
    settings: &Settings,
    job: Job,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
) -> Result<Outcome, Error> {
    let failures = FailureLog::new(settings.out.join("failures.jsonl"))
        .map_err(|e| Error::output(&settings.out, e))?;
    let stats = Arc::new(Stats::new(job.count));
    let work = Work { settings, job, failures: Arc::new(failures), stats, stop };
    let reporting = tokio::spawn(keep_reporting(Arc::clone(&reporter), Arc::clone(&work.stats)));
    let mut manifests = Vec::new();
    let ended = work.run(&mut manifests).await;
    reporting.abort();
    let now = work.stats.snapshot();
    reporter.end(&now);

    let concurrency = settings.concurrency;
    let mut summary = Summary::new(now, concurrency.auto, concurrency.limit);
    summary.manifests = manifests;
    let error = ended.err();
    summary.exit_code = error.as_ref().map_or(Exit::Complete, Error::exit) as u8;
    write_summary(&settings.out, &summary)?;
    Ok(Outcome { summary, error })
}

/// Writes `summary.json`.
///
/// # Errors
/// When the output folder cannot be written.
pub fn write_summary(out: &Path, summary: &Summary) -> Result<(), Error> {
    let path = out.join("summary.json");
    summary.write(&path).map_err(|e| Error::output(&path, e))
}

/// Makes the output folder, and sees that files can be written there before any work is done.
///
/// # Errors
/// When they cannot.
pub fn prepare_output(out: &Path) -> Result<(), Error> {
    let try_it = || {
        std::fs::create_dir_all(out)?;
        let probe = out.join(".idx2gcs-probe");
        std::fs::write(&probe, "")?;
        std::fs::remove_file(probe)
    };
    try_it().map_err(|e| Error::output(out, e))
}

/// One load under way.
struct Work<'a> {
    settings: &'a Settings,
    job: Job,
    failures: Arc<FailureLog>,
    stats: Arc<Stats>,
    stop: CancellationToken,
}

impl Work<'_> {
    async fn run(&self, manifests: &mut Vec<crate::report::ManifestEntry>) -> Result<(), Error> {
        // Lives as long as the run; what it holds in memory goes with it.
        let (sink, _emulator) = open_sink(self.settings).await?;
        let refused = |fault| Error::Destination { url: self.settings.url.clone(), fault };
        self.check(&*sink).await.map_err(refused)?;
        let existing = self.existing(&sink).await.map_err(refused)?;
        self.refuse_existing(&existing)?;

        let run = Arc::new(Run {
            images: self.job.images.clone(),
            storing: Storing {
                sink: Arc::clone(&sink),
                if_exists: self.settings.if_exists,
                retry: self.retry(),
                rate: Rate::new(self.settings.max_rate),
                stats: Arc::clone(&self.stats),
            },
            existing,
            on_error: self.settings.on_error,
            concurrency: self.settings.concurrency.limit.min(self.job.count.max(1)),
            queue: self.settings.queue,
            stats: Arc::clone(&self.stats),
            stop: self.stop.clone(),
            on_failure: {
                let failures = Arc::clone(&self.failures);
                Box::new(move |failure| failures.add(failure))
            },
        });
        let records = self.job.data.records().take(self.job.count as usize);
        let cut = pipeline::run(Arc::clone(&run), records).await;
        self.judge(cut)?;
        let Some(run) = Arc::into_inner(run) else {
            return Err(Error::Incomplete("an uploader is still at work".to_owned()));
        };
        publish::publish(self.settings, &self.job, &run.storing, manifests).await
    }

    fn retry(&self) -> Retry {
        Retry::new(self.settings.retry, Chance::default())
    }

    async fn check(&self, sink: &dyn Sink) -> Result<(), Fault> {
        let limits = self.settings.retry;
        let attempts = limits.max_attempts.min(CHECK_ATTEMPTS);
        let retry = Retry::new(Limits { max_attempts: attempts, ..limits }, Chance::default());
        retry.run(log_retry, || sink.check()).await.result
    }

    async fn existing(&self, sink: &Arc<dyn Sink>) -> Result<Existing, Fault> {
        let images = &self.job.images;
        // A name counts only if it is exactly the one that this run would write; that takes the
        // labels, a byte each.
        let labels: Vec<u8> =
            self.job.data.labels().map_while(Result::ok).map(|(_, label)| label).collect();
        let index_of = |name: &str| {
            let index = images.names.index_in(name)?;
            let label = *labels.get(index as usize)?;
            (images.name(index, label) == name).then_some(index)
        };
        let retry = self.retry();
        Existing::list(sink, &retry, self.job.count, index_of, log_retry).await
    }

    fn refuse_existing(&self, existing: &Existing) -> Result<(), Error> {
        if self.settings.if_exists != IfExists::Fail || existing.count() == 0 {
            return Ok(());
        }
        Err(Error::Conflict {
            url: self.settings.url.clone(),
            message: format!(
                "{} of the objects are there already; nothing was written (--if-exists skip \
                 keeps those with the same content)",
                thousands(existing.count().into())
            ),
        })
    }

    /// Why the run is not complete, if it is not.
    fn judge(&self, cut: Cut) -> Result<(), Error> {
        let url = self.settings.url.clone();
        let failures = self.settings.out.join("failures.jsonl");
        let written = self.failures.finish().map_err(|e| Error::output(&failures, e))?;
        if let Some(error) = cut.source {
            return Err(error.into());
        }
        if let Some(fault) = cut.refused {
            return Err(Error::Destination { url, fault });
        }
        if cut.conflicts > 0 {
            let message = format!(
                "{} objects are there with other content, see {}; --if-exists overwrite replaces \
                 them",
                thousands(cut.conflicts.into()),
                failures.display()
            );
            return Err(Error::Conflict { url, message });
        }
        let now = self.stats.snapshot();
        match written {
            Some((failed, path)) => Err(Error::Incomplete(format!(
                "{} of {} images failed, see {}; run the same command again to finish",
                thousands(failed.into()),
                thousands(now.images.into()),
                path.display()
            ))),
            None if now.not_attempted > 0 => Err(Error::Incomplete(format!(
                "stopped with {} of {} images not attempted; run the same command again to finish",
                thousands(now.not_attempted.into()),
                thousands(now.images.into())
            ))),
            None => Ok(()),
        }
    }
}

fn log_retry(fault: &Fault) {
    tracing::debug!(%fault, cause = %fault.kind, "trying again");
}

/// The destination, and the emulator that serves it where it is embedded.
async fn open_sink(settings: &Settings) -> Result<(Arc<dyn Sink>, Option<Emulator>), Error> {
    let (bucket, prefix) = match &settings.place {
        Place::Folder(path) => {
            return Ok((Arc::new(Folder::new(&settings.url, path.clone())), None));
        }
        Place::Bucket { bucket, prefix } => (bucket, prefix),
    };
    let refused = |fault| Error::Destination { url: settings.url.clone(), fault };
    let gcs = |endpoint: &str, auth| Gcs::new(endpoint, bucket, prefix, auth).map_err(refused);
    Ok(match &settings.endpoint {
        Endpoint::Google => {
            let auth = Auth::application_default().map_err(refused)?;
            (Arc::new(gcs(GOOGLE, auth)?), None)
        }
        Endpoint::Url(url) => {
            let auth = if is_googles(url) {
                Auth::application_default().map_err(refused)?
            } else {
                Auth::Anonymous
            };
            (Arc::new(gcs(url, auth)?), None)
        }
        Endpoint::Embedded(root) => {
            let emulator = Emulator::start(emulator::Options {
                root: root.clone(),
                buckets: vec![bucket.clone()],
                ..emulator::Options::default()
            })
            .await?;
            (Arc::new(gcs(&emulator.url(), Auth::Anonymous)?), Some(emulator))
        }
    })
}

/// Credentials are shown to Google's own hosts alone, and only under TLS.
fn is_googles(url: &str) -> bool {
    reqwest::Url::parse(url).ok().is_some_and(|url| {
        url.scheme() == "https"
            && url.host_str().is_some_and(|host| host.ends_with(".googleapis.com"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_google_sees_credentials() {
        for (url, google) in [
            ("https://storage.googleapis.com", true),
            ("https://storage.me-central2.rep.googleapis.com", true),
            ("http://storage.googleapis.com", false),
            ("https://storage.googleapis.com.example.org", false),
            ("https://evilgoogleapis.com", false),
            ("http://127.0.0.1:4443", false),
        ] {
            assert_eq!(is_googles(url), google, "{url}");
        }
    }
}

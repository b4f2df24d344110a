//! What is at the destination before a run begins.

use std::collections::HashMap;
use std::num::NonZeroU64;

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;

use crate::model::Selection;
use crate::retry::Retry;
use crate::sink::{Fault, FaultKind, Metadata, NameRange, Stored, TimedSink};

/// Pages in a row without an object, after which a listing is taken to have no end.
const EMPTY_PAGES: u32 = 1000;

/// Ranges that are listed at the same time, where one page does not hold all.
const LISTS_IN_FLIGHT: usize = 8;

/// What a listing said of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    generation: NonZeroU64,
    crc32c: u32,
    /// Whether the checksum was told.
    has_crc32c: bool,
    /// Whether the custom metadata is not what it should be.
    other_metadata: bool,
}

/// Objects whose other custom metadata is kept, to say how it differs.
const KEPT_METADATA: usize = 1000;

/// Objects of this run that are there already, by position. Nothing where none is, else 24 bytes an
/// image.
#[derive(Debug)]
pub(crate) struct Existing {
    of: Selection,
    by_position: Vec<Option<Seen>>,
    /// By index; not of all where they are many.
    metadata: HashMap<u32, Metadata>,
    count: u32,
}

impl Existing {
    /// None of the images of a run.
    pub(crate) fn none(of: Selection) -> Self {
        Self { of, by_position: Vec::new(), metadata: HashMap::new(), count: 0 }
    }

    /// Takes note of the object of image `index`. Custom metadata is kept where it is not what it should
    /// be: `stored` has none that is right.
    pub(crate) fn insert(&mut self, index: u32, stored: Stored) {
        if self.by_position.is_empty() {
            self.by_position = vec![None; self.of.count() as usize];
        }
        let Stored { size, crc32c, generation, metadata, .. } = stored;
        // Generation 0 means that there is no object.
        let Some(generation) = NonZeroU64::new(generation) else { return };
        let position = self.of.position(index);
        if let Some(slot) = position.and_then(|at| self.by_position.get_mut(at)) {
            self.count += u32::from(slot.is_none());
            *slot = Some(Seen {
                size,
                generation,
                crc32c: crc32c.unwrap_or_default(),
                has_crc32c: crc32c.is_some(),
                other_metadata: metadata != Metadata::Unknown,
            });
            if metadata != Metadata::Unknown && self.metadata.len() < KEPT_METADATA {
                self.metadata.insert(index, metadata);
            }
        }
    }

    /// How many of the run's objects are there.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The object of image `index`, under its name, if it is there.
    pub(crate) fn get(&self, index: u32, name: &str) -> Option<Stored> {
        let slot = self.by_position.get(self.of.position(index)?)?;
        let seen = (*slot)?;
        let crc32c = seen.has_crc32c.then_some(seen.crc32c);
        let stored = Stored::new(name.to_owned(), seen.size, crc32c, seen.generation.get());
        let known = || self.metadata.get(&index).cloned().unwrap_or(Metadata::Different);
        let metadata = if seen.other_metadata { known() } else { Metadata::Unknown };
        Some(Stored { metadata, ..stored })
    }
}

/// Receives a listing.
pub(crate) trait Pages {
    /// Processes the objects of one page.
    ///
    /// # Errors
    /// Why the listing cannot go on.
    fn page(&mut self, page: Vec<Stored>) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// What is stored under a name, by what the listing said of it and, where that has no checksum, by what
/// `stat` answers for this one object.
///
/// # Errors
/// Those of `stat`.
pub(crate) async fn with_checksum<F>(
    listed: Option<Stored>,
    stat: impl FnOnce() -> F,
) -> Result<Option<Stored>, Fault>
where
    F: Future<Output = Result<Option<Stored>, Fault>>,
{
    match listed {
        Some(Stored { crc32c: None, .. }) => stat().await,
        listed => Ok(listed),
    }
}

/// Lists the names in `within`, a page at a time in no particular order. Where there is more than a
/// page, ranges of names are listed at the same time; names that begin with `prefix` and a digit, as
/// most do, are spread over ten of them.
///
/// # Errors
/// A listing that fails for good, or what `pages` returns.
pub(crate) async fn list_all(
    sink: &TimedSink,
    retry: &Retry,
    within: NameRange,
    prefix: &str,
    on_retry: impl Fn(&Fault) + Copy + Send + Sync,
    pages: &mut impl Pages,
) -> Result<(), Fault> {
    let page = |range: NameRange, token: Option<String>| async move {
        let listed =
            retry.run(on_retry, |within| sink.list(&range, token.clone(), within)).await.result?;
        if listed.next.is_some() && listed.next == token {
            let stuck = "the listing does not advance: its next page is the same again";
            return Err(Fault::new(FaultKind::Unparsable, stuck));
        }
        Ok::<_, Fault>((range, listed))
    };
    let (_, first) = page(within.clone(), None).await?;
    let last = first.objects.last().map(|stored| stored.name.clone());
    pages.page(first.objects).await?;
    let Some(next) = first.next else { return Ok(()) };
    let beginnings = match &last {
        // What is left begins with the last name of the page that is taken already.
        Some(last) => {
            ranges(prefix, last, within.end).into_iter().map(|range| (range, None)).collect()
        }
        // A page may be empty and not the last.
        None => vec![(within, Some(next))],
    };
    let mut waiting = beginnings.into_iter().map(|(range, token)| (range, token, None));
    // With the last name of the page before.
    let begin = |(range, token, before): (NameRange, _, Option<String>)| async move {
        Ok::<_, Fault>((page(range, token).await?, before))
    };
    let mut asked: FuturesUnordered<_> =
        waiting.by_ref().take(LISTS_IN_FLIGHT).map(begin).collect();
    let mut empty = 0;
    while let Some(((range, listed), before)) = asked.try_next().await? {
        empty = if listed.objects.is_empty() { empty + 1 } else { 0 };
        let first = listed.objects.first().map(|stored| &stored.name);
        if empty > EMPTY_PAGES
            || (before.is_some() && first.is_some_and(|it| Some(it) <= before.as_ref()))
        {
            let endless = "the listing has no end: its pages bring no further names";
            return Err(Fault::new(FaultKind::Unparsable, endless));
        }
        // The rest of a range before the next range.
        let before = listed.objects.last().map(|stored| stored.name.clone()).or(before);
        let next = listed.next.map(|token| (range, Some(token), before));
        asked.extend(next.or_else(|| waiting.next()).map(begin));
        let mut new = listed.objects;
        new.retain(|stored| last.as_ref().is_none_or(|l| stored.name > *l));
        pages.page(new).await?;
    }
    Ok(())
}

/// Ranges that together hold each name from `start` to before `end` once, cut before `<prefix>1` …
/// `<prefix>9`.
fn ranges(prefix: &str, start: &str, end: Option<String>) -> Vec<NameRange> {
    let cuts = ('1'..='9')
        .map(|digit| format!("{prefix}{digit}"))
        .filter(|cut| cut.as_str() > start && end.as_ref().is_none_or(|end| cut < end));
    let mut starts = vec![start.to_owned()];
    starts.extend(cuts);
    let ends = starts.iter().skip(1).cloned().map(Some).chain([end]);
    let ranges = starts.iter().cloned().zip(ends);
    ranges.map(|(start, end)| NameRange { start: Some(start), end }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::retry::Limits;
    use crate::retry::backoff::Backoff;
    use crate::sink::{BoxFuture, NewObject, Page, Precondition, Purpose, Sink};

    proptest! {
        #[test]
        fn each_name_is_in_one_range(prefix in "[a-c/]{0,3}", start: String, name: String) {
            let whole = NameRange::beginning_with(&prefix);
            let open = NameRange { start: Some(start.clone()), end: None };
            for (ranges, all) in [
                (ranges(&prefix, &start, None), open),
                (ranges(&prefix, &prefix, whole.end.clone()), whole),
            ] {
                let holding = ranges.iter().filter(|range| range.contains(&name)).count();
                prop_assert_eq!(holding, usize::from(all.contains(&name)));
            }
        }
    }

    /// A listing whose pages have each another token.
    struct Endless {
        pages: AtomicU32,
        /// The object on each page.
        name: Option<&'static str>,
    }

    impl Sink for Endless {
        fn url(&self) -> &'static str {
            "endless:"
        }
        fn check(&self, _: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
            Box::pin(async { Ok(()) })
        }
        fn put<'a>(
            &'a self,
            _: &'a NewObject,
            _: Precondition,
        ) -> BoxFuture<'a, Result<Stored, Fault>> {
            unreachable!("nothing is written")
        }
        fn stat<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
            unreachable!("nothing is asked for")
        }
        fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
            unreachable!("nothing is deleted")
        }
        fn list<'a>(
            &'a self,
            _: &'a NameRange,
            _: Option<String>,
        ) -> BoxFuture<'a, Result<Page, Fault>> {
            let next = Some(self.pages.fetch_add(1, Ordering::Relaxed).to_string());
            let object = |name: &str| Stored::new(name.to_owned(), 1, None, 1);
            let page = Page { objects: self.name.map(object).into_iter().collect(), next };
            Box::pin(async { Ok(page) })
        }
    }

    #[tokio::test]
    async fn a_listing_without_an_end_is_given_up() {
        struct Nowhere;
        impl Pages for Nowhere {
            async fn page(&mut self, _: Vec<Stored>) -> Result<(), Fault> {
                Ok(())
            }
        }
        for (name, most) in [(None, 2 * EMPTY_PAGES), (Some("a"), 30)] {
            let endless = Arc::new(Endless { pages: AtomicU32::new(0), name });
            let sink = TimedSink::new(Arc::clone(&endless) as _, Duration::from_secs(9));
            let long = Duration::from_secs(9);
            let limits = Limits {
                max_attempts: 1,
                max_elapsed: long,
                attempt_timeout: long,
                backoff: Backoff { initial: long, max: long },
                max_outage: long,
            };
            let retry = Retry::new(limits, CancellationToken::new());
            let all = NameRange::default();
            let listed = list_all(&sink, &retry, all, "", |_| (), &mut Nowhere).await;
            assert!(listed.unwrap_err().message.contains("has no end"));
            assert!(endless.pages.load(Ordering::Relaxed) <= most);
        }
    }

    #[test]
    fn what_is_there_is_found_by_index() {
        let mut existing = Existing::none(Selection::of(vec![3, 4, 700]));
        assert_eq!(existing.get(3, "x"), None);
        let stored = Stored::new("x".to_owned(), 5, Some(6), 7);
        for index in [3, 3, 700, 99] {
            existing.insert(index, stored.clone());
        }
        assert_eq!(existing.count(), 2);
        assert_eq!(existing.get(3, "x"), Some(stored.clone()));
        assert_eq!(existing.get(700, "x"), Some(stored));
        assert_eq!([4, 99].map(|index| existing.get(index, "x")), [None, None]);
    }

    #[test]
    fn other_metadata_is_known_of_all_and_kept_of_the_first() {
        let images = u32::try_from(KEPT_METADATA).unwrap() + 1;
        let mut existing = Existing::none(Selection::First(images));
        let pairs = Metadata::Pairs([("label".to_owned(), "7".to_owned())].into());
        let stored = Stored { metadata: pairs.clone(), ..Stored::new("x".to_owned(), 5, None, 7) };
        (0..images).for_each(|index| existing.insert(index, stored.clone()));
        let metadata = |index| existing.get(index, "x").unwrap().metadata;
        assert_eq!((metadata(0), metadata(images - 1)), (pairs, Metadata::Different));
        assert_eq!(existing.get(0, "x").unwrap().crc32c, None);
        assert_eq!(size_of::<Option<Seen>>(), 24, "as docs/architecture.md says");
    }
}

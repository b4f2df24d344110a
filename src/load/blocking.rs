//! Work on a thread that may block, which ends soon after nobody waits for it any more.

use tokio_util::sync::CancellationToken;

use super::error::Error;

/// Runs `work` on a thread that may compute and block. Its token is cancelled with `stop`, and when this
/// future is dropped; a pass over images or rows checks it at each.
///
/// # Errors
/// Those of the work, and a panic in it.
pub(super) async fn blocking<T: Send + 'static>(
    what: &str,
    stop: &CancellationToken,
    work: impl FnOnce(&CancellationToken) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let stop = stop.child_token();
    let _stops_when_dropped = stop.clone().drop_guard();
    let done = tokio::task::spawn_blocking(move || work(&stop)).await;
    done.unwrap_or_else(|panic| Err(Error::panicked(what, &panic)))
}

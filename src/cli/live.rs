//! A config file that is changed while a run goes on: concurrency and rate follow it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;

use super::settings;
use crate::config::{ConfigError, KEYS, Layers, Settings, Value};
use crate::pace::Bounds;
use crate::pipeline::Observer;

/// How often the file is looked at. A change counts once two looks in a row see the same, so that
/// half a file, as an editor may leave it for a moment, is not taken for one.
const LOOK: Duration = Duration::from_millis(250);

/// Follows the config file of a command line, if it names one, until the future is dropped. `layers`
/// are in force until then; `apply` puts new bounds in force.
pub(super) async fn follow(
    args: ArgMatches,
    mut layers: Layers,
    apply: impl Fn(Bounds),
    observer: Arc<dyn Observer>,
) {
    let Some(path) = args.get_one::<PathBuf>("config") else { return };
    // The file may have changed since it was read for the run: the first look counts as a change too.
    let (mut settled, mut last) = (None, None);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let text = Some(read(path).await);
        if text != last || text == settled {
            last = text;
            continue;
        }
        settled.clone_from(&text);
        let changed = settings::layers(&args).and_then(|now| Ok((Settings::validate(&now)?, now)));
        match changed {
            Ok((settings, now)) => {
                if let Some(line) = describe(&layers, &now) {
                    observer.note(&line);
                }
                apply(settings.pace);
                layers = now;
            }
            Err(error) => observer.note(&ignored(&error)),
        }
    }
}

async fn read(path: &Path) -> Option<Vec<u8>> {
    tokio::fs::read(path).await.ok()
}

fn ignored(error: &ConfigError) -> String {
    format!("the changed config file is ignored: {error}")
}

/// What has changed, in one line; nothing if nothing has.
fn describe(before: &Layers, now: &Layers) -> Option<String> {
    let text = |layers: &Layers, key: &str| layers.get(key).map(Value::shown);
    let changed = KEYS.iter().filter(|key| text(before, key.path) != text(now, key.path));
    let parts = changed.map(|key| match text(now, key.path) {
        _ if !key.live => format!("{} waits for the next run", key.path),
        value => format!("{} is {} now", key.path, value.unwrap_or_default()),
    });
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| format!("config file changed: {}", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_described_in_one_line() {
        let layers = |toml: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("c.toml");
            std::fs::write(&path, toml).unwrap();
            let mut layers = Layers::default();
            layers.add_file(&path).unwrap();
            layers
        };
        let before = layers("[upload]\nconcurrency = 8\n");
        assert_eq!(describe(&before, &layers("[upload]\nconcurrency=8")), None);
        assert_eq!(
            describe(&before, &layers("[upload]\nmax_rate = 500\n[image]\nquality = 3")).unwrap(),
            "config file changed: image.quality waits for the next run, upload.concurrency is auto \
             now, upload.max_rate is 500 now"
        );
    }
}

//! An emulator for one test.

use idx2gcs_emulator::{Emulator, ObjectInfo, Options, Script};

/// An emulator for one test, with the bucket `demo`.
pub struct Server {
    emulator: Option<Emulator>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn new() -> Self {
        Self::scripted(Script::new())
    }

    pub fn scripted(script: Script) -> Self {
        Self::start(Options { script, ..Options::default() })
    }

    pub fn start(options: Options) -> Self {
        let options = Options { buckets: vec!["demo".to_owned()], record: true, ..options };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let emulator = Some(runtime.block_on(Emulator::start(options)).unwrap());
        Self { emulator, runtime }
    }

    pub fn emulator(&self) -> &Emulator {
        self.emulator.as_ref().unwrap()
    }

    pub fn url(&self) -> String {
        self.emulator().url()
    }

    /// The objects below `fm/`, manifests aside.
    pub fn images(&self) -> Vec<ObjectInfo> {
        let mut objects = self.emulator().objects("demo");
        let is_image = |name: &str| [".jpg", ".png"].iter().any(|end| name.ends_with(end));
        objects.retain(|object| object.name.starts_with("fm/") && is_image(&object.name));
        objects
    }

    /// The text of an object below `fm/`.
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, bytes) = self.emulator().object("demo", &format!("fm/{name}"))?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(emulator) = self.emulator.take() {
            self.runtime.block_on(emulator.stop());
        }
    }
}

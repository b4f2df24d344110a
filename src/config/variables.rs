//! Settings as environment variables, for tasks that have neither flags nor a config file.

use super::keys::{DATASET, FILES, KEYS, OUT, PATH, SPLIT_FILE, URL};
use super::layers::{ConfigError, Layers};
use super::value::Origin;
use crate::source::Catalogue;

/// Settings that are paths, which a config file has relative to its folder.
const PATHS: [&str; 3] = [PATH.about.path, SPLIT_FILE.about.path, OUT.about.path];

impl Layers {
    /// The settings that are not left at their defaults, as variables with their values, in the order of
    /// the config file.
    ///
    /// # Errors
    /// A setting that only a config file can hold (`source.files`, a data set of its own), and a path
    /// that is no text.
    pub(crate) fn variables(&self) -> Result<Vec<(String, String)>, ConfigError> {
        if self.get(FILES.about.path).is_some() {
            let problem = "cannot be given to tasks, which have no config file: give the files their \
                           common names in one folder, and that folder with --source";
            return Err(self.refuse(&FILES, problem));
        }
        let is_own = |name: String| self.catalogue().get(&name) != Catalogue::builtin().get(&name);
        if self.find(&DATASET)?.is_some_and(is_own) {
            let problem =
                "cannot be given to tasks, which have no config file: give a folder instead";
            return Err(self.refuse(&DATASET, problem));
        }
        let mut variables = Vec::new();
        for key in KEYS {
            let Some(value) = self.get(key.path) else { continue };
            if value.origin == Origin::Default {
                continue;
            }
            let mut text = value.text_of_variable();
            let is_folder = |text: &String| key.path == URL.about.path && !text.contains("://");
            if PATHS.contains(&key.path) || text.as_ref().is_some_and(is_folder) {
                text = value.path().and_then(|path| path.into_os_string().into_string().ok());
            }
            let text = text.ok_or_else(|| ConfigError::Value {
                key: key.path,
                value: value.clone(),
                problem: "must be text (UTF-8)".to_owned(),
            })?;
            variables.push((key.variable(), text));
        }
        Ok(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    /// Everything that a file can say, read again from the variables, is the same.
    #[test]
    fn variables_say_what_a_file_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("idx2gcs.toml");
        let text = r#"
            [source]
            path = "data"
            classes = ["a cup", "a, b"]
            range = [0.0, 1.0]
            limit = 7
            [split]
            validation = 0.25
            [image]
            rgb = true
            [destination]
            url = "gs://demo/x y"
            name = "{class}/it's_{index:05}.{ext}"
            [upload]
            memory = "32MB"
            concurrency = "auto"
            [retry]
            max_elapsed = "3m"
            [manifest]
            formats = ["csv", "vertex"]
        "#;
        std::fs::write(&file, text).unwrap();
        let mut layers = Layers::default();
        layers.add_file(&file).unwrap();
        let variables = layers.variables().unwrap();
        let value = |name: &str| variables.iter().find(|(it, _)| it == name).unwrap().1.as_str();
        assert_eq!(value("IDX2GCS_SOURCE_PATH"), dir.path().join("data").to_str().unwrap());
        assert_eq!(value("IDX2GCS_SPLIT_VALIDATION"), "0.25");
        assert_eq!(variables.len(), 12, "{variables:?}");

        let mut again = Layers::default();
        let pairs = variables.iter().map(|(name, text)| (name.into(), text.into()));
        again.add_environment(pairs).unwrap();
        let settings = |layers: &Layers| format!("{:?}", Settings::validate(layers).unwrap());
        assert_eq!(settings(&again), settings(&layers));
    }

    #[test]
    fn a_folder_of_a_file_is_relative_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("idx2gcs.toml");
        std::fs::write(&file, "[destination]\nurl = \"pictures\"\n").unwrap();
        let mut layers = Layers::default();
        layers.add_file(&file).unwrap();
        let path = dir.path().join("pictures").to_str().unwrap().to_owned();
        let expected = [("IDX2GCS_DESTINATION_URL".to_owned(), path)];
        assert_eq!(layers.variables().unwrap(), expected);
    }

    #[test]
    fn what_only_a_file_can_hold_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("idx2gcs.toml");
        for (text, key) in [
            ("[[source.files]]\nimages = \"a.npy\"\npartition = \"train\"\n", "source.files"),
            (
                "[source]\ndataset = \"cifar10\"\n[dataset.cifar10]\ntitle = \"small\"\nclasses = [\"x\"]\n\
                 validation = 2\nmirrors = [\"http://127.0.0.1/\"]\nrecords = { train = 9, test = 2 }\n\
                 files = [{ name = \"cifar-10-binary.tar.gz\" }]\n",
                "source.dataset",
            ),
        ] {
            std::fs::write(&file, text).unwrap();
            let mut layers = Layers::default();
            layers.add_file(&file).unwrap();
            let error = layers.variables().unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("no config file"), "{error}");
        }
        std::fs::write(&file, "[source]\ndataset = \"cifar10\"\n").unwrap();
        let mut layers = Layers::default();
        layers.add_file(&file).unwrap();
        assert_eq!(layers.variables().unwrap().len(), 1);
    }
}

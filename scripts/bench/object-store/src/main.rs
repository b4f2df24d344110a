//! What one would write instead of idx2gcs: the crate `object_store`, N puts in flight, the data set
//! in memory. No split, no manifests, no resuming.
//!
//! Usage: `object-store-load FOLDER ENDPOINT BUCKET PREFIX IN_FLIGHT IMAGES`

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use futures::{StreamExt, TryStreamExt, stream};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, ClientOptions, ObjectStore, PutMode, PutOptions,
    StaticCredentialProvider,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Images of one size, one after another.
struct Images {
    rows: u32,
    cols: u32,
    pixels: Vec<u8>,
}

impl Images {
    /// Reads both parts of a data set, packed or not.
    fn read(folder: &Path) -> Result<Self, Error> {
        let mut images = Self { rows: 0, cols: 0, pixels: Vec::new() };
        for part in ["train", "t10k"] {
            let plain = folder.join(format!("{part}-images-idx3-ubyte"));
            let mut bytes = Vec::new();
            if plain.exists() {
                File::open(plain)?.read_to_end(&mut bytes)?;
            } else {
                let packed = File::open(plain.with_extension("gz"))?;
                MultiGzDecoder::new(packed).read_to_end(&mut bytes)?;
            }
            let (header, pixels) = bytes.split_at_checked(16).ok_or("the header is cut off")?;
            let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| header[at + i]));
            if number(0) != 0x0803 {
                return Err("no IDX file of images".into());
            }
            (images.rows, images.cols) = (number(8), number(12));
            images.pixels.extend_from_slice(pixels);
        }
        Ok(images)
    }

    fn jpeg(&self, index: usize) -> Result<Vec<u8>, Error> {
        let size = (self.rows * self.cols) as usize;
        let pixels = &self.pixels[index * size..][..size];
        let mut jpeg = Vec::with_capacity(1024);
        JpegEncoder::new_with_quality(&mut jpeg, 75).encode(
            pixels,
            self.cols,
            self.rows,
            ExtendedColorType::L8,
        )?;
        Ok(jpeg)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, endpoint, bucket, prefix, in_flight, count] = arguments.as_slice() else {
        return Err("usage: FOLDER ENDPOINT BUCKET PREFIX IN_FLIGHT IMAGES".into());
    };
    let (in_flight, count): (usize, usize) = (in_flight.parse()?, count.parse()?);

    let images = Arc::new(Images::read(Path::new(folder))?);
    // A put asks for credentials even where `with_skip_signature` is set.
    let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
    let store = GoogleCloudStorageBuilder::new()
        .with_base_url(endpoint)
        .with_bucket_name(bucket)
        .with_credentials(Arc::new(nobody))
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .build()?;
    let store = Arc::new(store);
    let options = PutOptions {
        mode: PutMode::Create,
        attributes: Attributes::from_iter([(Attribute::ContentType, "image/jpeg")]),
        ..PutOptions::default()
    };

    stream::iter(0..count)
        .map(|index| {
            let (images, store, options) = (images.clone(), store.clone(), options.clone());
            let key = Key::from(format!("{prefix}/image_{index}.jpg"));
            // A task of its own, so that all cores encode and send.
            let task = tokio::spawn(async move {
                let jpeg = images.jpeg(index)?;
                store.put_opts(&key, jpeg.into(), options).await?;
                Ok::<_, Error>(())
            });
            async { task.await? }
        })
        .buffer_unordered(in_flight)
        .try_collect::<()>()
        .await
}

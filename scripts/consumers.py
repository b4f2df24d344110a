#!/usr/bin/env python3
"""Loads Fashion-MNIST and reads what is there with the programs that others use.

    scripts/consumers.py [--train N] [--test N] [--no-parquet] PROGRAM FOLDER

PROGRAM is a built idx2gcs, FOLDER holds the four files of Fashion-MNIST. The first N images of each
file are loaded, all without --train and --test: as JPEG into the emulator, as PNG into a folder per
partition and class, and without labels. Then Pillow decodes every image, Google's client reads the
bucket, pandas and Hugging Face's datasets read the manifests; all must agree with the IDX files and
with the split as numpy draws it. The first difference is told, with exit code 1.

The packages are those of tests/e2e/conformance/requirements.txt.
"""

import argparse
import base64
import gzip
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

# Before the imports that read them: nothing is asked of the network.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}
os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets
import google_crc32c
import numpy as np
import pandas as pd
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from PIL import Image

CLASSES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
LABELS = [name.replace("-", "_").replace("/", "_").replace(" ", "_") for name in CLASSES]
SEED = 42
LEAST_PSNR = 28.0
COLUMNS = ["index", "url", "partition", "label", "class", "crc32c", "size"]


class Wrong(Exception):
    """What is there is not what should be."""


def check(holds, what):
    if not holds:
        raise Wrong(what)


def same(got, wanted, what):
    """Compares two sequences, and names the first place where they differ."""
    got, wanted = list(got), list(wanted)
    check(len(got) == len(wanted), f"{what}: {len(got)} instead of {len(wanted)}")
    for at, (one, other) in enumerate(zip(got, wanted)):
        check(one == other, f"{what}: at {at} is {one!r} instead of {other!r}")


def read_idx(folder, name):
    path = folder / name
    packed = folder / f"{name}.gz"
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    check(data[:3] == b"\0\0\x08", f"{name} is no IDX file of bytes")
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(head + array.tobytes())


class Truth:
    """The images of a set by index, and what each is for."""

    def __init__(self, folder, train, test, into):
        parts = []
        for stem, count in [("train", train), ("t10k", test)]:
            images = read_idx(folder, f"{stem}-images-idx3-ubyte")[:count]
            labels = read_idx(folder, f"{stem}-labels-idx1-ubyte")[:count]
            write_idx(into / f"{stem}-images-idx3-ubyte", images)
            write_idx(into / f"{stem}-labels-idx1-ubyte", labels)
            parts.append((images, labels))
        (train_images, train_labels), (test_images, test_labels) = parts
        self.folder = into
        self.pixels = np.concatenate([train_images, test_images])
        self.labels = np.concatenate([train_labels, test_labels]).astype(int)
        self.validation = len(train_images) // 6
        self.partition = np.array(["train"] * len(train_images) + ["test"] * len(test_images), object)
        # As scikit-learn's train_test_split(test_size=N, random_state=S) draws.
        drawn = np.random.RandomState(SEED).permutation(len(train_images))[: self.validation]
        self.partition[drawn] = "validation"
        self.count = len(self.pixels)
        self.indices = range(self.count)

    def classes(self):
        return [CLASSES[label] for label in self.labels]


class Program:
    """Runs idx2gcs."""

    def __init__(self, path, formats, work):
        self.path, self.formats, self.work = path, formats, work

    def load(self, source, to, out, *more, validation):
        command = [self.path, "load", "--source", source, "--to", to, "--out", out, "--quiet"]
        command += ["--progress", "none", "--validation", validation, "--seed", SEED]
        command += ["--manifests", ",".join(self.formats), *more]
        env = os.environ | {"IDX2GCS_SOURCE_CLASSES": ",".join(CLASSES)}
        ran = subprocess.run([str(word) for word in command], cwd=self.work, env=env, check=False)
        check(ran.returncode == 0, f"loading into {to} ended with exit code {ran.returncode}")

    def emulate(self):
        command = [self.path, "emulate", "--port", "0", "--bucket", "consumers"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        url = server.stdout.readline().removeprefix("serving ").split(";")[0]
        return server, url


def check_pixels(truth, index, encoded, what):
    """A PNG has the very pixels, a JPEG nearly. Returns the PSNR, where it is finite."""
    image = Image.open(io.BytesIO(encoded))
    check(image.mode == "L", f"{what}: Pillow reads mode {image.mode}")
    pixels, wanted = np.asarray(image), truth.pixels[index]
    check(pixels.shape == wanted.shape, f"{what}: Pillow reads the shape {pixels.shape}")
    error = np.mean((pixels.astype(float) - wanted) ** 2)
    if image.format == "PNG":
        check(error == 0, f"{what}: other pixels than in the IDX file")
    psnr = np.inf if error == 0 else 10 * np.log10(255**2 / error)
    check(psnr > LEAST_PSNR, f"{what}: {psnr:.1f} dB from the pixels in the IDX file")
    return psnr


def check_tables(truth, out, urls, objects, formats, labelled=True):
    """The manifests that pandas reads. `objects` are the encoded images by index."""
    labels = truth.labels if labelled else []
    automl = pd.read_csv(out / "automl.csv", header=None)
    vertex = pd.read_csv(out / "vertex.csv", header=None)
    ml_use = {"train": "training", "validation": "validation", "test": "test"}
    ml_use = [ml_use[partition] for partition in truth.partition]
    for name, table, partitions in [
        ("automl.csv", automl, [partition.upper() for partition in truth.partition]),
        ("vertex.csv", vertex, ml_use),
    ]:
        check(table.shape[1] == 2 + labelled, f"{name}: {table.shape[1]} columns")
        same(table[0], partitions, f"partitions in {name}")
        same(table[1], urls, f"addresses in {name}")
    if labelled:
        same(automl[2], labels, "labels in automl.csv")
        same(vertex[2], [LABELS[label] for label in labels], "labels in vertex.csv")

    tables = {"images.csv": pd.read_csv(out / "images.csv")}
    if "parquet" in formats:
        table = pd.read_parquet(out / "images.parquet")
        tables["images.parquet"] = table
        types = {column: str(table.dtypes[column]) for column in ["index", "size"]}
        check(types == {"index": "uint32", "size": "int64"}, f"images.parquet: types {types}")
    for name, table in tables.items():
        same(table.columns, COLUMNS, f"columns of {name}")
        same(table["index"], truth.indices, f"indices in {name}")
        same(table["url"], urls, f"addresses in {name}")
        same(table["partition"], truth.partition, f"partitions in {name}")
        same(table["size"], [len(encoded) for encoded in objects], f"sizes in {name}")
        same(table["crc32c"], [crc32c(encoded) for encoded in objects], f"checksums in {name}")
        if labelled:
            same(table["label"], labels, f"labels in {name}")
            same(table["class"], truth.classes(), f"classes in {name}")
        else:
            empty = table["label"].isna().all() and table["class"].isna().all()
            check(empty, f"{name}: labels where there are none")

    lines = [json.loads(line) for line in (out / "vertex.jsonl").read_text("utf-8").splitlines()]
    wanted = []
    for index, url in enumerate(urls):
        line = {"imageGcsUri": url}
        if labelled:
            line["classificationAnnotation"] = {"displayName": LABELS[labels[index]]}
        ml_use_label = {"aiplatform.googleapis.com/ml_use": ml_use[index]}
        wanted.append(line | {"dataItemResourceLabels": ml_use_label})
    same(lines, wanted, "lines of vertex.jsonl")


def crc32c(content):
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def check_image_folder(truth, folder, cache, splits, labelled=True):
    """What Hugging Face's datasets make of a folder with metadata.jsonl."""
    columns = ["image", "label", "class", "partition"] if labelled else ["image", "partition"]
    found = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))
    same(sorted(found), sorted(splits), f"splits that imagefolder finds in {folder.name}")
    seen = set()
    for split, rows in found.items():
        check(rows.column_names == columns, f"imagefolder reads the columns {rows.column_names}")
        paths = rows.cast_column("image", datasets.Image(decode=False))
        for row, raw in zip(rows, paths):
            name = pathlib.Path(raw["image"]["path"]).stem
            index = int(name.removeprefix("image_"))
            seen.add(index)
            what = f"imagefolder, {split}, image {index}"
            wanted = {"partition": truth.partition[index]}
            if labelled:
                label = int(truth.labels[index])
                wanted |= {"label": label, "class": CLASSES[label]}
            got = {key: value for key, value in row.items() if key != "image"}
            check(got == wanted, f"{what}: {got} instead of {wanted}")
            check(len(splits) == 1 or split == wanted["partition"], f"{what}: wrong split")
            error = np.abs(np.asarray(row["image"]).astype(int) - truth.pixels[index]).mean()
            check(error < 8, f"{what}: other pixels")
    same(sorted(seen), truth.indices, "images that imagefolder finds")


def bucket(program, truth, work):
    """JPEG in a bucket, read with Google's client."""
    server, url = program.emulate()
    try:
        out = work / "out-jpeg"
        more = ["--endpoint", url, "--format", "jpeg"]
        to = "gs://consumers/jpeg"
        program.load(truth.folder, to, out, *more, validation=truth.validation)
        options = ClientOptions(api_endpoint=url)
        client = storage.Client("p", AnonymousCredentials(), client_options=options)
        blobs = {blob.name: blob for blob in client.list_blobs("consumers", prefix="jpeg/")}
        names = [f"jpeg/image_{index}.jpg" for index in truth.indices]
        files = {path.name for path in out.iterdir()}
        files -= {"summary.json", "report.html", "report.json"}
        same(sorted(blobs), sorted(names + [f"jpeg/{file}" for file in files]), "objects")
        objects, least = [], np.inf
        for index, name in enumerate(names):
            content = blobs[name].download_as_bytes()
            check(blobs[name].content_type == "image/jpeg", f"{name}: {blobs[name].content_type}")
            check(blobs[name].size == len(content), f"{name}: size {blobs[name].size}")
            check(blobs[name].crc32c == crc32c(content), f"{name}: checksum {blobs[name].crc32c}")
            least = min(least, check_pixels(truth, index, content, name))
            objects.append(content)
        for file in files:
            content = blobs[f"jpeg/{file}"].download_as_bytes()
            check(content == (out / file).read_bytes(), f"{file} differs here and there")
        urls = [f"gs://consumers/{name}" for name in names]
        check_tables(truth, out, urls, objects, program.formats)
        return f"{truth.count} JPEG in a bucket, {least:.1f} dB or more"
    finally:
        server.terminate()
        server.wait()


def folder(program, truth, work):
    """PNG in folders of partition and class."""
    to, out = work / "png", work / "out-png"
    template = "{partition}/{class}/{index}.{ext}"
    more = ["--format", "png", "--name", template]
    program.load(truth.folder, to, out, *more, validation=truth.validation)
    of = zip(truth.indices, truth.partition, truth.labels)
    names = [f"{partition}/{LABELS[label]}/{index}.png" for index, partition, label in of]
    there = [path.relative_to(to).as_posix() for path in to.rglob("*.png")]
    same(sorted(there), sorted(names), "files")
    objects = [(to / name).read_bytes() for name in names]
    for index, encoded in enumerate(objects):
        check_pixels(truth, index, encoded, names[index])
    check_tables(truth, to, [f"{to}/{name}" for name in names], objects, program.formats)
    check_image_folder(truth, to, work / "cache-png", set(truth.partition))
    return f"{truth.count} PNG in folders of partition and class, the very pixels"


def without_labels(program, truth, work):
    """Images of one file, without labels, side by side: to imagefolder one split."""
    to, out = work / "bare", work / "out-bare"
    source = truth.folder / "t10k-images-idx3-ubyte"
    program.load(source, to, out, "--format", "jpeg", validation=0)
    bare = Truth.__new__(Truth)
    bare.pixels = truth.pixels[truth.partition == "test"]
    bare.count = len(bare.pixels)
    bare.indices = range(bare.count)
    bare.partition = np.array(["train"] * bare.count, object)
    names = [f"image_{index}.jpg" for index in bare.indices]
    objects = [(to / name).read_bytes() for name in names]
    for index, encoded in enumerate(objects):
        check_pixels(bare, index, encoded, names[index])
    urls = [f"{to}/{name}" for name in names]
    check_tables(bare, to, urls, objects, program.formats, labelled=False)
    check_image_folder(bare, to, work / "cache-bare", {"train"}, labelled=False)
    return f"{bare.count} images without labels"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--train", type=int, metavar="N")
    parser.add_argument("--test", type=int, metavar="N")
    parser.add_argument("--no-parquet", action="store_true", help="PROGRAM is built without")
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    given = parser.parse_args()
    formats = ["automl", "vertex", "vertex-jsonl", "huggingface", "csv"]
    formats += [] if given.no_parquet else ["parquet"]
    with tempfile.TemporaryDirectory(prefix="consumers-") as work:
        work = pathlib.Path(work)
        (work / "set").mkdir()
        try:
            truth = Truth(given.folder, given.train, given.test, work / "set")
            program = Program(given.program.resolve(), formats, work)
            for part in (bucket, folder, without_labels):
                began = time.monotonic()
                done = part(program, truth, work)
                print(f"{done}: as it should be ({time.monotonic() - began:.1f} s)", flush=True)
        except Wrong as wrong:
            print(f"consumers.py: {wrong}", file=sys.stderr)
            return 1
        except Exception as error:  # what a reader cannot read at all
            print(f"consumers.py: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a Python user would write instead of idx2gcs, one subcommand a way.

Usage: peers.py WAY FOLDER ENDPOINT PREFIX IN_FLIGHT IMAGES
       peers.py files FOLDER DIRECTORY IMAGES

WAY is one of: one-at-a-time, threads, processes, obstore. All upload to the bucket `bench`.
`files` writes the images as files, for tools that upload nothing else.
"""

import asyncio
import gzip
import io
import json
import os
import struct
import sys
from functools import partial
from itertools import islice
from pathlib import Path

from PIL import Image


def images(folder, count):
    """The first images of a data set as JPEG bytes, by index."""

    def pixels():
        for part in ("train", "t10k"):
            plain = Path(folder) / f"{part}-images-idx3-ubyte"
            packed = plain.with_name(plain.name + ".gz")
            with open(plain, "rb") if plain.exists() else gzip.open(packed) as file:
                rows, cols = struct.unpack(">8xII", file.read(16))
                while pixels := file.read(rows * cols):
                    yield Image.frombytes("L", (cols, rows), pixels)

    for index, image in enumerate(islice(pixels(), count)):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=75)
        yield index, out.getvalue()


def bucket(endpoint, connections=10):
    import requests
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client(
        project="bench",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": endpoint},
    )
    # Else connections beyond ten are thrown away after each request.
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections)
    client._http.mount(endpoint, adapter)
    return client.bucket("bench")


def one_at_a_time(folder, endpoint, prefix, _in_flight, count):
    to = bucket(endpoint)
    for index, jpeg in images(folder, count):
        blob = to.blob(f"{prefix}/image_{index}.jpg")
        blob.upload_from_string(jpeg, "image/jpeg", if_generation_match=0)


def manager(kind, folder, endpoint, prefix, in_flight, count):
    """Takes files: FOLDER is where `files` wrote them. Handed bytes, the transfer manager makes two
    requests an object instead of one, since it does not know their size."""
    from google.cloud.storage import transfer_manager

    os.environ["STORAGE_EMULATOR_HOST"] = endpoint  # for the clients that processes make
    results = transfer_manager.upload_many_from_filenames(
        bucket(endpoint, in_flight),
        [f"image_{index}.jpg" for index in range(count)],
        source_directory=folder,
        blob_name_prefix=f"{prefix}/",
        skip_if_exists=True,
        worker_type=kind,
        max_workers=in_flight,
    )
    for result in results:
        if isinstance(result, Exception):
            raise result


def obstore(folder, endpoint, prefix, in_flight, count):
    from obstore.store import GCSStore

    nobody = {
        "private_key": "",
        "private_key_id": "",
        "client_email": "",
        "disable_oauth": True,
        "gcs_base_url": endpoint,
    }
    store = GCSStore(
        "bench",
        service_account_key=json.dumps(nobody),
        client_options={"allow_http": True},
    )

    async def worker(pairs):
        for index, jpeg in pairs:
            await store.put_async(
                f"{prefix}/image_{index}.jpg",
                jpeg,
                attributes={"Content-Type": "image/jpeg"},
                mode="create",
            )

    async def run():
        pairs = images(folder, count)
        await asyncio.gather(*(worker(pairs) for _ in range(in_flight)))

    asyncio.run(run())


def files(folder, directory, count):
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for index, jpeg in images(folder, int(count)):
        (directory / f"image_{index}.jpg").write_bytes(jpeg)


WAYS = {
    "one-at-a-time": one_at_a_time,
    "threads": partial(manager, "thread"),
    "processes": partial(manager, "process"),
    "obstore": obstore,
}

if __name__ == "__main__":
    way, *arguments = sys.argv[1:]
    if way == "files":
        files(*arguments)
    else:
        folder, endpoint, prefix, in_flight, count = arguments
        WAYS[way](folder, endpoint, prefix, int(in_flight), int(count))

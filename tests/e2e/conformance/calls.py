"""Makes a fixed list of calls with the official Cloud Storage client.

    calls.py http://127.0.0.1:PORT

Prints one JSON object: the call's name -> what it answered. Only what must be
the same on every server is kept: no generations, times or addresses.
"""

import base64
import hashlib
import io
import json
import os
import sys

import google_crc32c
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.exceptions import GoogleCloudError

MIB = 1024 * 1024
BUCKET = "conformance"
SMALL = b"\xff\xd8 a small picture \xff\xd9"
LARGE = bytes(range(256)) * (9 * MIB // 256) + b"tail"

NAMES = [
    "with space.jpg",
    "ünï/çødé 図.jpg",
    "100%.jpg",
    "%2F.jpg",
    "a#b.jpg",
    "a+b.jpg",
    "a?b=c&d.jpg",
    "a/b/c.jpg",
    "quote'\"[]*.jpg",
]


def crc32c(content):
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def md5(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def described(blob):
    """What an object's metadata says that does not change from run to run."""
    return {
        "name": blob.name,
        "bucket": blob.bucket.name,
        "size": blob.size,
        "crc32c": blob.crc32c,
        "md5": blob.md5_hash,
        "content_type": blob.content_type,
        "metadata": blob.metadata,
        "storage_class": blob.storage_class,
        "metageneration": blob.metageneration,
        "generation_is_positive": (blob.generation or 0) > 0,
        "has_etag": bool(blob.etag),
        "has_times": bool(blob.time_created and blob.updated),
        "has_links": bool(blob.self_link and blob.media_link),
        "id_is_versioned": blob.id == f"{blob.bucket.name}/{blob.name}/{blob.generation}",
    }


class Calls:
    def __init__(self, url):
        self.client = storage.Client(
            project="conformance",
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=url),
        )
        self.bucket = self.client.bucket(BUCKET)
        self.answers = {}

    def call(self, name, work):
        """Keeps the answer of one call, or the refusal."""
        try:
            self.answers[name] = work()
        except (GoogleAPICallError, GoogleCloudError) as error:
            reasons = [entry.get("reason") for entry in error.errors or []]
            self.answers[name] = {"refused": error.code, "reasons": reasons}
        except Exception as error:  # what the client itself makes of an answer
            self.answers[name] = {"raised": type(error).__name__}

    def upload(self, name, content, **options):
        blob = self.bucket.blob(name)
        blob.metadata = options.pop("metadata", None)
        for attribute in ("crc32c", "md5_hash"):
            if attribute in options:
                setattr(blob, attribute, options.pop(attribute))
        options.setdefault("content_type", "image/jpeg")
        options.setdefault("checksum", None)
        options.setdefault("retry", None)
        blob.upload_from_string(content, **options)
        return described(blob)

    def get(self, name, **options):
        blob = self.bucket.blob(name)
        blob.reload(retry=None, **options)
        return described(blob)

    def download(self, name, **options):
        content = self.bucket.blob(name).download_as_bytes(retry=None, **options)
        return [len(content), hashlib.sha256(content).hexdigest()]

    def list(self, **options):
        iterator = self.client.list_blobs(BUCKET, retry=None, **options)
        pages = [[blob.name for blob in page] for page in iterator.pages]
        return {
            "names": [name for page in pages for name in page],
            "pages": len(pages),
            "prefixes": sorted(iterator.prefixes),
        }

    def delete(self, name, **options):
        self.bucket.blob(name).delete(retry=None, **options)
        return "deleted"

    def buckets(self):
        def made(name):
            return self.client.create_bucket(name, retry=None).name

        self.call("bucket create", lambda: made(BUCKET))
        self.call("bucket create again", lambda: made(BUCKET))
        self.call("bucket get", lambda: self.client.get_bucket(BUCKET, retry=None).name)
        self.call("bucket get missing", lambda: self.client.get_bucket("no-such", retry=None).name)
        self.call("bucket lookup missing", lambda: self.client.lookup_bucket("no-such", retry=None))
        self.call("bucket exists", lambda: self.bucket.exists(retry=None))
        self.call(
            "bucket list",
            lambda: sorted(bucket.name for bucket in self.client.list_buckets(retry=None)),
        )
        wanted = ["storage.objects.create", "storage.objects.list"]
        self.call(
            "bucket permissions",
            lambda: sorted(self.bucket.test_iam_permissions(wanted, retry=None)),
        )

    def uploads(self):
        self.call("upload small", lambda: self.upload("small.jpg", SMALL))
        self.call("upload empty", lambda: self.upload("empty", b""))
        self.call("upload large", lambda: self.upload("large.bin", LARGE))
        self.call("upload chunked", self.chunked)
        self.call("upload chunked empty", lambda: self.chunked("chunked-empty", b""))
        self.call(
            "upload custom metadata",
            lambda: self.upload("custom.jpg", SMALL, metadata={"label": "Coat", "ü": "ß"}),
        )
        self.call("upload checked crc32c", lambda: self.upload("crc", SMALL, checksum="crc32c"))
        self.call("upload checked md5", lambda: self.upload("md5", SMALL, checksum="md5"))
        self.call("upload right crc32c", lambda: self.upload("crc2", SMALL, crc32c=crc32c(SMALL)))
        self.call("upload wrong crc32c", lambda: self.upload("bad-crc", SMALL, crc32c=crc32c(b"")))
        self.call("upload wrong md5", lambda: self.upload("bad-md5", SMALL, md5_hash=md5(b"")))
        for name in ("bad-crc", "bad-md5"):
            self.call(f"after the refusal {name}", lambda name=name: self.get(name))
        self.call("upload missing bucket", self.missing_bucket)

    def chunked(self, name="chunked.bin", content=LARGE):
        blob = self.bucket.blob(name, chunk_size=MIB)
        blob.upload_from_file(
            io.BytesIO(content), content_type="image/jpeg", checksum=None, retry=None
        )
        return described(blob)

    def missing_bucket(self):
        blob = self.client.bucket("no-such").blob("a")
        blob.upload_from_string(SMALL, checksum=None, retry=None)

    def preconditions(self):
        def put(name, content=SMALL, **options):
            return self.upload(name, content, **options)["size"]

        def stale(call):
            return lambda: call("once.jpg", if_generation_match=1)

        self.call("create once", lambda: put("once.jpg", if_generation_match=0))
        self.call("create twice", lambda: put("once.jpg", b"other", if_generation_match=0))
        self.call("create large twice", lambda: put("large.bin", LARGE, if_generation_match=0))
        self.call("replace stale", stale(put))
        self.call("get stale", stale(self.get))
        self.call("download stale", stale(self.download))
        # An object of its own: not every server refuses this.
        self.call("delete stale prepare", lambda: put("stale.jpg"))
        self.call("delete stale", lambda: self.delete("stale.jpg", if_generation_match=1))
        self.call("replace live", lambda: put("once.jpg", if_generation_match=self.live()))
        self.call("get live", lambda: self.get("once.jpg", if_generation_match=self.live()))
        self.call(
            "replace unless live",
            lambda: put("once.jpg", if_generation_not_match=self.live()),
        )
        self.call("metageneration", lambda: put("once.jpg", if_metageneration_match=1))
        self.call("metageneration stale", lambda: put("once.jpg", if_metageneration_match=9))

    def live(self):
        return self.bucket.get_blob("once.jpg", retry=None).generation

    def reads(self):
        for name in ("small.jpg", "empty", "large.bin", "chunked.bin", "custom.jpg"):
            self.call(f"get {name}", lambda name=name: self.get(name))
            self.call(f"download {name}", lambda name=name: self.download(name))
        self.call("download range", lambda: self.download("large.bin", start=10, end=300))
        self.call("download tail", lambda: self.download("large.bin", start=9 * MIB))
        self.call("download past the end", lambda: self.download("small.jpg", start=1000))
        self.call("get missing", lambda: self.get("missing"))
        self.call("download missing", lambda: self.download("missing"))
        self.call("exists missing", lambda: self.bucket.blob("missing").exists(retry=None))

    def names(self):
        for name in NAMES:
            self.call(f"name upload {name}", lambda name=name: self.upload(name, SMALL)["name"])
            self.call(f"name get {name}", lambda name=name: self.get(name)["name"])
            self.call(f"name download {name}", lambda name=name: self.download(name))
        self.call("name list", lambda: [n for n in self.list()["names"] if n in NAMES])
        self.call("name too long", lambda: self.upload("x" * 1025, SMALL))
        self.call("name with line feed", lambda: self.upload("a\nb", SMALL))

    def listings(self):
        for part in ("1.jpg", "2.jpg", "sub/3.jpg", "sub/4.jpg", "zub/5.jpg"):
            self.call(f"list prepare {part}", lambda part=part: self.upload(f"l/{part}", b"")["size"])
        self.call("list prefix", lambda: self.list(prefix="l/"))
        self.call("list delimiter", lambda: self.list(prefix="l/", delimiter="/"))
        self.call("list pages", lambda: self.list(prefix="l/", page_size=2))
        self.call("list offsets", lambda: self.list(start_offset="l/2", end_offset="l/sub/4.jpg"))
        self.call("list limit", lambda: self.list(prefix="l/", max_results=3)["names"])
        fields = "items(name,size,crc32c),nextPageToken"
        self.call("list fields", lambda: self.list(prefix="l/", fields=fields))
        self.call("list nothing", lambda: self.list(prefix="nothing/"))
        self.call("list missing bucket", lambda: list(self.client.list_blobs("no-such", retry=None)))

    def changes(self):
        def patch(**options):
            blob = self.bucket.get_blob("custom.jpg", retry=None)
            blob.metadata = {"label": "Bag", "new": "1"}
            blob.patch(retry=None, **options)
            return self.get("custom.jpg")["metadata"]

        def copy(name, **options):
            source = self.bucket.blob("custom.jpg")
            self.bucket.copy_blob(source, self.bucket, name, retry=None, **options)
            return self.get(name)

        def rewrite():
            source = self.bucket.blob("custom.jpg")
            return self.bucket.blob("c/rewritten.jpg").rewrite(source, retry=None)

        def compose(name, *parts, **options):
            blob = self.bucket.blob(name)
            blob.content_type = "image/jpeg"
            blob.compose([self.bucket.blob(part) for part in parts], retry=None, **options)
            return {field: self.get(name)[field] for field in ("crc32c", "size", "content_type")}

        self.call("patch", patch)
        self.call("patch stale", lambda: patch(if_metageneration_match=9))
        self.call("copy", lambda: copy("c/copy.jpg"))
        self.call("copy once more", lambda: copy("c/copy.jpg", if_generation_match=0))
        self.call("copy missing", lambda: self.bucket.copy_blob(
            self.bucket.blob("missing"), self.bucket, "c/missing.jpg", retry=None
        ))
        self.call("rewrite", rewrite)
        self.call("get rewritten", lambda: self.get("c/rewritten.jpg"))
        self.call("download rewritten", lambda: self.download("c/rewritten.jpg"))
        self.call("compose", lambda: compose("c/composed.jpg", "small.jpg", "custom.jpg"))
        self.call("download composed", lambda: self.download("c/composed.jpg"))
        self.call("compose missing", lambda: compose("c/none.jpg", "small.jpg", "missing"))
        self.call("list glob", lambda: self.list(match_glob="c/co*.jpg")["names"])

    def deletions(self):
        self.call("delete", lambda: self.delete("small.jpg"))
        self.call("delete again", lambda: self.delete("small.jpg"))
        self.call("get deleted", lambda: self.get("small.jpg"))
        self.call("bucket delete full", lambda: self.bucket.delete(retry=None))


def main():
    # The environment must not lead the client elsewhere.
    os.environ.pop("STORAGE_EMULATOR_HOST", None)
    calls = Calls(sys.argv[1])
    calls.buckets()
    calls.uploads()
    calls.preconditions()
    calls.reads()
    calls.names()
    calls.listings()
    calls.changes()
    calls.deletions()
    json.dump(calls.answers, sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()

"""Who takes part: a row of the table each, with its command."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WRK_SECONDS = 3


@dataclass(frozen=True)
class Context:
    """Where things are during one run."""

    program: Path  # idx2gcs
    tools: Path
    folder: Path  # of the data set
    files: Path | None  # the images as files
    desk: Path  # for what is thrown away afterwards
    url: str  # of the storage


@dataclass(frozen=True)
class Row:
    latency_ms: int
    name: str
    in_flight: str
    # Slow contenders load one image in so many, so that all take about as long.
    part: int = 1

    def __str__(self):
        return f"{self.name}, {self.in_flight} in flight, {self.latency_ms} ms"

    def images(self, all_images):
        """How many it loads; nothing for wrk, which runs for a time."""
        return None if self.name == "wrk" else max(all_images // self.part, 1)

    @property
    def label(self):
        return CONTENDERS[self.name][0]

    @property
    def needs(self):
        return CONTENDERS[self.name][1]

    @property
    def from_files(self):
        return self.name in ("rclone", "gcloud", "threads", "processes")

    @property
    def quick(self):
        return self in (OURS, REFERENCE)

    @property
    def extra(self):
        """Objects that are no images: the two manifests."""
        return 2 if self.name == "idx2gcs" else 0

    def command(self, c, count):
        return CONTENDERS[self.name][2](c, self.in_flight, count)

    def environment(self, c):
        if self.name == "rclone":
            return {"RCLONE_CONFIG": ""}
        if self.name != "gcloud":
            return {}
        return {
            "CLOUDSDK_CONFIG": str(c.desk / "gcloud"),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{c.url}/",
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_CORE_PROJECT": "bench",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        }


def idx2gcs(c, in_flight, count):
    load = [c.program, "load", "--source", c.folder, "--to", "gs://bench/set", "--endpoint", c.url]
    load += ["--out", c.desk / "out", "--progress", "none"]
    return [*load, "--limit", count, "--concurrency", in_flight]


def object_store(c, in_flight, count):
    program = c.tools / "build/release/object-store-load"
    return [program, c.folder, c.url, "bench", "set", in_flight, count]


def python(way):
    def command(c, in_flight, count):
        folder = c.files if way in ("threads", "processes") else c.folder
        script = [c.tools / "venv/bin/python", HERE / "peers.py", way]
        return [*script, folder, c.url, "set", in_flight, count]

    return command


def rclone(c, in_flight, _count):
    copy = ["rclone", "copy", c.files, ":gcs:bench/set", "--gcs-endpoint", f"{c.url}/storage/v1/"]
    copy += ["--gcs-anonymous", "--gcs-no-check-bucket", "--no-check-dest"]
    return [*copy, "--transfers", in_flight]


def gcloud(c, _in_flight, _count):
    return ["gcloud", "storage", "cp", "--recursive", c.files, "gs://bench/set"]


def wrk(c, in_flight, _count):
    return ["wrk", "-t2", f"-c{in_flight}", f"-d{WRK_SECONDS}", "-s", HERE / "wrk.lua", c.url]


FILES = "(files on disk first)"
# Name: label, what it needs, command.
CONTENDERS = {
    "idx2gcs": ("**idx2gcs**", [], idx2gcs),
    "object_store": ("object_store for Rust, a program written by hand", [], object_store),
    "obstore": ("obstore, Python over Rust", ["python"], python("obstore")),
    "threads": (f"`transfer_manager` of Google's Python client, threads {FILES}", ["python"],
                python("threads")),
    "processes": (f"the same, processes {FILES}", ["python"], python("processes")),
    "one-at-a-time": ("Google's Python client, one at a time", ["python"], python("one-at-a-time")),
    "rclone": (f"rclone {FILES}", ["rclone", "python"], rclone),
    "gcloud": (f"`gcloud storage cp` {FILES}", ["gcloud", "python"], gcloud),
    "wrk": ("*wrk, one fixed body, nothing read or encoded: the floor*", ["wrk"], wrk),
}

OURS = Row(0, "idx2gcs", "auto")
REFERENCE = Row(0, "object_store", "64")
ROWS = [
    OURS,
    REFERENCE,
    Row(0, "obstore", "64", 5),
    Row(0, "threads", "64", 20),
    Row(0, "processes", "8", 20),
    Row(0, "one-at-a-time", "1", 20),
    Row(0, "rclone", "64", 20),
    Row(0, "gcloud", "its own", 100),
    Row(0, "wrk", "64"),
    Row(50, "idx2gcs", "auto"),
    Row(50, "idx2gcs", "256"),
    Row(50, "idx2gcs", "1024"),
    Row(50, "object_store", "256"),
    Row(50, "object_store", "1024"),
    Row(50, "obstore", "256", 5),
    Row(50, "threads", "64", 20),
    Row(50, "processes", "8", 100),
    Row(50, "one-at-a-time", "1", 500),
    Row(50, "rclone", "256", 20),
    Row(50, "gcloud", "its own", 100),
    Row(50, "wrk", "1024"),
]

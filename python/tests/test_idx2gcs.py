"""The Python package against the program itself, which must be on PATH."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import warnings

import numpy as np

import idx2gcs

HERE = pathlib.Path(__file__).parent


def arrays(n=90, seed=0):
    """Pictures and labels of three classes."""
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n) % 3


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        warnings.simplefilter("ignore", idx2gcs.Idx2gcsWarning)
        self.addCleanup(warnings.resetwarnings)

    def load(self, **settings):
        images, labels = arrays()
        given = {"images": images, "labels": labels, "to": "./out-set", "validation": 9, "progress": False}
        return idx2gcs.load(**{**given, **settings})


class Loads(Case):
    def test_arrays_in_memory_reach_a_bucket(self):
        with idx2gcs.emulator(buckets=["demo"]) as gcs:
            to = {"to": "gs://demo/set", "endpoint": gcs.url}
            result = self.load(**to, manifests=["vertex", "csv"])
            self.assertEqual((result.images, result.uploaded, result.failed), (90, 90, 0))
            self.assertEqual([m["format"] for m in result.manifests], ["vertex", "csv"])
            frame = result.manifest("vertex")
            self.assertEqual(list(frame.columns), ["partition", "image", "label"])
            self.assertEqual(len(frame), 90)
            self.assertTrue(frame.image.str.startswith("gs://demo/set/").all())
            self.assertEqual(len(result.manifest("csv")), 90)
            self.assertIn("90 uploaded", repr(result))
            with self.assertRaises(KeyError):
                result.manifest("parquet")
            images, labels = arrays()
            exact = idx2gcs.verify(
                images=images, labels=labels, validation=9, progress=False, manifests=["vertex", "csv"], **to
            )
            self.assertTrue(exact.startswith("92 of 92 objects are exact"), exact)
            images[3] ^= 255
            with self.assertRaises(idx2gcs.IncompleteError) as caught:
                idx2gcs.verify(
                    images=images, labels=labels, validation=9, progress=False, manifests=["vertex", "csv"], **to
                )
            self.assertIn("2 different", str(caught.exception))

    def test_pixels_are_those_of_the_array(self):
        images, _ = arrays()
        self.load(format="png")
        from PIL import Image

        for index in (0, 89):
            with Image.open(f"out-set/image_{index}.png") as picture:
                np.testing.assert_array_equal(np.asarray(picture), images[index])

    def test_a_test_part_and_texts_as_labels(self):
        images, labels = arrays()
        texts = np.array(["bag", "coat", "ankle, boot"])[labels]
        result = self.load(
            labels=texts, test_images=images[:6] ^ 1, test_labels=texts[:6], manifests="csv",
            config={"split": {"method": "stratified"}},
        )
        frame = result.manifest()
        self.assertEqual(result.images, 96)
        self.assertEqual((frame.partition == "test").sum(), 6)
        self.assertEqual(sorted(frame["class"].unique()), ["ankle, boot", "bag", "coat"])
        held_out = frame[frame.partition == "validation"]["class"].value_counts()
        self.assertEqual(held_out.tolist(), [3, 3, 3])

    def test_a_file_or_a_named_set_is_a_source_too(self):
        images, labels = arrays()
        np.savez("set.npz", x_train=images, y_train=labels)
        result = self.load(images=None, labels=None, source=pathlib.Path("set.npz"), out="elsewhere")
        self.assertEqual(result.uploaded, 90)
        self.assertTrue(pathlib.Path("elsewhere/summary.json").exists())

    def test_warnings_are_warnings(self):
        warnings.simplefilter("always", idx2gcs.Idx2gcsWarning)
        with self.assertWarnsRegex(idx2gcs.Idx2gcsWarning, "has no images"):
            self.load()

    def test_no_descriptor_and_no_file_is_left(self):
        before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
        self.load()
        if sys.platform == "linux":
            self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        self.assertEqual(sorted(os.listdir()), ["out", "out-set"])


class Errors(Case):
    def test_each_exit_code_has_its_error(self):
        with self.assertRaises(idx2gcs.UsageError) as caught:
            self.load(validation=-1)
        self.assertIn("validation", str(caught.exception))
        with self.assertRaises(idx2gcs.UsageError):
            self.load(no_such_flag=1)
        with self.assertRaises(idx2gcs.SourceError) as caught:
            self.load(labels=np.arange(89))
        self.assertEqual(caught.exception.code, 3)
        self.load()
        with self.assertRaises(idx2gcs.DestinationError):
            self.load(quality=50)

    def test_arguments_that_contradict_each_other(self):
        images, labels = arrays()
        with self.assertRaises(TypeError):
            idx2gcs.load("fashion-mnist", images=images, to="x")
        with self.assertRaises(TypeError):
            idx2gcs.load(labels=labels, to="x")
        with self.assertRaises(ValueError):
            idx2gcs.load(images=images, labels=labels, test_images=images, to="x")


class Progress(Case):
    def test_a_function_receives_each_event(self):
        events = []
        self.load(progress=events.append)
        self.assertEqual(events[-1]["uploaded"], 90)
        self.assertEqual(events[-1]["images"], 90)

    def test_an_exception_of_the_function_stops_the_load_and_the_next_one_finishes_it(self):
        class Enough(Exception):
            pass

        def enough(event):
            raise Enough

        with idx2gcs.emulator(latency="50ms") as gcs:
            to = {"to": "gs://demo/set", "endpoint": gcs.url, "concurrency": 1}
            with self.assertRaises(Enough):
                self.load(**to, progress=enough)
            summary = json.loads(pathlib.Path("out/summary.json").read_text())
            self.assertGreater(summary["not_attempted"], 0)
            self.assertEqual(summary["failed"], 0)
            rest = self.load(**{**to, "concurrency": 32})
            self.assertEqual(rest.already_present, summary["uploaded"])
            self.assertEqual(rest.uploaded + rest.already_present, 90)

    @unittest.skipUnless(os.name == "posix", "Windows has other interrupts")
    def test_an_interrupt_stops_the_load_in_order(self):
        script = """
            import numpy as np, idx2gcs, sys, warnings
            warnings.simplefilter("ignore")
            images = np.random.default_rng(0).integers(0, 256, (90, 28, 28), dtype=np.uint8)
            with idx2gcs.emulator(latency="50ms") as gcs:
                try:
                    idx2gcs.load(images=images, to="gs://demo/set", endpoint=gcs.url, concurrency=1,
                                 validation=9, progress=lambda event: print("going", flush=True))
                except KeyboardInterrupt:
                    sys.exit(42)
        """
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", textwrap.dedent(script)]
        # A shell's background job ignores interrupts, and so would what it starts.
        listens = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, preexec_fn=listens)
        with process:
            self.assertEqual(process.stdout.readline(), b"going\n")
            process.send_signal(signal.SIGINT)
            process.stdout.read()
        self.assertEqual(process.returncode, 42)
        summary = json.loads(pathlib.Path("out/summary.json").read_text())
        self.assertEqual((summary["exit_code"], summary["failed"]), (130, 0))

    def test_without_a_terminal_the_bar_is_of_lines(self):
        script = """
            import numpy as np, idx2gcs, warnings
            warnings.simplefilter("ignore")
            images = np.random.default_rng(0).integers(0, 256, (90, 28, 28), dtype=np.uint8)
            print(idx2gcs.load(images=images, to="./out-set", validation=9))
        """
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", textwrap.dedent(script)]
        ran = subprocess.run(command, capture_output=True, env=environment, check=True, encoding="utf-8")
        self.assertIn("90 uploaded", ran.stdout)
        self.assertIn("90/90", ran.stderr)


class TheProgram(Case):
    def test_it_is_a_module_too(self):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run(
            [sys.executable, "-m", "idx2gcs", "load", "--no-such"], capture_output=True, env=environment
        )
        self.assertEqual(ran.returncode, 2)

    def test_everything_public_has_a_type(self):
        for name in idx2gcs.__all__:
            self.assertTrue(getattr(idx2gcs, name).__doc__, name)
        self.assertTrue((pathlib.Path(idx2gcs.__file__).parent / "py.typed").exists())


if __name__ == "__main__":
    unittest.main()

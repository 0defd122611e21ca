"""Which guests a row gets, and what is made of several runs."""
import argparse
import io
import tempfile
import unittest
from contextlib import chdir, redirect_stdout
from pathlib import Path
from unittest import mock

from .program import load
from .test_table import guest, kernel

matrix = load("qemu/matrix")
FAILED = guest(check="operations/files FAILED")


class Attempts(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.enterContext(chdir(scratch.name))
        Path("target/qemu").mkdir(parents=True)
        Path("target/qemu/amd64.initramfs").touch()
        for folder in ("docs", "qemu"):
            Path(folder).mkdir()

    def boot(self, row, results, attempts=1, only=()):
        """The record of `row` after guests that ended with these results."""
        self.guests = []

        def run(machine, serial, seconds, command="", *_):
            self.guests.append((machine.memory_mib, machine.initramfs))
            self.command = command
            Path(serial).write_text(f"guest {len(self.guests)}")
            return results[len(self.guests) - 1]

        asked = argparse.Namespace(
            row=[], arch=None, kernel="image", accel="tcg", cpus=1, seconds=9, attempts=attempts,
            only=only, no_record=False,
        )
        with (
            mock.patch.object(matrix.table, "load", lambda: [row]),
            mock.patch.object(matrix, "mote_version", lambda: "1"),
            mock.patch.object(matrix.images, "kernel_of", lambda path, folder: path),
            mock.patch.object(matrix.kvm, "accelerator", lambda guest, asked: asked),
            mock.patch.object(matrix.target, "live_tests", lambda: ["operations"]),
            mock.patch.object(matrix.run, "run", run),
            redirect_stdout(io.StringIO()) as said,
        ):
            made = matrix.Matrix(asked)
            made.boot(row)
        self.said = said.getvalue()
        return made.records[row.row]

    def test_row_passes_once(self):
        record = self.boot(kernel(), [guest()], attempts=3)
        self.assertEqual((record.result, record.failed_before), ("passed", 0))
        self.assertEqual(self.guests, [(256, "target/qemu/amd64.initramfs")])
        # Before other rows have ended.
        self.assertIn('"result": "passed"', Path("qemu/results.json").read_text())

    def test_little_memory(self):
        record = self.boot(kernel(small_mib=64), [guest(), guest(memory_kib="1800")])
        self.assertEqual(self.guests[1], (64, "target/qemu/amd64-small.initramfs"))
        self.assertEqual((record.result, record.small_mib), ("passed", 64))
        self.assertEqual((record.memory_kib, record.small_memory_kib), (2404, 1800))

    def test_too_little_memory(self):
        record = self.boot(kernel(small_mib=64), [guest(), guest(provider=None)])
        self.assertEqual(record.result, "failed")
        self.assertIn("with 64 MiB: provider: none, and the row expects ebpf", record.problems)

    def test_row_that_fails_needs_no_second_guest(self):
        self.assertEqual(self.boot(kernel(small_mib=64), [FAILED]).result, "failed")
        self.assertEqual(len(self.guests), 1)
        self.assertIn("again: make qemu ROW=test KERNEL=image 'QEMU_FLAGS=--no-record", self.said)
        self.assertIn("-- /tests/operations files", self.said)

    def test_failed_attempts_are_told(self):
        record = self.boot(kernel(), [FAILED, guest()], attempts=2)
        self.assertEqual(matrix.judge.summary(record), "passed at attempt 2")
        self.assertIn("again: ", self.said)
        self.assertIn("console: target/qemu/test.serial.failed", self.said)
        self.assertEqual(Path("target/qemu/test.serial.failed").read_text(), "guest 1")
        record = self.boot(kernel(), [FAILED, FAILED], attempts=2)
        self.assertEqual(matrix.judge.summary(record), "failed at attempt 2")

    def test_some_programs(self):
        record = self.boot(kernel(small_mib=64), [FAILED], only=["operations", "verifier"])
        self.assertIn("no check of: verifier", record.problems)
        self.assertEqual(self.command, "/guest/checks operations verifier")
        self.assertIn("--only operations --only verifier", self.said)
        self.assertFalse(Path("qemu/results.json").exists())

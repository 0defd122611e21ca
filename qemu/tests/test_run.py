"""How a run ends, with a shell in place of QEMU."""
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from harness import run


class Shell:
    """A machine whose guest is a shell script."""

    accel = "kvm"

    def __init__(self, script):
        self.script = script

    def command(self, limit_seconds, command=""):
        return ["sh", "-c", self.script]


class Run(unittest.TestCase):
    def run_shell(self, script, limit_seconds=5):
        with tempfile.TemporaryDirectory() as folder:
            result = run.run(Shell(script), Path(folder) / "serial", limit_seconds, boot_seconds=0.1)
            self.console = result.serial.read_text()
        return result

    def test_pass(self):
        result = self.run_shell("echo mote-fact: init=1; echo mote-verdict: pass")
        self.assertTrue(result.passed, result.problems)
        self.assertIsNotNone(result.boot_seconds)
        self.assertEqual(result.fact("init"), "1")
        self.assertIn("mote-verdict", self.console)

    def test_silence(self):
        self.assertIn("silence", self.run_shell("exit 0").problems[0])

    def test_timeout(self):
        result = self.run_shell("echo hello; exec sleep 60", limit_seconds=0.3)
        self.assertIn("timeout", result.problems[0])
        self.assertLess(result.total_seconds, 5)

    def test_endless_words_are_no_sign_of_life(self):
        result = self.run_shell("while :; do echo hello; done", limit_seconds=0.3)
        self.assertIn("timeout", result.problems[0])

    def test_stays_on(self):
        with mock.patch.object(run, "POWER_OFF_SECONDS", 0.3):
            result = self.run_shell("echo mote-verdict: pass; exec sleep 60")
        self.assertIn("no power-off", result.problems[0])

    def test_qemu_fails(self):
        result = self.run_shell("echo wrong machine >&2; exit 1")
        self.assertEqual(result.problems, ["QEMU failed: wrong machine"])

    def test_qemu_is_killed(self):
        self.assertIn("QEMU failed", self.run_shell("kill -ABRT $$").problems[0])

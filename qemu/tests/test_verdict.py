"""What the harness makes of a console."""
import base64
import gzip
import io
import unittest

from harness.verdict import BROKE, EXITED, STAYED_ON, TIMED_OUT, Console, problems

PASS = b"[    2.1] mote-fact: init=6.1.0\r\n[    9.9] mote-verdict: pass\r\n"


def judged(text, ending=EXITED, said=""):
    console = Console()
    console.feed(text)
    console.close()
    return problems(console, ending, 60, said)


class Files(unittest.TestCase):
    def console(self, lines):
        self.log = io.BytesIO()
        console = Console(self.log)
        console.feed(b"".join(line + b"\r\n" for line in lines))
        console.close()
        return console

    def lines(self, content):
        text = base64.b64encode(gzip.compress(content))
        parts = [text[i : i + 76] for i in range(0, len(text), 76)]
        return [b"mote-data: verifier.log " + part for part in parts]

    def test_a_file_comes_whole_and_stays_out_of_the_console(self):
        content = bytes(range(256)) * 40
        console = self.console([b"before", *self.lines(content), b"mote-verdict: pass"])
        self.assertEqual(console.files(), {"verifier.log": content})
        self.assertEqual(console.verdicts, ["pass"])
        self.assertEqual(self.log.getvalue(), b"before\nmote-verdict: pass\n")

    def test_a_damaged_file_is_not_kept(self):
        lines = self.lines(bytes(range(256)) * 40)
        self.assertEqual(self.console(lines[1:]).files(), {"verifier.log": None})
        self.assertEqual(self.console(lines[:-1]).files(), {"verifier.log": None})
        self.assertEqual(self.console([b"mote-data: a.log x"]).files(), {"a.log": None})


class Verdict(unittest.TestCase):
    def named(self, text, name, ending=EXITED):
        found = judged(text, ending)
        self.assertTrue(any(problem.startswith(name) for problem in found), found)

    def test_pass(self):
        self.assertEqual(judged(PASS), [])

    def test_fail(self):
        self.assertEqual(judged(b"mote-verdict: fail 3\n"), ["verdict: fail 3"])

    def test_pass_is_no_prefix(self):
        self.named(b"mote-verdict: passable\n", "silence")

    def test_silence(self):
        self.named(b"", "silence")
        self.named(b"[    0.0] something\n", "silence")

    def test_timeout(self):
        self.named(b"[    0.0] something\n", "timeout", TIMED_OUT)

    def test_no_power_off(self):
        self.named(PASS, "no power-off", STAYED_ON)

    def test_qemu_broke(self):
        self.assertEqual(judged(b"", BROKE, "no such machine"), ["QEMU failed: no such machine"])

    def test_two_verdicts(self):
        self.named(PASS + b"mote-verdict: pass\n", "second verdict")
        self.named(PASS + b"mote-verdict: fail 1\n", "second verdict")

    def test_sick_kernels(self):
        for line, name in (
            ("[  1.0] Kernel panic - not syncing: Attempted to kill init!", "kernel panic"),
            ("[ 30.0] watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [sh:1]", "lockup"),
            ("[ 30.0] NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]", "lockup"),
            ("[ 30.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0", "lockup"),
            ("[ 60.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "RCU stall"),
            ("[ 60.0] rcu: INFO: rcu_preempt self-detected stall on CPU", "RCU stall"),
            ("[ 60.0] INFO: rcu_sched self-detected stall on CPU { 0}", "RCU stall"),
            ("[122.0] INFO: task mote:77 blocked for more than 120 seconds.", "hung task"),
            ("[  3.0] BUG: kernel NULL pointer dereference, address: 0000000000000008", "kernel BUG"),
            ("[  3.0] BUG: unable to handle kernel paging request at ffffffffa0", "kernel BUG"),
            ("[  3.0] kernel BUG at mm/slub.c:293!", "kernel BUG"),
            ("[  3.0][    T1] BUG: scheduling while atomic: sh/1/0x00000002", "kernel BUG"),
            ("[  3.0] general protection fault: 0000 [#1] SMP", "kernel oops"),
            ("[  3.0] Internal error: Oops: 96000004 [#1] SMP", "kernel oops"),
        ):
            with self.subTest(line):
                # A verdict does not make up for it.
                self.named(line.encode() + b"\n" + PASS, name)

    def test_words_of_programs_are_no_trouble(self):
        self.assertEqual(judged(b"a DEBUG: line\nlooks for BUG: reports\n" + PASS), [])

    def test_facts(self):
        console = Console()
        self.assertEqual(console.feed(b"[ 1.0] mote-fact: hooks=4"), [])
        self.assertEqual(console.feed(b"6\r\n[ 1.1] mote-fact: missing=a:b=c\n"),
                         [("hooks", "46"), ("missing", "a:b=c")])  # fmt: skip

    def test_verdict_without_newline(self):
        self.assertEqual(judged(b"mote-verdict: pass"), [])

    def test_kernel_message_in_the_middle_of_a_line(self):
        self.assertEqual(judged(b"half a li[    2.0] mote-verdict: pass\n"), [])

    def test_bytes_that_are_not_text(self):
        self.assertEqual(judged(b"\xff\x00\xfe\n" + PASS), [])

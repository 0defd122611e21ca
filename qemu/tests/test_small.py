"""Small machines: their root file system, and how their events are counted."""
import shutil
import subprocess
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from harness import ROOT, disk, machine, rootfs, table

from .program import load

small = load("qemu/small")
MOVED = (
    "action=exec pid=7 executable=/bin/mv args=/bin/mv return=0 ppid=5 uid=0",
    "action=rename pid=7 executable=/bin/mv return=0 ppid=5 uid=0",
    "action=exit pid=7 executable=/bin/mv ppid=5 uid=0",
)
FORK = "action=fork pid=7 executable=/bin/busybox ppid=5 uid=0"


class Root(unittest.TestCase):
    def test_a_disk_is_in_the_place_of_the_initramfs(self):
        on_disk = machine.Machine("vmlinuz", disk="root.ext4").command(60)
        self.assertNotIn("-initrd", on_disk)
        self.assertIn("file=root.ext4,format=raw,if=none,id=root,snapshot=on", on_disk)
        self.assertIn("root=/dev/nvme0n1", on_disk[-1])
        self.assertNotIn("rdinit", on_disk[-1])
        in_memory = machine.Machine("vmlinuz", "initramfs").command(60)
        self.assertEqual(in_memory[in_memory.index("-initrd") + 1], "initramfs")
        self.assertNotIn("-drive", in_memory)
        self.assertIn("rdinit=/init rootfstype=ramfs", in_memory[-1])

    def test_cpus_that_are_possible_are_at_least_those_that_are_online(self):
        def smp(**cpus):
            command = machine.Machine("vmlinuz", "initramfs", **cpus).command(60)
            return command[command.index("-smp") + 1]

        self.assertEqual(smp(), "1,maxcpus=1")
        self.assertEqual(smp(cpus=4), "4,maxcpus=4")
        self.assertEqual(smp(cpus=2, max_cpus=64), "2,maxcpus=64")

    @unittest.skipUnless(shutil.which("mke2fs") and shutil.which("debugfs"), "no e2fsprogs")
    def test_a_disk_has_the_files(self):
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "root").mkdir()
            image = Path(scratch) / "root.ext4"
            program = ROOT / "rootfs-tests/guest/true.c"
            with mock.patch.object(rootfs, "GUEST", ROOT / rootfs.GUEST):
                made = rootfs.fill(disk.Disk(Path(scratch) / "root"), {"mote": program}, {})
            made.write(image)

            def debugfs(command):
                return subprocess.run(["debugfs", "-R", command, image], capture_output=True).stdout

            self.assertEqual(debugfs("cat /bin/mote"), program.read_bytes())
            self.assertIn(b"Mode:  0755", debugfs("stat /init"))
            for script in ("small", "cpus", "checks"):
                self.assertIn(b"Mode:  0755", debugfs(f"stat /guest/{script}"))


class Counted(unittest.TestCase):
    """count_told of rootfs-tests/guest/sensor, with a shell's function for mote."""

    def count(self, moves, forks, events):
        text = "\n".join(f"time=0 host=h {event}" for event in events)
        script = (
            'fact() { echo "$1=$2"; }\nmote() { echo "$EVENTS"; }\n'
            f". {ROOT}/rootfs-tests/guest/sensor\nloader=5\ncount_told {moves} {forks}"
        )
        environment = {"EVENTS": text, "PATH": "/usr/bin:/bin"}
        return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)

    def test_all_are_told(self):
        result = self.count(2, 3, [FORK, *MOVED] * 2 + [FORK])
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("fork 3 of 3, exec 2 of 2, rename 2 of 2, exit 2 of 2,", result.stdout)

    def test_what_is_missing_has_to_be_counted(self):
        loss = "action=loss lost_where=ring_full lost_ring=priority lost_cpu=0 lost_count=1"
        missing = [FORK, *MOVED[:2]]
        self.assertEqual(self.count(1, 1, [*missing, loss]).returncode, 0)
        result = self.count(1, 1, missing)
        self.assertEqual(result.returncode, 1)
        self.assertIn("not told, nor counted: exit", result.stdout)

    def test_what_is_counted_covers_so_many_of_all(self):
        loss = "action=loss lost_where=ring_output lost_ring=priority lost_cpu=0 lost_count=1"
        result = self.count(1, 1, [FORK, MOVED[0], loss])
        self.assertEqual(result.returncode, 1)
        self.assertIn("not told, nor counted: rename exit", result.stdout)

    def test_after_a_loss_a_program_is_known_by_its_thread(self):
        unsure = [event.replace("executable=/bin/mv ", "") + " thread=mv" for event in MOVED[1:]]
        self.assertEqual(self.count(1, 1, [FORK, MOVED[0], *unsure]).returncode, 0)
        others = [event.replace("thread=mv", "thread=mvn") for event in unsure]
        self.assertEqual(self.count(1, 1, [FORK, MOVED[0], *others]).returncode, 1)

    def test_a_process_without_a_place_is_no_lost_event(self):
        unplaced = "action=loss lost_where=process_table lost_count=1"
        result = self.count(1, 1, [FORK, *MOVED[:2], unplaced])
        self.assertEqual(result.returncode, 1)
        self.assertIn("no place in the process table: 1", result.stdout)

    def test_what_is_told_twice_is_wrong(self):
        result = self.count(1, 1, [FORK, *MOVED, MOVED[1]])
        self.assertEqual(result.returncode, 1)
        self.assertIn("told more often than made: rename", result.stdout)

    def test_what_others_and_failures_do_is_not_counted(self):
        other = [event.replace("/bin/mv", "/bin/dd") for event in MOVED]
        failed = [event.replace("return=0", "return=-2") for event in MOVED[:2]]
        result = self.count(1, 1, [FORK, *MOVED, *other, *failed, FORK.replace("ppid=5", "ppid=55")])
        self.assertEqual(result.returncode, 0, result)


class Cases(unittest.TestCase):
    def main(self, results, *arguments):
        answers = iter(results)
        with (
            mock.patch.object(small, "boot", lambda *asked: next(answers)),
            mock.patch("sys.argv", ["small", *arguments]),
            redirect_stdout(StringIO()) as said,
        ):
            return small.main(), said.getvalue().strip()

    def test_every_case_has_its_row_and_its_script(self):
        rows = [kernel.row for kernel in table.load()]
        for name, case in small.ALL_CASES.items():
            self.assertIn(case.row, rows, name)
            self.assertIn(case.script.removeprefix("/guest/"), rootfs.SCRIPTS, name)

    def test_a_case_that_fails_or_cannot_be_booted_is_told(self):
        self.assertEqual(self.main([True, True], "64-mib", "arm64")[0], 0)
        self.assertEqual(self.main([True, False], "64-mib", "arm64")[0], 1)
        self.assertEqual(self.main([False, None], "64-mib", "arm64")[0], 2)

    def test_long_cases_only_if_asked(self):
        self.assertEqual(self.main([True] * len(small.CASES))[0], 0)
        self.assertEqual(self.main([False], "hours")[0], 1)

    def test_architectures_of_the_chosen_cases(self):
        self.assertEqual(self.main([], "--architectures", "64-mib"), (0, "amd64"))
        self.assertEqual(self.main([], "--architectures"), (0, "amd64 arm64"))

    def test_without_a_kernel_nothing_is_booted(self):
        with (
            mock.patch.object(table.Kernel, "image", lambda kernel: None),
            redirect_stderr(StringIO()) as said,
        ):
            self.assertIsNone(small.boot("64-mib", small.CASES["64-mib"], 1))
        self.assertIn("make kernels ROW=debian-11", said.getvalue())


if __name__ == "__main__":
    unittest.main()

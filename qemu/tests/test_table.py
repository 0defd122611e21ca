"""The kernel table, and what is said of a row."""
import unittest

from harness import apt, judge, machine, page, table
from harness.run import Result


def kernel(**changes):
    fields = dict(
        row="test", arch="amd64", distribution="Test", version="1", minimum="6.1",
        release="6.1.", package="p", published="here", provider="ebpf", lacks=(),
    )  # fmt: skip
    return table.Kernel(**{**fields, **changes})


def guest(**changes):
    facts = {"init": "6.1.0-56", "provider": "ebpf", "hooks": "46", "memory_kib": "2404",
             "check": "operations/files ok"}  # fmt: skip
    return Result([], [(k, v) for k, v in {**facts, **changes}.items() if v is not None], 2.0)


class Table(unittest.TestCase):
    def test_the_table_itself(self):
        rows = table.load()
        for row in rows:
            self.assertIn(row.arch, machine.ARCHITECTURES, row.row)
            self.assertIn(row.provider, ("ebpf", "netlink"), row.row)
            # An address of a mirror belongs to a machine, not to the project.
            self.assertNotRegex(row.published + row.package, "https?://", row.row)
        self.assertEqual(table.chosen(rows, ["debian-12"])[0].release, "6.1.")
        with self.assertRaisesRegex(table.TableError, "no row nonsense"):
            table.chosen(rows, ["nonsense"])

    def test_row_that_matches(self):
        record = judge.record(kernel(), guest(), "1")
        self.assertEqual((record.result, record.hooks, record.passed), ("passed", 46, 1))

    def test_row_that_differs(self):
        for row, result, word in (
            (kernel(), guest(init="5.10.0"), "wrong kernel"),
            (kernel(), guest(provider="netlink"), "provider: netlink"),
            (kernel(), guest(provider=None), "provider: none"),
            (kernel(), guest(missing="sys_enter_openat2"), "does not name|do not name|not name"),
            (kernel(lacks=("a", "b")), guest(missing="a"), "are there: b"),
            (kernel(), guest(check="operations/files ignored"), "no check passed"),
            (kernel(), guest(skipped="operations/files not root"), "without need"),
            (kernel(), Result(["verdict: fail 1"], guest().facts), "verdict: fail 1"),
        ):
            record = judge.record(row, result, "1")
            self.assertEqual(record.result, "failed", word)
            self.assertRegex("\n".join(record.problems), word)

    def test_what_cannot_be_static_may_be_skipped(self):
        for program, result in (("bpftool", "passed"), ("auditctl", "passed"), ("true", "failed")):
            skipped = guest(skipped=f"lifecycle/a {program} is not installed")
            self.assertEqual(judge.record(kernel(), skipped, "1").result, result, program)

    def test_what_a_kernel_lacks_may_be_skipped(self):
        skipped = guest(skipped="hostile/a this kernel has no openat2")
        self.assertEqual(judge.record(kernel(), skipped, "1").result, "failed")
        record = judge.record(kernel(skips=("hostile/a",)), skipped, "1")
        self.assertEqual(record.result, "passed")

    def test_page(self):
        rows = [kernel(), kernel(row="other")]
        text = page.render(rows, {"test": judge.record(kernel(), guest(), "1")})
        self.assertRegex(text, r"\| test \|.*\| 6.1.0-56 \| ebpf \| 46 of 46 \|.*\| passed \|\n")
        self.assertRegex(text, r"\| other \|.*\| not run \|\n")

    def test_image_package(self):
        for depends, package in (
            ("linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)", "linux-image-6.1.0-56-cloud-amd64"),
            ("linux-binary-7.2.12+deb14-cloud-amd64 (= 7.2.12-1)", "linux-binary-7.2.12+deb14-cloud-amd64"),
            ("kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2)", None),
        ):
            found = apt.IMAGE_PACKAGE.search(depends)
            self.assertEqual(found and found[1], package)


if __name__ == "__main__":
    unittest.main()

"""Every verb with system calls that fail, write less than asked, or are the last: nothing silent, every rerun right.

    LD_PRELOAD=FAULTS.so python -m tests.faults.faults [--most N] [VERB ...]

A verb runs in a forked process, in a copy of a small project. One fault later
* its exit status is 0 only if its results are those of an undisturbed run,
* else standard error says why in sentences, and no file has a name that it does not deserve,
* the same command (with --resume, where it asks for that) ends as if undisturbed, and leaves nothing behind.
"""

import argparse
import ctypes
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.scenarios import VERBS, import_all, write_project

KINDS = {"fails": 1, "is short": 2, "kills": 3}
UNARMED = (0, -1)
VOLATILE = "provenance.json"  # has times
MARKS = ("manifest.sha256", "history.csv")
LIMIT = 120  # seconds

Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """Return the results by name, without what differs from run to run."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != VOLATILE:
            content = path.read_bytes()
            if path.name == "manifest.sha256":
                content = b"".join(line for line in content.splitlines(True) if VOLATILE.encode() not in line)
            found[str(path.relative_to(folder))] = content
    return found


class Faults:
    """The project, and the library that makes faults."""

    def __init__(self, root: Path) -> None:
        self.root, self.work = root, root / "work"
        self.library = ctypes.CDLL(None)
        self.library.faults_arm.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_long)
        self.library.faults_count.restype = ctypes.c_long

    def run(self, command: tuple[str, ...], kind: int, number: int) -> tuple[int, int, str]:
        """Return exit status, number of counted calls, and what was said."""
        said = self.root / "said.txt"
        reading, writing = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            self._child(command, kind, number, said, writing)
        os.close(writing)
        with os.fdopen(reading) as stream:
            count = int(stream.read() or 0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count, said.read_text(errors="replace")

    def _child(self, command: tuple[str, ...], kind: int, number: int, said: Path, writing: int) -> None:
        status = 70
        try:
            from cman.cli.app import app

            signal.alarm(LIMIT)
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.chdir(self.work)
            self.library.faults_arm(str(self.work / "results").encode(), kind, number)
            try:
                app(list(command))
            except SystemExit as ended:
                status = int(ended.code or 0)
            os.write(writing, str(self.library.faults_count()).encode())
        finally:
            os._exit(status)

    def sound(self, command: tuple[str, ...], kind: int = 0) -> int:
        """Run a verb undisturbed and return the number of calls that a kind of fault could be in."""
        status, count, said = self.run(command, kind, -1)
        assert status == 0, (command, said)
        return count

    def begin(self, template: Path) -> Tree:
        """Make the project what it was before the verb; return its results."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(template, self.work, symlinks=True)
        return tree(self.work / "results")

    def judge(self, command: tuple[str, ...], name: str, number: int, before: Tree, expected: Tree) -> str | None:
        """Return what is wrong after one fault; None for nothing."""
        status, _, said = self.run(command, KINDS[name], number)
        after = tree(self.work / "results")
        if status == 0 and after != expected:
            return f"silent: exit status 0, other results: {_differences(after, expected)}"
        if "Traceback" in said or (status > 0 and "error: " not in said):
            return f"exit status {status}, and said {said[-300:]!r}"
        if status not in (0, 1, 2, -signal.SIGKILL):
            return f"exit status {status}"
        half = [file for file in after if file in expected and Path(file).name not in MARKS
                and after[file] not in (expected[file], before.get(file))]  # fmt: skip
        if half:
            return f"half written under their names: {half}"
        status, _, said = self.run(command, *UNARMED)
        if status == 2 and "wanted --resume" in said:
            status, _, said = self.run((*command, "--resume"), *UNARMED)
        left = tree(self.work / "results")
        if status != 0 or left != expected:
            return f"the rerun: exit status {status}, {said[-300:]!r}, {_differences(left, expected)}"
        return None


def _differences(found: Tree, expected: Tree) -> list[str]:
    return sorted(name for name in found | expected if found.get(name) != expected.get(name))


def main() -> int:
    """Try the faults of the verbs that are named, all by default; return 1 if one was handled wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verbs", nargs="*", choices=[*VERBS, []])
    parser.add_argument("--most", type=int, default=40, help="faults of each kind for each verb")
    options = parser.parse_args()
    import_all()
    chance, total, wrong = random.Random(1), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        faults = Faults(Path(temporary).resolve())
        template = faults.root / "template"
        write_project(template)
        for verb, command in VERBS.items():
            if not options.verbs or verb in options.verbs:
                counts = {}
                for name, kind in KINDS.items():
                    before = faults.begin(template)
                    counts[name] = faults.sound(command, kind)
                expected = tree(faults.work / "results")
                tried = 0
                for name, count in counts.items():
                    for number in sorted(chance.sample(range(1, count + 1), min(count, options.most))):
                        faults.begin(template)
                        tried += 1
                        if problem := faults.judge(command, name, number, before, expected):
                            wrong += 1
                            print(f"{verb}: call {number} of {count} {name}: {problem}")
                total += tried
                print(f"{verb}: {tried} faults among {counts['fails']} calls", flush=True)
            if options.verbs and verb == [each for each in VERBS if each in options.verbs][-1]:
                break
            faults.begin(template)
            faults.sound(command)
            shutil.rmtree(template)
            faults.work.rename(template)
    print(f"{total} faults, {wrong} handled wrongly")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

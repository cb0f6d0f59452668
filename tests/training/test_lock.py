"""The lock of a run's checkpoints: who comes second is told who holds it; a dead holder is taken over."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from trained import trained

from cman import lock as module
from cman.errors import CmanError
from cman.lock import locked


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints" / "seed1"


def lock_file(folder):
    return folder.with_name("seed1.lock")


def written(folder, **changes):
    """Write the lock of another holder: by default this very process."""
    lock_file(folder).parent.mkdir(parents=True, exist_ok=True)
    lock_file(folder).write_text(json.dumps(module._this_process() | changes))


def test_a_lock_names_its_holder_and_is_gone_afterwards(folder, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with locked(folder, "trained"):
        holder = json.loads(lock_file(folder).read_text())
        assert (holder["host"], holder["process"], holder["job"]) == (socket.gethostname(), os.getpid(), "4711")
        with pytest.raises(CmanError) as error, locked(folder, "trained"):
            pass
        assert f"process {os.getpid()} on {socket.gethostname()} (Slurm job 4711) since {holder['since']}" in str(
            error.value
        )
    assert not lock_file(folder).exists()
    with pytest.raises(ZeroDivisionError), locked(folder, "trained"):
        raise ZeroDivisionError
    assert not lock_file(folder).exists()


def test_a_file_system_without_links_has_locks_too(folder, monkeypatch):
    def refuse(*names):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with locked(folder, "trained"):
        assert json.loads(lock_file(folder).read_text())["process"] == os.getpid()
        with pytest.raises(CmanError, match="is being trained by process"), locked(folder, "trained"):
            pass
    assert list(folder.parent.iterdir()) == []


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(lambda: {"process": dead_process()}, id="no such process"),
        pytest.param(lambda: {"started": "1"}, id="a process of the same number that began at another time"),
        pytest.param(lambda: {"process": "x"}, id="no number"),
    ],
)
def test_a_dead_holder_on_this_machine_is_taken_over_with_one_line(folder, caplog, holder):
    written(folder, **holder())
    with caplog.at_level("INFO", logger="cman"), locked(folder, "trained"):
        assert json.loads(lock_file(folder).read_text())["process"] == os.getpid()
    assert [line.endswith("is dead; taking over") for line in caplog.messages] == [True]


def test_a_process_that_is_dead_and_not_yet_buried_is_dead(folder):
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = None
    while started is None:
        started = module._start_of(process.pid)
    while module._start_of(process.pid) is not None:  # never waited for: a zombie
        time.sleep(0.01)
    written(folder, process=process.pid, started=started)
    with locked(folder, "trained"):
        pass
    process.wait()


@pytest.mark.parametrize("content", [None, "", "{", "[]"], ids=["another host", "empty", "cut", "a list"])
def test_a_holder_elsewhere_or_unknown_is_dead_when_it_was_silent_for_two_minutes(folder, content):
    written(folder, host="node7", machine="other", process=12)
    if content is not None:
        lock_file(folder).write_text(content)
    name = "process 12 on node7" if content is None else "an unknown process"
    with pytest.raises(CmanError, match=f"is being trained by {name}"), locked(folder, "trained"):
        pass
    old = time.time() - module.SILENCE - 5
    os.utime(lock_file(folder), (old, old))
    with locked(folder, "trained"):
        assert json.loads(lock_file(folder).read_text())["process"] == os.getpid()


def test_the_holder_touches_the_file_all_the_while(folder, monkeypatch):
    assert module.BEAT <= 15
    monkeypatch.setattr(module, "BEAT", 0.02)
    with locked(folder, "trained"):
        os.utime(lock_file(folder), (0, 0))
        deadline = time.monotonic() + 20
        while lock_file(folder).stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lock_file(folder).stat().st_mtime > 0


def test_a_lock_that_another_took_over_is_noticed_and_left_alone(folder):
    with locked(folder, "trained") as held:
        held.check()
        written(folder, process=1, host="node7")
        with pytest.raises(CmanError, match="found the lock of process 1 on node7"):
            held.check()
    assert json.loads(lock_file(folder).read_text())["host"] == "node7"


def test_of_many_at_once_one_takes_a_dead_lock(folder):
    written(folder, process=dead_process())
    held, refused, together = [], [], threading.Barrier(8)

    def take():
        together.wait()
        try:
            with locked(folder, "trained"):
                held.append(1)
                time.sleep(0.5)
        except CmanError:
            refused.append(1)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 7)


def test_a_run_that_another_trains_is_left_alone(configure, layout):
    configuration = configure(**{"training.protocol": "fixed", "training.epochs": 1})
    run = trained(configuration, layout, "tiny", "cman")
    (run / "scores.json").write_text("{}")
    words = f"is being trained by process {os.getpid()} on .* nothing was changed"
    with locked(layout.checkpoints("tiny", "cman", "main", 1), "trained"), pytest.raises(CmanError, match=words):
        trained(configuration, layout, "tiny", "cman")
    assert (run / "scores.json").exists()


@pytest.mark.slow
def test_of_two_processes_that_train_one_run_one_does_and_the_other_says_who(configure, layout, tmp_path):
    (tmp_path / "c.json").write_text(configure().model_dump_json())
    command = [sys.executable, "-m", "cman", "train", "--config", str(tmp_path / "c.json"), "--corpus", "tiny",
               "--experiment", "cman", "--results", str(layout.root), "--device", "cpu"]  # fmt: skip
    expected = trained(configure(), layout, "tiny", "cman") / "model" / "model.safetensors"
    content = expected.read_bytes()
    expected.unlink()
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    lock = layout.checkpoints("tiny", "cman", "main", 1).with_name("seed1.lock")
    while first.poll() is None and not (lock.exists() and lock.read_text()):
        time.sleep(0.005)
    first.send_signal(signal.SIGSTOP)
    second = subprocess.run(command, capture_output=True, text=True)
    first.send_signal(signal.SIGCONT)
    assert (second.returncode, first.wait()) == (1, 0)
    assert f"is being trained by process {first.pid} on {socket.gethostname()} since " in second.stderr
    assert second.stderr.count("\n") == 1
    assert expected.read_bytes() == content

"""A private Slurm of three nodes on this machine, one with a pretended GPU: for tests, in a folder of its own.

Debian's `slurmd` plays several nodes on one host. No database, no systemd, nothing of /etc: commands named as
Slurm's own stand first on PATH and say where the configuration is, because the job step drops every variable that
begins with SLURM.

Everything ends: a cluster has so many seconds, after which each wait for it fails at once; and when it stops, whatever
was started by it is killed, also what was stopped by a signal or outlived its `slurmd`. Where the tests themselves are
killed, a process that waits for their end does that: this file, as a program.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
NEEDED = ("munged", "slurmctld", "slurmd", *COMMANDS)
SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
CPU_NODES, GPU_NODE = ("n1", "n2"), "n3"
CONFIGURATION = """
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldPort={ports[0]}
SlurmdParameters=config_overrides
SlurmdTimeout=20
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MinJobAge=3600
KillWait=3
SchedulerParameters=batch_sched_delay=0,sched_interval=1
GresTypes=gpu
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=16000{gres} State=UNKNOWN\n"
)
LIMITS = "PartitionName=all Nodes=n1,n2,n3 Default=YES MaxTime=1440 State=UP\n"


def missing() -> str:
    """Return which of Slurm's programs are not installed, in words; empty if all are."""
    absent = [name for name in NEEDED if shutil.which(name, path=SYSTEM) is None]
    return f"Slurm is not installed: no {', '.join(absent)} (Debian: slurm-wlm munge)" if absent else ""


class Cluster:
    """A running cluster; after so many seconds nobody waits for it any more."""

    def __init__(self, folder: Path, seconds: float = 1800) -> None:
        self.folder, self.running = folder, dict[str, subprocess.Popen]()
        self.deadline = time.monotonic() + seconds
        for name in ("bin", "ctld", *(f"spool.{node}" for node in (*CPU_NODES, GPU_NODE))):
            (folder / name).mkdir()
        self._write()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.watch = subprocess.Popen([sys.executable, "-I", __file__, folder], stdin=subprocess.PIPE)
        try:
            options = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")]
            self._start("munged", "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *options)
            self.until((folder / "munge.socket").exists, "a socket of munge", 20)
            self._start("slurmctld", "slurmctld", "-D")
            for node in (*CPU_NODES, GPU_NODE):
                self.start_node(node)
            self.until(lambda: self.ask("sinfo", "-h", "-N", "-o", "%t").split().count("idle") == 3, "three idle nodes")
        except BaseException:
            self.stop()
            raise

    def until(self, fact: Callable[[], object], what: str, seconds: float = 120) -> None:
        """Wait until something holds."""
        deadline = min(time.monotonic() + seconds, self.deadline)
        while not fact():
            assert time.monotonic() < deadline, f"waited for {what}, at most {seconds} s; {self.left():.0f} s are left"
            time.sleep(0.2)

    def left(self) -> float:
        """Return for how many seconds this cluster may still be waited for."""
        return max(self.deadline - time.monotonic(), 0.0)

    def _write(self) -> None:
        host, user = socket.gethostname().partition(".")[0], pwd.getpwuid(os.getuid()).pw_name
        ports = free_ports(4)
        text = CONFIGURATION.format(host=host, folder=self.folder, user=user, ports=ports)
        for node, port in zip((*CPU_NODES, GPU_NODE), ports[1:], strict=True):
            text += NODE.format(name=node, host=host, port=port, gres=" Gres=gpu:1" if node == GPU_NODE else "")
        (self.folder / "slurm.conf").write_text(text + LIMITS)
        (self.folder / "gres.conf").write_text(f"NodeName={GPU_NODE} Name=gpu File=/dev/null\n")
        for name in COMMANDS:
            script = self.folder / "bin" / name
            script.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which(name, path=SYSTEM)} "$@"\n'
            )
            script.chmod(0o755)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / f"{name}.out").open("a") as log:
            self.running[name] = subprocess.Popen(
                [shutil.which(program, path=SYSTEM) or program, *arguments],
                env={**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def start_node(self, node: str) -> None:
        """Start a node, also one that has failed."""
        self._start(node, "slurmd", "-D", "-N", node)

    def fail_node(self, node: str, *processes: int) -> None:
        """Let a node die, and with it the processes of its jobs."""
        self.running[node].kill()
        self.running[node].wait()
        for process in processes:
            os.kill(process, 9)

    def ask(self, command: str, *arguments: str) -> str:
        """Return what one of Slurm's commands prints."""
        line = [str(self.folder / "bin" / command), *arguments]
        return subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30).stdout

    def jobs(self, *states: str) -> list[str]:
        """Return the ids of jobs, by default of those that wait or run."""
        return self.ask("squeue", "-h", "-o", "%i", "-t", ",".join(states or ("PENDING", "RUNNING"))).split()

    def facts(self, job: str) -> dict[str, str]:
        """Return what the controller knows of a job, such as `NodeList` and `MinMemoryNode`."""
        words = self.ask("scontrol", "-o", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        """Return an environment in which Slurm's commands mean this cluster."""
        return {**environment, "PATH": f"{self.folder / 'bin'}{os.pathsep}{environment['PATH']}"}

    def clear(self) -> None:
        """End all jobs and wait a little until they are gone."""
        with contextlib.suppress(AssertionError, OSError, subprocess.SubprocessError):
            if jobs := self.jobs("PENDING", "RUNNING", "SUSPENDED", "COMPLETING"):
                self.ask("scancel", *jobs)
                ended = time.monotonic() + 15
                while time.monotonic() < ended and self.jobs("PENDING", "RUNNING", "SUSPENDED", "COMPLETING"):
                    time.sleep(0.2)

    def stop(self) -> None:
        """End all jobs and then the cluster; what does not end by itself is killed."""
        self.clear()
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        kill_all(self.folder)
        for process in self.running.values():
            process.wait(10)
        self.watch.communicate()


def kill_all(folder: Path) -> None:
    """Kill all processes that know a cluster: daemons, steps of jobs and what these started."""
    known = f"{folder}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if known in (process / "environ").read_bytes() and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    os.setsid()  # what ends the tests is not to end this
    sys.stdin.read()
    kill_all(Path(sys.argv[1]))

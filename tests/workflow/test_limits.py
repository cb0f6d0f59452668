"""What jobs ask a cluster for, and the plugin that asks for them."""

from importlib.metadata import version
from pathlib import Path

import snakemake_executor_plugin_slurm as plugin

from cman.workflow.limits import START, memory, minutes


def test_memory_and_time_double_with_each_attempt():
    assert [memory(attempt) for attempt in (1, 2, 3)] == [3000, 6000, 12000]
    assert [minutes(attempt, 10) for attempt in (1, 2, 3)] == [40, 80, 160]


def test_time_grows_with_epochs_and_with_the_documents(tmp_path):
    documents = tmp_path / "train.jsonl"
    assert minutes(1, 30, documents) == minutes(1, 30)  # not prepared yet
    documents.write_bytes(b" " * 3_000_000)
    assert minutes(1, 30, documents) == START + 30 * 2 * 3
    assert minutes(1) == START


def test_the_faults_of_the_plugin_that_the_profile_walks_around_are_still_there():
    sources = Path(plugin.__file__).parent.glob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    told = "is mended: look at profiles/slurm/profile.yaml and docs/cluster.md"
    assert version("snakemake-executor-plugin-slurm") == "2.8.0", told
    assert '"CANCELLED by' not in text and 'startswith("CANCELLED' not in text, f"cancelled jobs of sacct: {told}"
    assert '"None assigned"' not in text, f"a node that no job was assigned: {told}"
    assert text.count("no_account") == 1, f"slurm-no-account: {told}"

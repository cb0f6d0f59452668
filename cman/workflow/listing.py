"""`results/runs.json`: the runs that tables, figures, appendix and browser show, with their digests and their titles.

It stands between the configuration and whatever shows runs, because a command line could not hold the folders of many
seeds. Records have neither digest nor titles of their own: what they were made from stands in their provenance.
"""

from typing import Any

from cman.workflow.digests import SHOWN, Digests
from cman.workflow.plan import Run


def listing(digests: Digests) -> dict[str, Any]:
    """Return the content of `runs.json`: the absent corpora, and each run with its folder, digest and titles.

    `prepared` tells whether the gold documents of a run are prepared by this configuration, which a record's may not.
    """
    plan = digests.plan
    if plan.configuration.record:
        runs: list[dict[str, Any]] = [
            {"folder": folder, "prepared": folder in plan.with_gold, "digest": None, "facts": {}}
            for folder in plan.records
        ]
    else:
        runs = [
            {"folder": run.folder, "prepared": True, "digest": digests.train(*run.key), "facts": _facts(digests, run)}
            for run in plan.runs
        ]
    return {"absent": plan.absent, "runs": runs}


def _facts(digests: Digests, run: Run) -> dict[str, Any]:
    named = digests.titles(run.corpus, run.experiment)
    return {name: named[name] for name in SHOWN}

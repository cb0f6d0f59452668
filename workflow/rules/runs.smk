# Which runs are measured, timed and compared with gold documents, and the files of theirs that this reads.

# Table V, and the baseline with the inputs of CMAN.
DECODED = ["multihead-at", "multihead-contextual", "cman-no-uncertainty", "cman"]


def measured_runs():
    """Return the folders of the runs that the tables show: all that are configured, or all that are recorded."""
    if configuration.record:
        found = sorted(
            str(path.parent)
            for path in Path("results/record").glob("*/*/*/seed*/scores.json")
        )
        if not found:
            raise WorkflowError(
                "record: found no run below results/record, wanted at least one; see `cman record`"
            )
        return found
    if not TRAININGS and PRESENT:
        raise WorkflowError(
            "experiments, seeds: found an empty list, wanted at least one of each for the tables"
        )
    return [RUN.format(**training) for training in TRAININGS]


def corpus_and_split(run):
    """Return the two as a run's or a record's folder names them."""
    return Path(run).parts[-4], Path(run).parts[-2]


def run_files(runs):
    """Return the files of runs or records that tables and figures read."""
    predictions = (
        "predictions.jsonl.gz" if configuration.record else "predictions.jsonl"
    )
    names = ["scores.json", "provenance.json", "history.csv", predictions]
    return [f"{run}/{name}" for run in runs for name in names]


def label_copies(runs):
    """Return the counts of label copies; records of runs made before they were counted have none."""
    files = [f"{run}/label_copies.json" for run in runs]
    return [file for file in files if not configuration.record or Path(file).is_file()]


def gold_documents(runs, parts=("test",)):
    """Return the documents that the predictions of runs are compared with."""
    places = dict.fromkeys(map(corpus_and_split, runs))
    return [
        file for corpus, split in places for file in documents_of(corpus, split, parts)
    ]


MEASURED = measured_runs()
# Models have a card each; records keep no models.
CARDS = [] if configuration.record else [f"{run}/model/README.md" for run in MEASURED]
# Figures and appendix read gold documents: of records, those whose corpus is configured.
WITH_GOLD = [run for run in MEASURED if corpus_and_split(run)[0] in PRESENT]


def timed_runs():
    """Return the runs whose decoding Table V times: the first seed and division of each corpus."""
    if configuration.record:
        return []
    first = {}
    for training in TRAININGS:
        first.setdefault(training["corpus"], (training["split"], training["seed"]))
    return [
        RUN.format(corpus=corpus, experiment=experiment, split=split, seed=seed)
        for corpus, (split, seed) in first.items()
        for experiment in configuration.experiments_of(corpus)
        if experiment in DECODED
    ]


def features_of(run):
    """Return the cached contextual features that a run reads."""
    corpus, experiment = Path(run).parts[-4:-2]
    return contextual_files(corpus, experiment)


TIMED = timed_runs()
DECODING = ["results/speed/decoding.csv"] if TIMED else []
if configuration.record:  # no models are kept there, but what was measured with them
    DECODING = [str(path) for path in Path("results/record/speed").glob("decoding.csv")]

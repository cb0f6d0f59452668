# The configuration, checked, and the small functions that rules take their inputs from.

import json
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from cman.config.configuration import parse_configuration
from cman.config.corpora import NO_PATH
from cman.corpora.raw import given_files, raw_files
from cman.errors import CmanError
from cman.fetch.inputs import input_files
from cman.fetch.models import file_names
from cman.layout import FOLDS, MAIN, Layout

try:
    configuration = parse_configuration(
        config, " and ".join(map(str, workflow.configfiles))
    )
except CmanError as error:
    raise WorkflowError(str(error)) from None

# `cman` of the environment that runs Snakemake, also when that is not activated or the job runs on another node. A
# mirror is no parameter of a rule: another mirror has the same bytes and makes nothing out of date.
PREFIX = f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; '
if configuration.mirror is not None:
    PREFIX += f"export CMAN_MIRROR={shlex.quote(str(configuration.mirror))}; "
shell.prefix(PREFIX)

# A GPU is a limited resource only where there is one; on other machines trainings share the cores.
WITH_GPU = configuration.device == "cuda" or (
    configuration.device == "auto" and shutil.which("nvidia-smi") is not None
)

# A corpus that cannot be had is no target; its tables have dashes.
PRESENT = [
    name for name, corpus in configuration.corpora.items() if not corpus.is_absent
]
ABSENT = [name for name in configuration.corpora if name not in PRESENT]
FOLDED = [name for name in PRESENT if configuration.corpora[name].folded]
EXPERIMENTS = {
    name for corpus in PRESENT for name in configuration.experiments_of(corpus)
}
TRAININGS = [
    {"corpus": corpus, "experiment": experiment, "split": split, "seed": seed}
    for corpus in PRESENT
    for seed in configuration.seeds
    for split in configuration.corpora[corpus].divisions_run
    for experiment in configuration.experiments_of(corpus)
]


onstart:
    for name in ABSENT:
        logger.warning(NO_PATH % name)
    for name in PRESENT:
        if not configuration.experiments_of(name):
            logger.warning(
                f"{name}: nothing is run, because `only:` has none of the experiments"
            )


RUN = "results/runs/{corpus}/{experiment}/{split}/seed{seed}"
DOCUMENTS = "results/corpora/{corpus}/{split}"


def either(names):
    """Return a pattern that matches exactly the given names; one that matches nothing if there are none."""
    return "|".join(sorted(names)) or "(?!)"


def code(*patterns, without=()):
    """Return the modules below `cman/` that a stage's result depends on: editing one makes the stage run again."""
    found = {
        path
        for pattern in patterns
        for path in Path("cman").glob(pattern)
        if path.is_file()
    }
    left_out = {path for pattern in without for path in Path("cman").glob(pattern)}
    return sorted(str(path) for path in found - left_out)


def part_of(wildcards):
    """Return the part of the configuration that a corpus, its features of one name or one experiment depend on."""
    experiment = getattr(wildcards, "experiment", None)
    features = getattr(wildcards, "features", None)
    return json.dumps(configuration.narrowed(wildcards.corpus, experiment, features))


def raw_inputs(wildcards):
    """Return the raw files of a corpus."""
    corpus = configuration.corpora[wildcards.corpus]
    return [
        f"results/raw/{wildcards.corpus}/{name}" for name in raw_files(corpus)
    ] + given_files(corpus)


def training_files(corpus, experiment, split):
    """Return the documents and features that a training reads."""
    settings = configuration.settings_of(corpus, experiment)
    parts = ["train", "dev"]
    if settings.word.vocabulary == "all":
        parts.append("test")
    files = documents_of(corpus, split, parts)
    if settings.word.vectors is not None:
        files += expand_features(
            corpus, settings.word.vectors, "vectors.npy", "words.json"
        )
    if settings.encoder.trainable:
        return files + features_inputs(settings.contextual.encoder)
    return files + contextual_files(corpus, experiment)


def documents_of(corpus, split, parts):
    """Return prepared documents."""
    folder = Path(DOCUMENTS.format(corpus=corpus, split=split))
    return [str(folder.joinpath(f"{part}.jsonl")) for part in parts]


def training_inputs(wildcards):
    """Return what the training of one run reads."""
    return training_files(wildcards.corpus, wildcards.experiment, wildcards.split)


def contextual_files(corpus, experiment):
    """Return the cached contextual features of a corpus; none for an experiment without or with a trained encoder."""
    settings = configuration.settings_of(corpus, experiment)
    if not settings.contextual.enabled or settings.encoder.trainable:
        return []
    return expand_features(
        corpus, settings.contextual.encoder, "features.npy", "index.json"
    )


def contextual_features(wildcards):
    """Return the cached contextual features that a run reads."""
    return contextual_files(wildcards.corpus, wildcards.experiment)


def features_inputs(name):
    """Return the files that an encoder or word vectors are read from: given by path, or downloaded."""
    files = [str(file.path) for file in input_files(configuration, name, Layout())]
    encoder = configuration.encoders.get(name)
    if encoder is not None and encoder.path is not None:
        files += [str(encoder.path / file) for file in file_names(encoder.path)]
    return files


def downloads_part(wildcards):
    """Return the part of the configuration that the downloads of an encoder or of word vectors depend on."""
    return json.dumps(configuration.narrowed_to_inputs(wildcards.features))


def expand_features(corpus, name, *files):
    """Return files of one folder of features."""
    return [f"results/features/{corpus}/{name}/{file}" for file in files]


def features_option(wildcards, input):
    """Return the option that gives `cman predict` the cached features, if the run has any."""
    return f"--features {Path(input.features[0]).parent}" if input.features else ""

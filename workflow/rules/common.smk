# The configuration, checked; what it asks for; and the functions that rules take their inputs and digests from.

import inspect
import os
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import contains_wildcard
from snakemake.settings.types import SharedFSUsage
from snakemake.utils import update_config

from cman.binary import kernels_digest, unusable
from cman.config.configuration import parse_configuration
from cman.config.corpora import NO_PATH
from cman.config.strict_yaml import load_yaml, typed
from cman.errors import CmanError
from cman.files import read_text
from cman.layout import FOLDS, MAIN, SPLITS
from cman.workflow import limits
from cman.workflow.brevity import Brief
from cman.workflow.code import Code
from cman.workflow.digests import Digests
from cman.workflow.inputs import content
from cman.workflow.known import cache_folder
from cman.workflow.plan import PREDICTED, SCORED, TRAINED, Plan

HERE = Path(
    workflow.current_basedir.join("..").get_path_or_uri(secret_free=True)
).resolve()
try:
    if Path(workflow.main_snakefile).resolve().parent in (HERE, HERE.parent):
        # Snakemake's own reading takes the last of two equal keys. Another workflow's files are its own affair.
        for file in workflow.configfiles:
            load_yaml(read_text(Path(file)), str(file))
    # On the command line everything is text to Snakemake.
    update_config(config, typed(dict(workflow.config_settings.config)))
    configuration = parse_configuration(
        config, " and ".join(map(str, workflow.configfiles)) or "config"
    )
    plan = Plan(
        configuration,
        shared=SharedFSUsage.INPUT_OUTPUT in workflow.storage_settings.shared_fs_usage,
    )
    digests = Digests(
        plan,
        Code(kept=cache_folder()),
        kernels_digest(configuration.kernels),
    )
    LOST = plan.lost() if workflow.is_main_process else []
except CmanError as error:
    raise WorkflowError(str(error)) from None

# `cman` of the environment that runs Snakemake, also when that is not activated or the job runs on another node, where
# this file is read again; and the configuration, which verbs read from standard input: in the environment, as a failed
# job's command is shown with its prefix. Neither it nor the mirror is a parameter of a rule: what of the configuration
# makes a job out of date is in its digest, and another mirror has the same bytes.
os.environ.update(
    CMAN_CONFIGURATION=configuration.model_dump_json(exclude_defaults=True)
)
PREFIX = f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; '
if configuration.mirror is not None:
    PREFIX += f"export CMAN_MIRROR={shlex.quote(str(configuration.mirror))}; "
shell.prefix(
    PREFIX.replace("{", "{{").replace("}", "}}")
)  # it is formatted as commands are

# A GPU is a limited resource only where there is one; on other machines trainings share the cores.
GPU = int(
    configuration.device == "cuda"
    or (configuration.device == "auto" and shutil.which("nvidia-smi") is not None)
)
LISTING = "results/runs.json"
# No input: a checkout may stand elsewhere, and its content is what counts.
PUBLISHED = Path(
    workflow.current_basedir.join("../../config/published.yaml").get_path_or_uri(
        secret_free=True
    )
).resolve()
RUN = "results/runs/{corpus}/{experiment}/{split}/seed{seed}"


onstart:
    for name in plan.absent:
        logger.warning(NO_PATH % name)
    for name in plan.present:
        if not configuration.experiments_of(name):
            logger.warning(
                f"{name}: nothing is run, because `only:` has none of the experiments"
            )
    if configuration.kernels == "auto" and unusable():
        logger.warning(f"kernels: plain PyTorch is used: {unusable()}")


def either(names):
    """Return a pattern that matches exactly the given names; one that matches nothing if there are none."""
    return "|".join(sorted(names)) or "(?!)"


def all_listed():
    """Return whether each job is named in the log: always, but in a dry run, whose table counts them, with --verbose."""
    return not workflow.dryrun or workflow.output_settings.verbose


logger.addFilter(Brief(all_listed))


def inspected(function):
    """Return a function whose signature is known: Snakemake asks for it a dozen times a job."""
    function.__signature__ = inspect.signature(function)
    return function


def digest(job):
    """Return the function that gives a rule the digest of everything upstream of its job."""

    def of(wildcards):
        return getattr(digests, job)(**dict(wildcards.items()))

    return inspected(of)


def files(name):
    """Return the function that gives a rule the files that the plan knows by that name.

    It is called before Snakemake looks for what is out of date: what is lost is forced then. A given file with braces in
    its path would be a pattern to Snakemake, without a way to escape it; its content is in the digest in any case.
    """

    def of(wildcards):
        workflow.dag.forcefiles.update(LOST)
        named = getattr(plan, name)(**dict(wildcards.items()))
        return [file for file in named if not contains_wildcard(file)]

    return inspected(of)


@inspected
def device(wildcards, resources):
    """Return where a job computes: on a GPU if it has reserved one or a part of one. It makes nothing out of date."""
    return configuration.device if resources.gpu or resources.get("gres") else "cpu"


@inspected
def memory(wildcards, attempt):
    """Return the megabytes that a job asks for."""
    return limits.memory(attempt)


@inspected
def minutes(wildcards, attempt):
    """Return the minutes that a training asks for, by its epochs and its documents."""
    settings = plan.settings(wildcards.corpus, wildcards.experiment)
    documents = plan.documents(wildcards.corpus, wildcards.split)[0]
    return limits.minutes(attempt, settings.training.epochs, Path(documents))


@inspected
def published(wildcards, output):
    """Return where the published figures are. Where it is makes nothing out of date, what is in it does."""
    return str(PUBLISHED)


@inspected
def backend(wildcards, resources):
    """Return which operations a job may use. Which it does use is in its digest, so this makes nothing out of date."""
    return configuration.kernels


@inspected
def features_option(wildcards, input):
    """Return the option that gives `cman predict` the cached features, if the run has any."""
    features = input.get("features")
    return ["--features", str(Path(features[0]).parent)] if features else []


@inspected
def text_option(wildcards):
    """Return the option that also reads the test documents of one's own corpus as raw text, for the model's card."""
    text = plan.text(**dict(wildcards.items()))
    return [] if text is None else ["--text", text]

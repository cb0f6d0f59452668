# From raw corpora to the paper's tables: `snakemake --cores all results/tables.tex`.
#
# A rule names files and calls one verb of `cman`; what a verb does stands in the package.

from snakemake.utils import min_version

min_version("9.18")

# Not merged: with --configfile, nothing of the default, such as its sample corpus, comes into a real run.
if not workflow.configfiles:

    configfile: "config/default.yaml"


# Inert without `--sdm apptainer`. The environment is the one that Snakemake itself runs in; see the README.
container: "docker://python:3.12"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/kernels.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/speed.smk"


wildcard_constraints:
    corpus=either(PRESENT),
    experiment=either(EXPERIMENTS),
    features=either([*configuration.encoders, *configuration.vectors]),
    encoder=either(configuration.encoders),
    vectors=either(configuration.vectors),
    split=either([MAIN, *FOLDS]),
    seed=r"\d+",


rule all:
    default_target: True
    input:
        rules.tables.output,
        rules.figures.output if WITH_GOLD else [],
        rules.appendix.output if WITH_GOLD else [],
        rules.browser.output if WITH_GOLD else [],
        CARDS,

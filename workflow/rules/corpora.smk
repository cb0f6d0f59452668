# Raw files from a path, a mirror or their address, or a generated sample; then documents.


localrules:
    corpus_configuration,
    fetch,
    prepare,
    prepare_folds,


PARTS = ["train", "dev", "test"]
PREPARATION = code(
    "corpora/*.py",
    "corpora/*.txt",
    "corpora/tokenize.py",
    without=["corpora/samples/*.py", "fetch/download.py"],
)


rule corpus_configuration:
    output:
        "results/configurations/{corpus}.json",
    log:
        "results/logs/configuration/{corpus}.log",
    params:
        part=part_of,
    message:
        "the part of the configuration that {wildcards.corpus} depends on"
    shell:
        "printf %s {params.part:q} | cman config --config - --corpus {wildcards.corpus} --output {output} --log {log}"


rule fetch:
    input:
        config="results/configurations/{corpus}.json",
        code=code("fetch/download.py", "corpora/raw.py", "corpora/samples/*.py"),
    output:
        "results/raw/{corpus}/{file}",
    log:
        "results/logs/fetch/{corpus}/{file}.log",
    message:
        "raw file {wildcards.file} of {wildcards.corpus}"
    shell:
        "cman fetch --config {input.config} --corpus {wildcards.corpus} --file {wildcards.file} --log {log}"


rule prepare:
    input:
        config="results/configurations/{corpus}.json",
        raw=raw_inputs,
        code=PREPARATION,
    output:
        documents=expand(
            "results/corpora/{{corpus}}/{split}/{part}.jsonl", split=MAIN, part=PARTS
        ),
        statistics="results/corpora/{corpus}/statistics.json",
    log:
        "results/logs/prepare/{corpus}.log",
    wildcard_constraints:
        corpus=either(set(PRESENT) - set(FOLDED)),
    message:
        "documents of {wildcards.corpus}"
    shell:
        "cman prepare --config {input.config} --corpus {wildcards.corpus} --log {log}"


use rule prepare as prepare_folds with:
    output:
        documents=expand(
            "results/corpora/{{corpus}}/{split}/{part}.jsonl",
            split=[MAIN, *FOLDS],
            part=PARTS,
        ),
        statistics="results/corpora/{corpus}/statistics.json",
    wildcard_constraints:
        corpus=either(FOLDED),
    message:
        "documents of {wildcards.corpus}, fold by fold"

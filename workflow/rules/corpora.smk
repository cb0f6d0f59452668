# Raw files from a path, a mirror or their address, or a generated sample; then documents.


localrules:
    fetch,
    prepare,
    prepare_folds,


rule fetch:
    output:
        "results/raw/{corpus}/{file}",
    log:
        "results/logs/fetch/{corpus}/{file}.log",
    params:
        digest=digest("fetch"),
    message:
        "raw file {wildcards.file} of {wildcards.corpus}"
    shell:
        'cman fetch --config - --corpus {wildcards.corpus:q} --file {wildcards.file:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'


rule prepare:
    input:
        files("raw"),
    output:
        expand(
            "results/corpora/{{corpus}}/{split}/{part}.jsonl", split=MAIN, part=SPLITS
        ),
        "results/corpora/{corpus}/statistics.json",
    log:
        "results/logs/prepare/{corpus}.log",
    wildcard_constraints:
        corpus=either(set(plan.present) - set(plan.folded)),
    params:
        digest=digest("prepare"),
    message:
        "documents of {wildcards.corpus}"
    shell:
        'cman prepare --config - --corpus {wildcards.corpus:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'


use rule prepare as prepare_folds with:
    output:
        expand(
            "results/corpora/{{corpus}}/{split}/{part}.jsonl",
            split=[MAIN, *FOLDS],
            part=SPLITS,
        ),
        "results/corpora/{corpus}/statistics.json",
    wildcard_constraints:
        corpus=either(plan.folded),
    message:
        "documents of {wildcards.corpus}, fold by fold"

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
    retries: 2
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
        corpus=either(plan.with_folds(len(FOLDS))),
    message:
        "documents of {wildcards.corpus}, fold by fold"


# A corpus of one's own may have fewer folds: a rule for each number of them.
for count in range(2, len(FOLDS)):
    if plan.with_folds(count):

        rule:
            name:
                f"prepare_{count}_folds"
            input:
                files("raw"),
            output:
                expand(
                    "results/corpora/{{corpus}}/{split}/{part}.jsonl",
                    split=[MAIN, *FOLDS[:count]],
                    part=SPLITS,
                ),
                "results/corpora/{corpus}/statistics.json",
            log:
                "results/logs/prepare/{corpus}.log",
            wildcard_constraints:
                corpus=either(plan.with_folds(count)),
            localrule: True
            params:
                digest=digest("prepare"),
            message:
                "documents of {wildcards.corpus}, fold by fold"
            shell:
                'cman prepare --config - --corpus {wildcards.corpus:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'

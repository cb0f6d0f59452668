# Raw files from a path, a mirror or their address, or a generated sample; then documents.


localrules:
    corpus_configuration,
    fetch,
    prepare,


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
        code=code("corpora/sources.py", "corpora/raw.py", "corpora/sample*.py"),
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
        code=code("corpora/*.py", without=["corpora/sample*.py", "corpora/sources.py"]),
    output:
        documents=expand(
            "results/corpora/{{corpus}}/main/{part}.jsonl",
            part=["train", "dev", "test"],
        ),
        statistics="results/corpora/{corpus}/statistics.json",
    log:
        "results/logs/prepare/{corpus}.log",
    message:
        "documents of {wildcards.corpus}"
    shell:
        "cman prepare --config {input.config} --corpus {wildcards.corpus} --log {log}"

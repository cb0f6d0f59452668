# What trainings read of a corpus and what is computed once: contextual features and word vectors.


localrules:
    fetch_features,


rule fetch_features:
    output:
        "results/inputs/{features}/{file}",
    log:
        "results/logs/fetch/features/{features}/{file}.log",
    wildcard_constraints:
        features=either([*configuration.encoders, *configuration.vectors]),
    retries: 2
    params:
        digest=digest("fetch_features"),
    message:
        "file {wildcards.file} of {wildcards.features}"
    shell:
        "cman fetch --config - --features {wildcards.features:q} --file {wildcards.file:q}"
        ' --log {log:q} <<< "$CMAN_CONFIGURATION"'


rule embed:
    input:
        files("feature_inputs"),
        expand("results/corpora/{{corpus}}/main/{part}.jsonl", part=SPLITS),
    output:
        "results/features/{corpus}/{features}/features.npy",
        "results/features/{corpus}/{features}/index.json",
    log:
        "results/logs/embed/{corpus}/{features}.log",
    wildcard_constraints:
        features=either(configuration.encoders),
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=240,
    params:
        digest=digest("embed"),
        device=device,
    message:
        "{wildcards.features} features of {wildcards.corpus}"
    shell:
        "cman embed --config - --corpus {wildcards.corpus:q} --name {wildcards.features:q}"
        ' --threads {threads:q} --device {params.device:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'


rule word_vectors:
    input:
        files("feature_inputs"),
        expand("results/corpora/{{corpus}}/main/{part}.jsonl", part=SPLITS),
    output:
        "results/features/{corpus}/{features}/vectors.npy",
        "results/features/{corpus}/{features}/words.json",
    log:
        "results/logs/embed/{corpus}/{features}.log",
    wildcard_constraints:
        features=either(configuration.vectors),
    resources:
        mem_mb=memory,
        runtime=60,
    params:
        digest=digest("embed"),
    message:
        "word vectors {wildcards.features} of {wildcards.corpus}"
    shell:
        "cman embed --config - --corpus {wildcards.corpus:q} --name {wildcards.features:q}"
        ' --log {log:q} <<< "$CMAN_CONFIGURATION"'

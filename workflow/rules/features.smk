# What trainings read of a corpus and what is computed once: contextual features and word vectors.


localrules:
    features_configuration,
    fetch_features,


rule features_configuration:
    output:
        "results/configurations/{corpus}/features/{features}.json",
    log:
        "results/logs/configuration/{corpus}/features/{features}.log",
    params:
        part=part_of,
    message:
        "the part of the configuration that {wildcards.features} of {wildcards.corpus} depends on"
    shell:
        "printf %s {params.part:q} | cman config --config - --corpus {wildcards.corpus}"
        " --features {wildcards.features} --output {output} --log {log}"


rule fetch_features:
    output:
        "results/inputs/{features}/{file}",
    log:
        "results/logs/fetch/features/{features}/{file}.log",
    params:
        part=downloads_part,
    message:
        "file {wildcards.file} of {wildcards.features}"
    shell:
        "printf %s {params.part:q} | cman fetch --config - --features {wildcards.features} --file {wildcards.file}"
        " --log {log}"


rule embed:
    input:
        config="results/configurations/{corpus}/features/{encoder}.json",
        files=lambda wildcards: features_inputs(wildcards.encoder),
        documents=expand(
            "results/corpora/{{corpus}}/main/{part}.jsonl",
            part=["train", "dev", "test"],
        ),
        code=code(
            "features/transformer/encoder.py",
            "features/transformer/pieces.py",
            "features/transformer/opened.py",
            "features/elmo/*.py",
            "features/frozen.py",
            "features/embed.py",
            "features/cache.py",
            "fetch/models.py",
        ),
    output:
        expand(
            "results/features/{{corpus}}/{{encoder}}/{file}",
            file=["features.npy", "index.json"],
        ),
    log:
        "results/logs/embed/{corpus}/{encoder}.log",
    threads: 2
    resources:
        gpu=int(WITH_GPU),
    params:
        device=configuration.device,
    message:
        "{wildcards.encoder} features of {wildcards.corpus}"
    shell:
        "cman embed --config {input.config} --corpus {wildcards.corpus} --name {wildcards.encoder}"
        " --threads {threads} --device {params.device} --log {log}"


rule word_vectors:
    input:
        config="results/configurations/{corpus}/features/{vectors}.json",
        files=lambda wildcards: features_inputs(wildcards.vectors),
        documents=expand(
            "results/corpora/{{corpus}}/main/{part}.jsonl",
            part=["train", "dev", "test"],
        ),
        code=code(
            "features/vectors/words.py",
            "features/vectors/formats.py",
            "features/vocabulary.py",
            "fetch/archives.py",
            "fetch/seven_zip.py",
            "features/embed.py",
        ),
    output:
        expand(
            "results/features/{{corpus}}/{{vectors}}/{file}",
            file=["vectors.npy", "words.json"],
        ),
    log:
        "results/logs/embed/{corpus}/{vectors}.log",
    message:
        "word vectors {wildcards.vectors} of {wildcards.corpus}"
    shell:
        "cman embed --config {input.config} --corpus {wildcards.corpus} --name {wildcards.vectors} --log {log}"

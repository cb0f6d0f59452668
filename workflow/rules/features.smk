# What trainings read of a corpus and what is computed once: contextual features and word vectors.


rule embed:
    input:
        config="results/configurations/{corpus}.json",
        documents=expand(
            "results/corpora/{{corpus}}/main/{part}.jsonl",
            part=["train", "dev", "test"],
        ),
        code=code("features/encoder.py", "features/embed.py", "features/cache.py"),
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
        config="results/configurations/{corpus}.json",
        documents=expand(
            "results/corpora/{{corpus}}/main/{part}.jsonl",
            part=["train", "dev", "test"],
        ),
        code=code("features/word_vectors.py", "features/embed.py"),
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

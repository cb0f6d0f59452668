# Predictions on the test documents, their scores, and the models' cards, which show them.


localrules:
    score,
    card,


# To be named on the command line: the scores of all that a configuration trains, without tables.
rule scored:
    input:
        [f"{run.folder}/scores.json" for run in plan.trained],


rule predict:
    input:
        model=[f"{RUN}/{name}" for name in plan.declared(TRAINED[:3])],
        documents="results/corpora/{corpus}/{split}/test.jsonl",
        features=files("contextual"),
    output:
        documents=f"{RUN}/{PREDICTED[0]}",
        copies=f"{RUN}/{PREDICTED[1]}",
        ranking=f"{RUN}/{PREDICTED[2]}",
    log:
        "results/logs/predict/{corpus}/{experiment}/{split}/seed{seed}.log",
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=30,
    params:
        digest=digest("predict"),
        features=features_option,
        text=text_option,
        device=device,
        kernels=backend,
    message:
        "predict the test documents with {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        'cman predict --model "$(dirname {input.model[0]:q})" --input {input.documents:q} --output {output.documents:q}'
        " --copies {output.copies:q} --ranking {output.ranking:q} {params.features:q} {params.text:q}"
        " --threads {threads:q} --device {params.device:q} --kernels {params.kernels:q} --trust --log {log:q}"


rule score:
    input:
        gold="results/corpora/{corpus}/{split}/test.jsonl",
        predictions=[f"{RUN}/{name}" for name in plan.declared(SCORED)],
    output:
        f"{RUN}/scores.json",
    log:
        "results/logs/score/{corpus}/{experiment}/{split}/seed{seed}.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        digest=digest("score"),
        text=text_option,
    message:
        "score {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "cman score --gold {input.gold:q} --predictions {input.predictions[0]:q}"
        ' --ranking "$(dirname {output:q})/ranking.jsonl" --provenance "$(dirname {output:q})/provenance.json"'
        " {params.text:q} --output {output:q} --log {log:q}"


# Of all seeds and divisions at once: a job of its own for each would cost more than all cards together.
rule card:
    input:
        files("card_inputs"),
    output:
        "results/cards/{corpus}/{experiment}.txt",
    log:
        "results/logs/card/{corpus}/{experiment}.log",
    params:
        digest=digest("card"),
    message:
        "the model cards of {wildcards.experiment} on {wildcards.corpus}"
    shell:
        "cman card --config - --corpus {wildcards.corpus:q} --experiment {wildcards.experiment:q}"
        ' --output {output:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'

# Predictions on the test documents, their scores, and the model's card, which shows them.


localrules:
    score,
    card,


rule predict:
    input:
        model=[f"{RUN}/{name}" for name in TRAINED[:3]],
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
    params:
        digest=digest("predict"),
        features=features_option,
        device=device,
        kernels=backend,
    message:
        "predict the test documents with {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        'cman predict --model "$(dirname {input.model[0]:q})" --input {input.documents:q} --output {output.documents:q}'
        " --copies {output.copies:q} --ranking {output.ranking:q} {params.features:q} --threads {threads:q}"
        " --device {params.device:q} --kernels {params.kernels:q} --trust --log {log:q}"


rule score:
    input:
        gold="results/corpora/{corpus}/{split}/test.jsonl",
        predictions=f"{RUN}/{PREDICTED[0]}",
        ranking=f"{RUN}/{PREDICTED[2]}",
        provenance=f"{RUN}/provenance.json",
    output:
        f"{RUN}/scores.json",
    log:
        "results/logs/score/{corpus}/{experiment}/{split}/seed{seed}.log",
    params:
        digest=digest("score"),
    message:
        "score {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "cman score --gold {input.gold:q} --predictions {input.predictions:q} --ranking {input.ranking:q}"
        " --provenance {input.provenance:q} --output {output:q} --log {log:q}"


rule card:
    input:
        model=[f"{RUN}/{name}" for name in TRAINED[:3]],
        scores=f"{RUN}/scores.json",
        provenance=f"{RUN}/provenance.json",
    output:
        f"{RUN}/model/README.md",
    log:
        "results/logs/card/{corpus}/{experiment}/{split}/seed{seed}.log",
    params:
        digest=digest("card"),
    message:
        "the card of {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        'cman card "$(dirname {input.scores:q})" --config - --log {log:q} <<< "$CMAN_CONFIGURATION"'

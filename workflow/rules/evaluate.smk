# Predictions on the test documents, and their scores.


localrules:
    score,
    card,


rule predict:
    input:
        model=TRAINED[:3],
        documents=f"{DOCUMENTS}/test.jsonl",
        features=contextual_features,
        kernels=rules.kernels.output,
        code=code("model/predict.py", "model/decode.py", "corpora/document.py"),
    output:
        documents=f"{RUN}/predictions.jsonl",
        copies=f"{RUN}/label_copies.json",
    log:
        "results/logs/predict/{corpus}/{experiment}/{split}/seed{seed}.log",
    params:
        features=features_option,
        device=configuration.device,
        kernels=configuration.kernels,
    message:
        "predict the test documents with {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "cman predict --model $(dirname {input.model[0]}) --input {input.documents} --output {output.documents}"
        " --copies {output.copies} {params.features} --threads {threads} --device {params.device}"
        " --kernels {params.kernels} --log {log}"


rule score:
    input:
        gold=f"{DOCUMENTS}/test.jsonl",
        predictions=f"{RUN}/predictions.jsonl",
        trained=TRAINED,
        code=code("evaluation/counts.py", "evaluation/scores.py", "corpora/document.py"),
    output:
        scores=f"{RUN}/scores.json",
    log:
        "results/logs/score/{corpus}/{experiment}/{split}/seed{seed}.log",
    message:
        "score {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "cman score --gold {input.gold} --predictions {input.predictions} --output {output.scores}"
        " --log {log}"


rule card:
    input:
        scores=f"{RUN}/scores.json",
        trained=TRAINED,
        code=code("report/card.py", "report/frame.py", "report/results.py"),
    output:
        f"{RUN}/model/README.md",
    log:
        "results/logs/card/{corpus}/{experiment}/{split}/seed{seed}.log",
    message:
        "model card of {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "cman card $(dirname {input.scores}) --log {log}"

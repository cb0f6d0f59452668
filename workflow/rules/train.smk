# One training a corpus, experiment, split and seed. Checkpoints stand below results/checkpoints, outside the declared
# outputs, which Snakemake removes when a job is killed: the same command then continues the training.


localrules:
    run_configuration,


rule run_configuration:
    output:
        "results/configurations/{corpus}/{experiment}.json",
    log:
        "results/logs/configuration/{corpus}/{experiment}.log",
    params:
        part=part_of,
    message:
        "the settings of {wildcards.experiment} on {wildcards.corpus}"
    shell:
        "printf %s {params.part:q} | cman config --config - --corpus {wildcards.corpus}"
        " --experiment {wildcards.experiment} --output {output} --log {log}"


# Not evaluation/scores.py: training selects its epoch by evaluation/counts.py, and the scorer may change freely.
TRAINING = code(
    "corpora/bio.py",
    "corpora/document.py",
    "evaluation/counts.py",
    "features/**/*.py",
    "kernels/**/*.py",
    "model/*.py",
    "training/*.py",
    without=["features/embed.py", "kernels/report.py", "model/predict.py"],
)
TRAINED = [
    f"{RUN}/model/model.safetensors",
    f"{RUN}/model/config.json",
    f"{RUN}/model/vocabulary.json",
    f"{RUN}/history.csv",
    f"{RUN}/provenance.json",
]


rule train:
    input:
        training_inputs,
        config="results/configurations/{corpus}/{experiment}.json",
        kernels=rules.kernels.output,
        code=TRAINING,
    output:
        TRAINED,
    log:
        "results/logs/train/{corpus}/{experiment}/{split}/seed{seed}.log",
    threads: configuration.threads
    resources:
        gpu=int(WITH_GPU),
        mem_mb=3000,
    params:
        device=configuration.device,
        kernels=configuration.kernels,
    message:
        "train {wildcards.experiment} on {wildcards.corpus}, seed {wildcards.seed}"
    shell:
        "cman train --config {input.config} --corpus {wildcards.corpus} --experiment {wildcards.experiment}"
        " --split {wildcards.split} --seed {wildcards.seed} --threads {threads} --device {params.device}"
        " --kernels {params.kernels} --log {log}"

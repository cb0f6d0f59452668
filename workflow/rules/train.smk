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


if configuration.runs_a_process == 1:

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

else:
    # One rule a process, because its outputs are those of several runs; each run is as the rule above would make it.
    for process in PROCESSES:

        rule:
            name:
                f"train_{process.name}"
            input:
                [
                    file
                    for experiment in process.experiments
                    for file in training_files(
                        process.corpus, experiment, process.split
                    )
                ],
                config=expand(
                    "results/configurations/{run.corpus}/{experiment}.json",
                    run=process,
                    experiment=process.experiments,
                ),
                kernels=rules.kernels.output,
                code=TRAINING,
            output:
                expand(
                    TRAINED,
                    corpus=process.corpus,
                    experiment=process.experiments,
                    split=process.split,
                    seed=process.seed,
                ),
            log:
                f"results/logs/train/{process.name}.log",
            threads: configuration.threads
            resources:
                gpu=int(WITH_GPU),
                mem_mb=3000,
            params:
                run=f"--corpus {process.corpus} --split {process.split} --seed {process.seed}",
                device=configuration.device,
                kernels=configuration.kernels,
            message:
                f"train {', '.join(process.experiments)} on {process.corpus}, seed {process.seed}"
            shell:
                "cman train $(printf ' --config %s' {input.config}) {params.run} --threads {threads}"
                " --device {params.device} --kernels {params.kernels} --log {log}"

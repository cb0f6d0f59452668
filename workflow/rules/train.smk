# One training a corpus, experiment, split and seed. Checkpoints stand below results/checkpoints, outside the declared
# outputs, which Snakemake removes when a job is killed: the same command then continues the training.


# To be named on the command line: what a configuration trains, and no more; test is not predicted.
rule trained:
    input:
        [f"{run.folder}/{TRAINED[0]}" for run in plan.trained],


rule train:
    input:
        files("training_inputs"),
    output:
        [f"{RUN}/{name}" for name in TRAINED],
    log:
        "results/logs/train/{corpus}/{experiment}/{split}/seed{seed}.log",
    threads: configuration.threads
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=minutes,
    params:
        digest=digest("train"),
        device=device,
    message:
        "train {wildcards.experiment} on {wildcards.corpus}, seed {wildcards.seed}"
    shell:
        "cman train --config - --corpus {wildcards.corpus:q} --experiment {wildcards.experiment:q}"
        " --split {wildcards.split:q} --seed {wildcards.seed:q} --threads {threads:q} --device {params.device:q}"
        ' --digest {params.digest:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'

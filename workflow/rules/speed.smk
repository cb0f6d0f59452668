# How fast the operations are: each against its peers, after all of them agreed on the result.


rule kernels_speed:
    input:
        kernels=rules.kernels.output,
    output:
        csv=report(
            "results/speed/kernels.csv",
            caption="../report/speed.rst",
            category="Speed",
        ),
    log:
        "results/logs/speed/kernels.log",
    # As many as the operations are measured with at most; what runs beside them would be measured as well.
    threads: 2
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        digest=digest("kernels_speed"),
    message:
        "speed of the kernels"
    shell:
        "cman speed kernels --output {output.csv:q} --log {log:q}"


rule decoding_speed:
    input:
        [f"{run.folder}/{name}" for run in plan.timed for name in TRAINED[:3]],
        plan.gold([run.folder for run in plan.timed]),
        [
            file
            for run in plan.timed
            for file in plan.contextual(run.corpus, run.experiment)
        ],
    output:
        csv=report(
            "results/speed/decoding.csv",
            caption="../report/decoding.rst",
            category="Speed",
        ),
    log:
        "results/logs/speed/decoding.log",
    # A comparison in the same rounds. For times of their own give it the machine: see the page on clusters.
    threads: plan.timing[0]
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        digest=digest("decoding_speed"),
        runs=[run.folder for run in plan.timed],
        options=plan.timing[1],
    message:
        "decoding speed of the models of Table V"
    shell:
        "cman speed decoding {params.runs:q} --corpora results/corpora --features results/features"
        " {params.options:q} --output {output.csv:q} --log {log:q}"

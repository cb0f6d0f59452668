# How fast the operations are: each against its peers, after all of them agreed on the result.


rule kernels_speed:
    input:
        kernels=rules.kernels.output,
        code=code("kernels/**/*.py", "speed/*.py"),
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
    message:
        "speed of the kernels"
    shell:
        "cman speed kernels --output {output.csv} --log {log}"


rule decoding_speed:
    input:
        models=[f"{run}/model/model.safetensors" for run in TIMED],
        documents=gold_documents(TIMED),
        features=sorted({file for run in TIMED for file in features_of(run)}),
        kernels=rules.kernels.output,
        code=code(
            "kernels/**/*.py", "model/*.py", "speed/decoding*.py", "speed/timing.py"
        ),
    output:
        csv=report(
            "results/speed/decoding.csv",
            caption="../report/decoding.rst",
            category="Speed",
        ),
    log:
        "results/logs/speed/decoding.log",
    # All cores: what ran beside it would be measured as well.
    threads: workflow.cores or 1
    params:
        runs=TIMED,
    message:
        "decoding speed of the models of Table V"
    shell:
        "cman speed decoding {params.runs} --corpora results/corpora --features results/features --output {output.csv}"
        " --log {log}"

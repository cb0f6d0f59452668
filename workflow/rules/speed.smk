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

# Which operations are in use: compiled ones of the installed package, or plain PyTorch and why. Nothing is built here.


localrules:
    kernels,


rule kernels:
    output:
        "results/kernels.txt",
    log:
        "results/logs/kernels.log",
    params:
        digest=digest("kernels"),
    message:
        "which kernels are in use"
    shell:
        "cman kernels --output {output:q} --log {log:q}"

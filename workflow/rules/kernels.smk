# The compiled operations, from csrc/. Without a compiler nothing is built and plain PyTorch is used; the output says
# which, so that trainings and predictions are made again when it changes.


localrules:
    kernels,


rule kernels:
    input:
        sources=sorted(str(path) for path in Path("csrc").rglob("*.[ch]*")),
        setup="setup.py",
        code=code("binary.py"),
    output:
        "results/kernels.txt",
    log:
        "results/logs/kernels.log",
    message:
        "compile the kernels"
    shell:
        "python setup.py build_ext --inplace > {log} 2>&1 && cman kernels --output {output}"

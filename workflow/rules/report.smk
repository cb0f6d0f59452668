# The paper's tables, published figures beside measured ones.


localrules:
    tables,


rule tables:
    input:
        scores=expand("{run}/scores.json", run=measured_runs()),
        provenance=expand("{run}/provenance.json", run=measured_runs()),
        published="config/published.yaml",
        code=code("report/*.py", "report/*.j2"),
    output:
        tex=report(
            "results/tables.tex", caption="../report/tables.rst", category="Tables"
        ),
        csv=report(
            "results/tables.csv", caption="../report/tables.rst", category="Tables"
        ),
    log:
        "results/logs/tables.log",
    params:
        runs=measured_runs(),
        absent=[f"--absent {name}" for name in ABSENT],
    message:
        "tables"
    shell:
        "cman tables {params.runs} {params.absent} --published {input.published} --output {output.tex} --csv {output.csv} --log {log}"

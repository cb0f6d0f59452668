# What is made of scored runs: the paper's tables and figures, and the appendix with what the paper leaves out, each with a
# JSON sibling that names the runs behind every figure in it; and a page of all predictions.


localrules:
    runs,
    tables,
    figures,
    appendix,
    browser,


FORMATS = ["pdf", "png", "csv", "json"]  # and svg, which the report shows
FIGURES = {
    "figure5": "F1 by the distance between the two entities of a relation",
    "figure6": "F1 by the length of the sentence",
    "figure7": "F1 by the share of the training data",
    "figure8": "F1 with and without a BSA stack that both phases share",
}


# Where thousands of runs meet: what is made of them takes this list of them, and is out of date with it.
rule runs:
    input:
        plan.run_files(plan.shown),
    output:
        LISTING,
    log:
        "results/logs/runs.log",
    params:
        digest=digest("listing"),
    message:
        "which runs are shown"
    shell:
        'cman plan --config - --output {output:q} --log {log:q} <<< "$CMAN_CONFIGURATION"'


rule tables:
    input:
        plan.gold(plan.with_gold),
        runs=LISTING,
        decoding=plan.decoding,
    output:
        html=report(
            "results/tables.html", caption="../report/tables.rst", category="Tables"
        ),
        tex="results/tables.tex",
        csv=report(
            "results/tables.csv", caption="../report/tables.rst", category="Tables"
        ),
        json="results/tables.json",
    log:
        "results/logs/tables.log",
    params:
        digest=digest("tables"),
        content=content(PUBLISHED),
        published=published,
        decoding=[word for path in plan.decoding for word in ("--decoding", path)],
    message:
        "tables"
    shell:
        "cman tables --runs {input.runs:q} {params.decoding:q} --published {params.published:q}"
        " --output {output.tex:q} --csv {output.csv:q} --json {output.json:q} --log {log:q}"


rule figures:
    input:
        plan.gold(plan.with_gold),
        runs=LISTING,
    output:
        [
            report(
                f"results/figures/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": title},
            )
            for figure, title in FIGURES.items()
        ],
        expand("results/figures/{figure}.{form}", figure=FIGURES, form=FORMATS),
    log:
        "results/logs/figures.log",
    params:
        digest=digest("figures"),
        content=content(PUBLISHED),
        published=published,
    message:
        "figures"
    shell:
        "cman figures --runs {input.runs:q} --corpora results/corpora --published {params.published:q}"
        " --output results/figures --log {log:q}"


rule appendix:
    input:
        plan.gold(plan.with_gold, SPLITS),
        runs=LISTING,
    output:
        tex=report(
            "results/appendix.tex",
            caption="../report/appendix.rst",
            category="Appendix",
        ),
        csv=report(
            "results/appendix.csv",
            caption="../report/appendix.rst",
            category="Appendix",
        ),
        json="results/appendix.json",
    log:
        "results/logs/appendix.log",
    params:
        digest=digest("appendix"),
    message:
        "appendix"
    shell:
        "cman appendix --runs {input.runs:q} --corpora results/corpora --output {output.tex:q} --log {log:q}"


rule browser:
    input:
        plan.gold(plan.with_gold),
        runs=LISTING,
    output:
        "results/browser.html",
    log:
        "results/logs/browser.log",
    params:
        digest=digest("browser"),
    message:
        "prediction browser"
    shell:
        "cman browser --runs {input.runs:q} --corpora results/corpora --output {output:q} --log {log:q}"

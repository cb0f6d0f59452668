# What is made of scored runs: the paper's tables and figures, and the appendix with what the paper leaves out, each with a
# JSON sibling that names the runs behind every figure in it; and a page of all predictions.


localrules:
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


rule tables:
    input:
        runs=run_files(MEASURED),
        gold=gold_documents(WITH_GOLD),
        published="config/published.yaml",
        decoding=DECODING,
        code=code(
            "config/experiments.py",
            "report/*.py",
            "report/*.j2",
            "evaluation/*.py",
        ),
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
        runs=MEASURED,
        absent=[f"--absent {name}" for name in ABSENT],
        decoding=[f"--decoding {path}" for path in DECODING],
    message:
        "tables"
    shell:
        "cman tables {params.runs} {params.absent} {params.decoding} --published {input.published}"
        " --output {output.tex} --csv {output.csv} --json {output.json} --log {log}"


rule figures:
    input:
        runs=run_files(WITH_GOLD),
        gold=gold_documents(WITH_GOLD),
        published="config/published.yaml",
        code=code(
            "config/experiments.py",
            "report/*.py",
            "report/figures/*.py",
            "style.py",
            "cman.mplstyle",
            "evaluation/*.py",
        ),
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
        runs=WITH_GOLD,
    message:
        "figures"
    shell:
        "cman figures {params.runs} --corpora results/corpora --published {input.published}"
        " --output results/figures --log {log}"


rule appendix:
    input:
        runs=run_files(WITH_GOLD),
        copies=label_copies(WITH_GOLD),
        gold=gold_documents(WITH_GOLD, parts=["train", "dev", "test"]),
        code=code(
            "config/experiments.py",
            "report/*.py",
            "report/appendix/*.py",
            "report/*.j2",
            "evaluation/*.py",
        ),
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
        runs=WITH_GOLD,
    message:
        "appendix"
    shell:
        "cman appendix {params.runs} --corpora results/corpora --output {output.tex} --log {log}"


rule browser:
    input:
        runs=run_files(WITH_GOLD),
        gold=gold_documents(WITH_GOLD),
        code=code(
            "config/experiments.py",
            "report/*.py",
            "report/browser/*",
            "evaluation/*.py",
        ),
    output:
        "results/browser.html",
    log:
        "results/logs/browser.log",
    params:
        runs=WITH_GOLD,
    message:
        "prediction browser"
    shell:
        "cman browser {params.runs} --corpora results/corpora --output {output} --log {log}"

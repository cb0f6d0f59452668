# What people type `snakemake` beside: workflow/Snakefile holds the workflow.


include: "workflow/Snakefile"


# Rules that come in by `include` are never the default target.
workflow.default_target = "all"

"""Which jobs the workflow has, what each depends on, and what of them is missing; all of it without Snakemake."""

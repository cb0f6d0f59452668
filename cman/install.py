"""How this package is installed: its name on a package index, and which extra brings which module.

The module and the command are called `cman`. On the public index that name belongs to another project, so whatever
tells a person what to install takes the words from here.
"""

DISTRIBUTION = "cman-relations"

# What the package does without until somebody asks for it.
MODULES = {
    "pipeline": ("h5py", "jinja2", "matplotlib", "pandas", "snakemake"),  # tables, figures, reports, ELMo
    "text": ("pyarrow", "spacy"),  # tokens and sentences of raw text, Parquet
    "serve": ("fastapi", "starlette", "uvicorn"),  # the web page
    "speed": ("hmmlearn", "torch_struct", "torchcrf"),  # what the kernels are compared with
    "7z": ("py7zr",),  # word vectors in a .7z
}


def installing(extra: str) -> str:
    """Return the command that adds an extra to an installation, whether that is a checkout's or a wheel's."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def missing(error: ModuleNotFoundError) -> str | None:
    """Return one sentence for a module that an extra brings; None for any other."""
    name = (error.name or "").partition(".")[0]
    for extra, modules in MODULES.items():
        if name in modules:
            return f"found no {name}, wanted the extra `{extra}`: {installing(extra)}"
    return None

"""The repository keeps its own rules: short files, documented modules, commands in the README that work."""

import ast
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
from snakemake.cli import get_argument_parser

from cman.cli.app import app
from cman.install import DISTRIBUTION, MODULES, installing

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
CONSTRAINTS = ROOT / "constraints.txt"
LONGEST = 350  # lines of a source file
SOURCES = {".py", ".smk", ".cpp", ".cu", ".h"}
# Folders of one machine; written in pieces, so that this file does not hold what it looks for.
OF_ONE_MACHINE = re.compile(r"(?<![\w.~$}/-])/(?:" + "|".join(["work", "root", "home", "Users"]) + r")/\w")


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The files of the repository: tracked, or new and not ignored."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git repository")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def is_source(path: Path) -> bool:
    return path.suffix in SOURCES or path.name == "Snakefile"


# ---- sources


def test_no_source_file_is_longer_than_the_limit(files):
    sources = [path for path in files if is_source(path)]
    assert sources
    lengths = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in sources}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_what_it_is():
    undocumented = []
    for path in sorted((ROOT / "cman").rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if not docstring or not docstring.splitlines()[0].endswith((".", ":")):
            undocumented.append(str(path.relative_to(ROOT)))
    assert undocumented == []


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in (ROOT / "cman").rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_no_file_names_a_folder_of_one_machine(files):
    found = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        places = enumerate(lines, start=1)
        found += [f"{path.relative_to(ROOT)}: {n}: {line}" for n, line in places if OF_ONE_MACHINE.search(line)]
    assert found == []


def test_nothing_that_a_rule_makes_is_in_the_repository(files):
    kept = ("results/README.md", "results/record/")
    results = [path.relative_to(ROOT).as_posix() for path in files if path.is_relative_to(ROOT / "results")]
    assert [name for name in results if not name.startswith(kept)] == []


# ---- the commands of the README


def commands(text: str) -> list[list[str]]:
    """The calls of `cman` and `snakemake` in a Markdown text's code blocks, as words."""
    found = []
    for block in re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            if not re.match(r"([A-Z_]+=\S* +)*([\w./-]*/)?(cman|snakemake|python3?)\b(?!:)", line):
                continue
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            call: list[str] = []
            for word in [*lexer, ";"]:
                if word in (";", "&&", "||", "|", ">", "<"):
                    found += [call] if call else []
                    call = []
                elif call or not re.fullmatch(r"[A-Z_]+=.*", word):
                    call.append(word)
    return [named for call in found if (named := without_interpreter(call))[0] in ("cman", "snakemake")]


def without_interpreter(call: list[str]) -> list[str]:
    name = Path(call[0]).name
    if name.startswith("python") and call[1:2] == ["-m"] and len(call) > 2:
        return call[2:]
    return [name, *call[1:]]


def problem(call: list[str]) -> str | None:
    """What is wrong with the words of a call, without running it."""
    name, *words = call
    if {"--help", "-h", "--version"} & set(words):
        words = [word for word in words if word not in ("--help", "-h", "--version")]
        known = typer.main.get_command(app).commands if name == "cman" else words
        return next((f"no verb {word}" for word in words[:1] if word not in known), None)
    if name == "snakemake":
        try:
            parsed = get_argument_parser().parse_args(words)
        except SystemExit:
            return "snakemake does not take these options"
        # `--configfile` takes every word that follows it, a target as well.
        missing = [str(path) for path in parsed.configfile or [] if not (ROOT / path).is_file()]
        return f"no configuration {missing[0]}" if missing else None
    verbs = typer.main.get_command(app).commands
    if not words or words[0] not in verbs:
        return f"no verb {' '.join(words[:1])}"
    try:
        verbs[words[0]].make_context(words[0], words[1:])
    except Exception as error:  # of typer or click, whichever typer brings
        return str(error) or repr(error)
    return None


def test_every_command_of_the_readme_and_the_documentation_can_be_typed():
    if not README.is_file():
        pytest.skip("there is no README.md")
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    # Blocks marked `sh` are run, by tests/workflow/test_docs.py.
    calls = [call for text in texts for call in commands(re.sub(r"^```sh\n.*?^```\n", "", text, flags=re.M | re.S))]
    assert {call[0] for call in calls} == {"cman", "snakemake"}
    wrong = {shlex.join(call): problem(call) for call in calls}
    assert {call: what for call, what in wrong.items() if what} == {}


def test_links_between_pages_lead_somewhere():
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link
    ]
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).is_file()] == []


def test_wrong_commands_of_a_readme_would_be_found():
    text = """
```sh
$ cman trian --config x
.venv/bin/cman score --gold a --perdictions b | less
CMAN_MIRROR=copies cman fetch --config x \\
    --corpus y && snakemake --crores 2 results/tables.tex
```
cman in a sentence is no command

    ```
    cman score --gold a --predictions b > scores.json
    python -m snakemake --cores all results/tables.tex --config record=true   # a comment
    cman: a line of output
    ```
"""
    calls = commands(text)
    assert [" ".join(call[:2]) for call in calls] == [
        "cman trian",
        "cman score",
        "cman fetch",
        "snakemake --crores",
        "cman score",
        "snakemake --cores",
    ]
    assert [problem(call) is None for call in calls] == [False, False, True, False, True, True]


# ---- dependencies


def pins() -> list[str]:
    if not CONSTRAINTS.is_file():
        pytest.skip("there is no constraints.txt")
    lines = (line.partition("#")[0].strip() for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def test_every_dependency_is_pinned_to_one_version():
    assert [pin for pin in pins() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", pin)] == []


def test_the_lock_has_the_same_versions_and_a_hash_of_each():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    locked = [line.split() for line in lock.splitlines() if line and not line.startswith("#")]
    assert sorted(normal(pin) for pin, *_ in locked) == sorted(map(normal, pins()))
    assert all(
        hashes and all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in hashes) for _, *hashes in locked
    )


def test_no_dependency_is_pinned_twice():
    names = [normal(pin.partition("==")[0]) for pin in pins()]
    assert sorted(names) == sorted(set(names))


def test_every_direct_dependency_is_pinned():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    direct = re.findall(r'"([A-Za-z0-9._-]+)>=', project.partition("[project.scripts]")[0].partition("[project]")[2])
    pinned = {normal(pin.partition("==")[0]) for pin in pins()}
    assert [name for name in direct if normal(name) not in pinned] == []


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# ---- how to install


def requirements(text: str) -> list[str]:
    """The names after each `pip install` of a text, without options, versions and extras."""
    found = []
    for call in re.findall(r"pip install((?: +[^\s`]+)+)", text):
        words = iter(call.split())
        for word in words:
            if word in ("-c", "-r", "-e", "--target"):
                next(words, None)
            elif name := re.match(r"[\w.-]*\w", word.strip("\"'`(,;:")):
                found += [] if name[0].startswith(("-", ".")) else [name[0]]
            if word.endswith(("'", '"', ")", ".", ",", ";", ":")):
                break
    return found


def test_no_text_sends_anyone_to_the_package_of_another(files):
    assert requirements("pip install -c x 'cman[text]'") == ["cman"]
    assert requirements("`pip install --no-deps .[a]`, pip install 'a-b[c]>=1' d") == ["a-b"]
    known = {normal(pin.partition("==")[0]) for pin in pins()} | {DISTRIBUTION, "snakemake-executor-plugin-slurm"}
    known |= {"setuptools", "build", "twine"}  # of builds
    known |= {"optuna"}  # docs/sweeps.md
    wrong = {}
    for path in files:
        if path == Path(__file__) or path.is_relative_to(ROOT / "results") or path.suffix in (".png", ".safetensors"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        foreign = [name for name in requirements(text) if normal(name) not in known and not name.endswith(".whl")]
        if foreign or re.search(r"['\"(]cman\[[a-z]", text):
            wrong[str(path.relative_to(ROOT))] = foreign
    assert wrong == {}


def test_the_project_has_the_name_and_the_extras_that_messages_say():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION != "cman"
    assert MODULES.keys() <= project["optional-dependencies"].keys()
    assert installing("text") == f"pip install '{DISTRIBUTION}[text]'"
    heavy = {"snakemake", "matplotlib", "jinja2", "pandas", "h5py", "spacy", "fastapi"}
    assert not heavy & {normal(re.match(r"[\w.-]+", each)[0]) for each in project["dependencies"]}

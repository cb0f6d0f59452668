"""LaTeX of the tables and of the appendix: every engine compiles titles and labels of any script and length."""

import random
from pathlib import Path

import pytest
from latex import ENGINES, compiled
from perturbed_runs import perturbed, write_run

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.report.appendix.write import write_appendix
from cman.report.latex import escape
from cman.report.tables import write_tables

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
HARD = ["中文标签", "Ελληνικά", "العربية", "🙂 emoji", r"&%$#_{}~^\ <|>", "</script>", "x" * 300, "Zoë Čapek ā ± −"]
PACKAGES = r"\usepackage[a4paper,margin=15mm]{geometry}\usepackage{booktabs,tabularx,xcolor}"


def test_special_characters_are_escaped_and_others_named_by_code_point():
    assert escape(r"50% & A_1 #2 $x$ {y} ~ ^ \z") == (
        r"50\% \& A\_1 \#2 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
    )
    assert escape("two\nlines") == "two lines"
    assert escape("Zoë Čapek ı̇ 中🙂") == r"Zoë \v{C}apek \cmanchar{0131}\cmanchar{0307} \cmanchar{4E2D}\cmanchar{1F642}"
    assert escape("a" * 30) == "a" * 12 + r"\-" + "a" * 12 + r"\-" + "a" * 6


@pytest.fixture
def hard(tmp_path: Path) -> Path:
    """A folder with tables and appendix of runs whose every title and label is hard to print."""
    chance, gold = random.Random(1), []
    for number in range(12):
        entities = tuple(Entity(chance.choice(HARD), place, place + 2) for place in (0, 3, 6))
        relations = (Relation(chance.choice(HARD), 0, 1), Relation(chance.choice(HARD), 2, 1))
        gold.append(Document(str(number), tuple(f"w{number}x{place}" for place in range(9)), entities, relations))
    for part in ("train", "dev", "test"):
        documents = gold if part == "test" else [Document("again", gold[0].tokens)]
        write_documents(tmp_path / "corpora/conll04/main" / f"{part}.jsonl", documents)
    names = ["cman", "multihead-at", "multihead-contextual", "cman-static", *(f"variant{n}" for n in range(len(HARD)))]
    runs = [
        write_run(
            tmp_path / "runs", gold, perturbed(gold, 0.1 + 0.1 * ("at" in name), seed), name, seed, corpus="conll04",
            corpus_title=f"CoNLL04 {HARD[0]} {HARD[6]}", title=f"{name} {HARD[place % len(HARD)]}",
            inputs_title=f"{HARD[3]}, {HARD[4] if place else HARD[6]}", protocol=HARD[1],
        )
        for place, name in enumerate(names)
        for seed in (1, 2)
    ]  # fmt: skip
    write_tables(runs, PUBLISHED, tmp_path / "tables.tex", tmp_path / "tables.csv", ["drec"],
                 corpora=tmp_path / "corpora", rounds=20)  # fmt: skip
    write_appendix(runs, tmp_path / "corpora", tmp_path / "appendix.tex", 20, 1)
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(not ENGINES, reason="no LaTeX is installed")
def test_latex_takes_every_script_alone_and_inside_a_paper(hard):
    for name in ("tables", "appendix"):
        text = (hard / f"{name}.tex").read_text()
        assert not any(command in text for command in (r"\setbox", r"\dimen", r"\hbox", "mm}p{"))
        for engine in ENGINES:
            compiled(hard, name, engine=engine)
        for layout in ("", "twocolumn"):
            compiled(hard, name, rf"\documentclass[{layout}]{{article}}{PACKAGES}", ENGINES[0])


def test_the_page_of_tables_shows_every_script_and_no_markup_of_a_label(hard):
    page = (hard / "tables.html").read_text()
    assert "中文标签" in page and "🙂 emoji" in page and "&lt;/script&gt;" in page and "</script>" not in page

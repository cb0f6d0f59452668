"""The page of equations: complete, made from the code, and naming what exists."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

from naming import exists

from cman.config.equations import EQUATIONS, Origin, keys, page

DOCUMENTED = Path(__file__).parents[1] / "docs" / "equations.md"


def test_every_key_of_the_settings_stands_in_the_table_exactly_once():
    marked = Counter(key for equation in EQUATIONS for key in equation.keys)
    assert marked == Counter(dict.fromkeys(keys(), 1))
    assert {mark.origin for equation in EQUATIONS for mark in equation.keys.values()} == set(get_args(Origin))


def test_every_equation_of_the_paper_has_a_place_and_what_the_table_names_is_there():
    numbers = set()
    for equation in EQUATIONS:
        for part in equation.number.split(", "):
            low, _, high = part.partition("-")
            if low.isdigit():
                numbers |= set(range(int(low), int(high or low) + 1))
    assert numbers == set(range(1, 27))
    assert [place for equation in EQUATIONS for place in equation.places if not exists(place)] == []


def test_the_page_is_what_the_code_says():
    written = DOCUMENTED.read_text(encoding="utf-8")
    assert written == page(), "write it again: python -m cman.config.equations > docs/equations.md"
    made = subprocess.run([sys.executable, "-m", "cman.config.equations"], capture_output=True, text=True, check=True)
    assert made.stdout == written

"""Every reader under mutations of its file (`make fuzz`): a sentence that names the file, or something consistent."""

from collections.abc import Iterator

import pytest

from cman.hashes import use_verification
from tests.fuzz import binary_readers, text_readers
from tests.fuzz.mutations import fuzz

READERS = {**text_readers.READERS, **binary_readers.READERS}


@pytest.fixture(autouse=True)
def without_manifests() -> Iterator[None]:
    use_verification(False)
    yield
    use_verification(True)


@pytest.mark.parametrize("name", READERS)
def test_mutations_of_a_file_are_read_or_refused(name, tmp_path, mutations):
    accepted = fuzz(name, READERS[name](tmp_path), mutations)
    print(f"{name}: {mutations} mutations, {accepted} accepted")

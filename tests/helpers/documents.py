"""Random small documents for properties of what compares annotations."""

from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation

TOKENS = 6


@st.composite
def annotations(draw: st.DrawFn) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """Entities that may overlap, of two types, and relations of two labels between them."""
    entities = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, TOKENS - 1))
        end = draw(st.integers(start + 1, min(start + 2, TOKENS)))
        entities.append(Entity(draw(st.sampled_from("AB")), start, end))
    relations = []
    if entities:
        place = st.integers(0, len(entities) - 1)
        relations = draw(st.lists(st.builds(Relation, st.sampled_from("rs"), place, place), max_size=4))
    return tuple(entities), tuple(relations)


@st.composite
def pairs_of_documents(draw: st.DrawFn) -> tuple[Document, Document]:
    """A gold and a predicted document of the same tokens."""
    tokens = tuple("abcdef"[:TOKENS])
    return Document("1", tokens, *draw(annotations())), Document("1", tokens, *draw(annotations()))

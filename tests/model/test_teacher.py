"""What a teacher says of a batch, against all tag sequences; where it changes nothing, and leaves nothing to learn."""

from itertools import product

import pytest
import torch
from small import small_model
from torch import Tensor

from cman.config.settings import Distil
from cman.kernels import crf_nll
from cman.model.crf import Potentials
from cman.model.lesson import Lesson
from cman.model.losses import JointLoss
from cman.model.members import Members
from cman.model.pairs import pairs_of
from cman.model.teacher import Teacher
from cman.training.step import add_gradients, make_optimiser, training_step

SPAN = {
    "rel.scorer": "span", "rel.candidates": "entities", "rel.prior": 0.5, "rel.features": "fused+encoder",
    "span.projection": 6, "span.hidden": 5, "span.dropout": 0.0, "label.source": "predicted", "uw.enabled": False,
    "dropout.inputs": 0.0, "dropout.recurrent": 0.0, "word.unknown_rate": 0.0, "at.enabled": False,
}  # fmt: skip
LENGTHS, TAGS = torch.tensor([4, 2]), 3


def potentials(seed: int, pairwise: bool) -> Potentials:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    between = drawn(2, 4, TAGS, TAGS) if pairwise else drawn(TAGS, TAGS)
    return Potentials(drawn(2, 4, TAGS), between, drawn(TAGS), drawn(TAGS))


def sequence_scores(given: Potentials, sentence: int) -> Tensor:
    """Return the score of every tag sequence of a sentence."""
    length, scores = int(LENGTHS[sentence]), []
    for tags in product(range(TAGS), repeat=length):
        score = given.start[tags[0]] + given.end[tags[-1]]
        for place, tag in enumerate(tags):
            score = score + given.emissions[sentence, place, tag]
            if place:
                between = given.transitions if given.transitions.dim() == 2 else given.transitions[sentence, place]
                score = score + between[tags[place - 1], tag]
        scores.append(score)
    return torch.stack(scores)


@pytest.mark.parametrize("pairwise", [False, True], ids=["linear", "pairwise"])
def test_the_loss_is_the_cross_entropy_to_the_teachers_distribution_over_all_sequences(pairwise):
    student, taught = potentials(1, pairwise), potentials(2, pairwise)
    gold = torch.tensor([[0, 2, 1, 1], [2, 0, 0, 0]])
    leaves = [(each / 2.0).requires_grad_() for each in taught]  # at a temperature of 2
    gradients = Potentials(*torch.autograd.grad(crf_nll(*leaves, gold, LENGTHS).sum(), leaves))
    lesson = Lesson(0.3, gradients, None, lambda pairs: torch.zeros(0, 0))
    own = crf_nll(*student, gold, LENGTHS)
    expected = []
    for sentence in range(2):
        probable = (sequence_scores(taught, sentence) / 2.0).softmax(0)
        cross_entropy = -(probable * sequence_scores(student, sentence).log_softmax(0)).sum()
        expected.append(0.7 * own[sentence] + 0.3 * cross_entropy)
    torch.testing.assert_close(lesson.loss(own, student, gradients), torch.stack(expected).mean())


def test_targets_of_pairs_lie_between_gold_and_the_mean_of_the_teachers_probabilities(build, batch):
    members = [build(SPAN, seed=seed)[0] for seed in (1, 2)]
    lesson = Teacher(Members(members), Distil(teacher="them", share=0.25, temperature=3.0)).lesson(batch)
    pairs = pairs_of(members[0].relations.reader(batch.tags))
    with torch.no_grad():
        scores = [each.relations.scores(each.read(batch).features, pairs) for each in members]
        taught = sum((each / 3.0).sigmoid() for each in scores) / 2
    gold = torch.ones_like(taught)
    assert len(pairs.head) > 1
    torch.testing.assert_close(lesson.expected(gold, pairs), 0.75 * gold + 0.25 * taught)


@pytest.mark.parametrize("phases", [1, 2])
def test_a_model_has_nothing_to_learn_from_itself(vocabulary, batch, phases):
    model, settings = small_model(vocabulary, SPAN | {"ner.phases": phases})
    teacher = Teacher(Members([model, model]), Distil(teacher="itself", share=1.0))
    joint = JointLoss(model.loss_names, settings)
    add_gradients(model, joint, batch, settings, teacher.lesson(batch))
    taught = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    add_gradients(model, joint, batch, settings)
    for name, value in model.named_parameters():
        if value.grad is not None:
            assert float(taught[name].abs().max()) <= 1e-4 * max(1.0, float(value.grad.abs().max())), name


def test_a_share_of_nothing_trains_to_the_same_weights_as_no_teacher(vocabulary, batch):
    changes = SPAN | {"dropout.inputs": 0.4, "dropout.recurrent": 0.2, "span.dropout": 0.2, "at.enabled": True}
    members = [small_model(vocabulary, SPAN, seed=seed)[0] for seed in (1, 2)]
    weights = []
    for teacher in (None, Teacher(Members(members), Distil(teacher="them", share=0.0))):
        model, settings = small_model(vocabulary, changes)
        joint = JointLoss(model.loss_names, settings)
        optimiser = make_optimiser(model, joint, settings)
        torch.manual_seed(5)
        for _ in range(2):
            training_step(model.train(), joint, optimiser, batch, settings, teacher)
        weights.append(model.state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-5, atol=1e-6, msg=name)

"""The sample corpus `ade-sample`: sentences of case reports by a seeded grammar, as the archive that ADE comes in.

It has what sets ADE apart from the other corpora: two entity types, one relation that many pairs of a sentence share,
drugs inside of the name of an effect (`lithium toxicity`) that overlap it, abstracts of one to six sentences whose
offsets count from the start of the abstract, and compounds such as `lithium-induced`. As in ADE, a drug without an
adverse effect and a disease that no drug caused are not annotated, which makes them distractors.
"""

import zipfile
from pathlib import Path

from cman.corpora.ade import DRUG, EFFECT, MEMBER
from cman.corpora.samples.grammar import Chance, Sentence, check_size, name, read_grammar, read_rules
from cman.files import atomic_path

GRAMMAR = """
sentence:
    10* #core . / 4* #opener #core . / 3* #core , #rest . / 2* #opener #core , #rest . / 2* #title / #label #core .

core:
    4* #patient developed @effect1 after #using @drug1 | Adverse-Effect effect1 drug1
    4* we #report a case of @effect1 #due @drug1 | Adverse-Effect effect1 drug1
    3* @effect1 #verb #time #patient was given @drug1 for #disease | Adverse-Effect effect1 drug1
    3* @drug1 - induced @effect1 #verb in #patient with #disease | Adverse-Effect effect1 drug1
    3* @effect1 and @effect2 #verb during #using @drug1 | Adverse-Effect effect1+effect2 drug1
    2* #patient on @drug1 and @drug2 had @effect1 | Adverse-Effect effect1 drug1+drug2
    2* @drug1 , but not #other , caused @effect1 in #patient | Adverse-Effect effect1 drug1
    2* @effect1 , @effect2 and @effect3 are #adj effects of @drug1 | Adverse-Effect effect1+effect2+effect3 drug1
    2* treatment of #disease with @drug1 was stopped because of @effect1 | Adverse-Effect effect1 drug1
    2* #patient treated with #other for #disease received @drug1 and had @effect1 | Adverse-Effect effect1 drug1
    2* @drug1 ( #number mg daily ) was followed by @effect1 , which resolved on #other | Adverse-Effect effect1 drug1
    no #disease was seen , but @drug1 produced @effect1 | Adverse-Effect effect1 drug1
    @effect1 #due @drug1 and @effect2 #due @drug2 are #adj | Adverse-Effect effect1 drug1 ; Adverse-Effect effect2 drug2
    2* #patient with #disease #showed @compound1 #rise
    we #report @compound1 after a #adj dose of #number mg

title:
    3* @drug1 - induced @effect1 . | Adverse-Effect effect1 drug1
    3* @effect1 #due @drug1 : a case report . | Adverse-Effect effect1 drug1
    2* @effect1 and @effect2 in #patient treated with @drug1 . | Adverse-Effect effect1+effect2 drug1
    @effect1 with @drug1 and @drug2 . | Adverse-Effect effect1 drug1+drug2

patient:
    3* a #number - year - old #who / 2* the patient / a #who with #disease / #number patients / two of #number patients
    a #adj #who / the #who
who:
    woman / man / girl / boy / child / patient
using:
    3* treatment with / 2* therapy with / a #adj dose of / an overdose of / withdrawal of / long - term use of
due:
    3* due to / 2* associated with / 2* caused by / after / during treatment with / secondary to / related to
verb:
    2* occurred / developed / was observed / recurred / resolved / became #adj
time:
    2* #number days after / while / shortly after / when
showed:
    had / developed / showed signs of
rise:
    _ / with high serum levels / after #number days / despite #other
rest:
    3* which resolved after #number days / 2* and #other was given instead / although #disease was suspected
    and the #adj course was due to #disease / in contrast to #other / whereas #other was well tolerated
    although no such effect is known of #other or #other
opener:
    2* in this report , / #number days later , / although #other was well tolerated , / to our knowledge ,
    despite #other , / in #patient with #disease , / after #other had failed , / on rechallenge ,
label:
    CONCLUSIONS : / CASE : / RESULTS : / OBJECTIVE :
report:
    report / describe / present / observed
adj:
    rare / severe / fatal / transient / well - known / unexpected / single / mild / reversible / probable
disease:
    3* @illness / 2* @effectlike / @illness and @illness
other:
    3* @remedy / @remedy or @remedy / its analogue @remedy
number:
    2 / 3 / 5 / 6 / 10 / 12 / 14 / 25 / 30 / 42 / 57 / 63 / 71 / 100 / 200 / 400
"""

NAMES = """
drug:
    7* {fresh} / 4* {known} / {fresh} {salt} / {fresh} and {fresh} / {letters} / {known} {salt}
remedy:
    3* {known} / 3* {fresh} / {letters}
effect:
    5* {organ} {damage} / 3* {quality} {sign} / 4* {sign} / 2* {quality} {organ} {damage} / {sign} of the {part}
    {quality} {sign} and {sign} / {greek}
effectlike:
    {organ} {damage} / {sign} / {greek}
illness:
    3* {stem} disease / 2* {greek} / {organ} cancer / {quality} {organ} disease / depression / epilepsy / asthma
toxic:
    3* toxicity / 2* intoxication / overdose / hypersensitivity / poisoning
fresh:
    4* {onset}{vowel}{middle}{vowel}{ending} / 3* {onset}{vowel}{middle}{vowel}{middle}{vowel}{ending}
known:
    cisplatin / lithium / interferon / heparin / digoxin / phenytoin / tamoxifen / aspirin / clozapine / prednisone
salt:
    sodium / acetate / hydrochloride / sulfate
letters:
    {capital}{capital}{capital} / {digit}-{capital}{capital}
greek:
    {prefix}{organism}{suffix}
stem:
    {Onset}{vowel}{middle}{vowel}n
organ:
    renal / hepatic / cardiac / skin / pulmonary / gastric / retinal / muscle / bone marrow / optic nerve
damage:
    failure / toxicity / injury / necrosis / damage / dysfunction / bleeding / oedema
quality:
    acute / severe / chronic / fatal / bilateral / transient / aplastic / visual / painful
sign:
    rash / seizures / anemia / fever / hypotension / vomiting / coma / confusion / hallucinations / jaundice / tremor
    diarrhea / urticaria / thrombosis / headache / dyspnea / alopecia / {greek} / {greek}
part:
    skin / lungs / eye / kidney / liver / hands
prefix:
    hyper / hypo / neuro / nephro / cardio / myo / leuko / thrombo / hepato
organism:
    calc / glyc / kal / natr / path / gli / cyt / derm
suffix:
    emia / itis / osis / oma / opathy / openia
onset:
    b / c / d / f / gl / l / m / n / p / r / s / t / tr / v / x / z
Onset:
    B / C / D / F / G / L / M / P / R / S / W
vowel:
    a / e / i / o / u
middle:
    b / c / d / f / l / m / n / p / r / s / t / v / x / mpr / nt / thr
ending:
    n / l / ne / mine / ide / mab / pril / zole / cin / statin / line / pam / vir
capital:
    A / B / C / D / F / G / K / M / P / T
digit:
    4 / 5 / 6
"""

# Kinds without a type are mentions that nobody annotated.
TYPES = {"effect": EFFECT, "drug": DRUG, "compound": EFFECT, "effectlike": "", "illness": "", "remedy": ""}

RULES = read_grammar(GRAMMAR, {})
NAME_RULES = read_rules(NAMES)
STAMP = (2000, 1, 1, 0, 0, 0)  # of the archive's member: equal requests give equal bytes
NO_BLANK_BEFORE = (",", ".", ":", ")", "-", "/")
NO_BLANK_AFTER = ("(", "-", "/")


class CaseReport(Sentence):
    """A sentence of an abstract; entities are known by the index of their last token, like relations' arguments."""

    rules, types = RULES, TYPES

    def __init__(self, chance: Chance) -> None:
        super().__init__(chance)
        self.starts: dict[int, int] = {}  # last token of an entity -> its first token

    def mention(self, kind: str) -> str:
        """Return a name of a kind; a compound is the name of a drug and of what too much of it does."""
        if kind == "compound":
            return f"{self._name('known')} {self._name('toxic')}"
        return self._name(kind)

    def entity(self, kind: str) -> int:
        """Append a new entity; the drug in a compound is one too, inside of the effect."""
        start = len(self.tokens)
        last = super().entity(kind)
        self.starts[last] = start
        if kind == "compound":
            self.names.add(self.tokens[start])
            self.starts[start] = start
            self.links.setdefault(last, []).append((EFFECT, start))
        return last

    def _name(self, rule: str) -> str:
        return name(self.chance, NAME_RULES, rule)

    def lines(self, abstract: int, offset: int) -> tuple[str, int]:
        """Return the lines of `DRUG-AE.rel`, and the length of the text.

        Args:
            offset: characters of the abstract before this sentence.
        """
        text, starts = "", list[int]()
        for place, token in enumerate(self.tokens):
            if place and token not in NO_BLANK_BEFORE and self.tokens[place - 1] not in NO_BLANK_AFTER:
                text += " "
            starts.append(len(text))
            text += token

        def mention(last: int) -> str:
            begin, end = starts[self.starts[last]], starts[last] + len(self.tokens[last])
            return f"{text[begin:end]}|{offset + begin}|{offset + end}"

        lines = [
            f"{abstract}|{text}|{mention(effect)}|{mention(drug)}\n"
            for effect, links in self.links.items()
            for _, drug in links
        ]
        return "".join(lines), len(text)


def write_ade_sample(path: Path, sentences: int, seed: int) -> None:
    """Write the archive; its first sentences stay the same when more are asked for.

    Args:
        path: the zip archive to write, as `cman.corpora.ade` reads it.
        sentences: how many, from 1 to 100,000,000; they are written one by one, so memory does not grow.
        seed: another seed gives other sentences of the same grammar.

    Raises:
        UsageError: an impossible number of sentences.
    """
    check_size(sentences)
    chance = Chance(f"{seed} abstracts")
    member = zipfile.ZipInfo(f"ADE-Corpus-V2/{MEMBER}", STAMP)
    member.compress_type = zipfile.ZIP_DEFLATED
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
        archive.open(member, "w", force_zip64=True) as stream,
    ):
        abstract, left, offset = 10_000_000, 0, 0
        for _ in range(sentences):
            if left == 0:
                abstract, left, offset = abstract + 1, chance.one((1, 1, 2, 2, 3, 4, 6)), 0
            sentence = CaseReport(chance)
            sentence.expand("sentence")
            lines, length = sentence.lines(abstract, offset)
            stream.write(lines.encode())
            left -= 1
            # Sentences without an adverse effect stand between, which the corpus does not have.
            offset += length + 1 + chance.one((0, 0, 80, 150, 400))

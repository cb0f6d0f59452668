"""The sample corpus `drec-sample`: property advertisements of a seeded grammar in the raw format of DREC.

It has what sets DREC apart from CoNLL04: a root as token 0, nine entity types, the relations `Part-of` and
`Equivalent`, tokens with several heads, texts of several sentences, and more relations a token than any other corpus.
What is offered is part of the root; its rooms and floors are part of it; a second mention is equivalent to the first.
The words are Dutch, some made up; distractors are things that are absent, that others own, or that may be built.
"""

from pathlib import Path

from cman.corpora.samples.grammar import Sentence, name, read_grammar, read_rules, write_columns

GRAMMAR = """
sentence:
    5* #offer / 2* #offer #call / #call #offer

offer:
    5* te koop : #adj @property1 #place(property1) . #body(property1) | Part-of property1 root
    4* deze #adj @property1 , gelegen #place(property1) , omvat : #body(property1) | Part-of property1 root
    3* @neighborhood1 : @property1 . #body(property1) | Part-of property1 root ; Part-of neighborhood1 property1
    2* #adj @property1 en @property2 , #each(property1+property2) . #body(property1) | Part-of property1+property2 root
    2* geen @invalid , wel een #adj @property1 ! #body(property1) | Part-of property1 root
    naast het #thing van de buren : deze @property1 #place(property1) . #body(property1) | Part-of property1 root

place($):
    3* in @neighborhood1 | Part-of neighborhood1 $
    te @neighborhood1 | Part-of neighborhood1 $
    in de buurt van @neighborhood1 , dicht bij #near | Part-of neighborhood1 $
each($):
    elk met #eigen @field1 | Part-of field1 $

body($):
    4* #storey($) #storey($) #outside($) #again($)
    3* #storey($) #storey($) #storey($) #outside($) #again($)
    2* #storey($) #outside($) #chatter #again($)
    2* #chatter #storey($) #storey($) #outside($) #outside($)
    #storey($) #chatter #storey($) #outside($) #again($) #outside($)

storey($):
    4* @floor1 : #rooms(floor1) . | Part-of floor1 $
    2* op de @floor1 bevinden zich #rooms(floor1) . | Part-of floor1 $
    2* @floor1 met #rooms(floor1) ; @floor2 : #rooms(floor2) . | Part-of floor1+floor2 $
    @floor1 en @floor2 hebben elk een @space1 . | Part-of floor1+floor2 $ ; Part-of space1 floor1+floor2
    #rooms($) .

rooms($):
    4* #room($) , #room($) en #room($) / 3* #room($) en #room($) / #room($)
    2* #room($) , #room($) , #room($) en #room($)

room($):
    6* #size @space1 | Part-of space1 $
    3* @space1 met @subspace1 | Part-of space1 $ ; Part-of subspace1 space1
    2* @space1 met @subspace1 en @subspace2 | Part-of space1 $ ; Part-of subspace1+subspace2 space1
    @space1 ( @space2 ) | Part-of space1 $ ; Equivalent space2 space1
    2* @space1 van #number m2 | Part-of space1 $
    @space1 , zonder #thing | Part-of space1 $
    @space1 die kan dienen als #thing | Part-of space1 $

outside($):
    3* #adj @field1 van #number m2 . | Part-of field1 $
    3* er is een @extra1 en een @field1 . | Part-of extra1+field1 $
    2* achteraan : @field1 met @extra1 . | Part-of field1 $ ; Part-of extra1 field1
    2* de @extra1 is bereikbaar langs de @field1 . | Part-of extra1+field1 $
    geen @invalid , wel @other1 . | Part-of other1 $
    2* voorzien van @other1 en @other2 . | Part-of other1+other2 $
    @other1 . | Part-of other1 $

again($):
    4* het @property1 is #state . | Equivalent property1 $
    2* dit @property1 , #state , heeft @other1 . | Equivalent property1 $ ; Part-of other1 $
    2* #chatter / _

chatter:
    2* vlak bij #near en #near . / #adj en #state ! / de buurman heeft een #thing en een #thing .
    mogelijkheid tot het bouwen van een #thing . / gemeente : @other . / op #number minuten van #near .
call:
    bel #number voor een bezoek . / prijs : #number euro . / vrij op #number #month . / foto's op onze site .
    bezoek na afspraak , ook op zaterdag .

size:
    5* _ / ruime / kleine / #adj / grote / tweede
adj:
    mooie / goed gelegen / charmante / recente / ruime / gerenoveerde / instapklare / rustig gelegen / lichte / unieke
state:
    instapklaar / volledig gerenoveerd / op te frissen / onmiddellijk vrij / in goede staat / zeer verzorgd
eigen:
    een eigen / een kleine / een eigen
near:
    school / winkels / station / autosnelweg / het park / openbaar vervoer / het centrum
thing:
    garage / tuin / zwembad / kelder / bureau / terras / tuinhuis / veranda / speelkamer / woning / oprit / carport
number:
    2 / 3 / 4 / 12 / 15 / 25 / 60 / 85 / 120 / 250 / 430 / 685 / 1.250 / 175.000 / 0476123456
month:
    januari / maart / mei / juni / september / oktober
"""

NAMES = """
property:
    3* woning / 2* huis / 2* appartement / villa / rijwoning / hoekwoning / bungalow / {stem}hoeve / studio
    halfopen bebouwing / open bebouwing / 2* {number}-slaapkamer appartement / eengezinswoning / herenhuis / loft
neighborhood:
    3* {Stem} / 2* {Stem}{place} / {Stem} centrum / {Stem}-{Stem} / Sint-{Stem} / {Stem}{street} / wijk {Stem}
floor:
    2* gelijkvloers / 2* eerste verdieping / 2* verdieping / tweede verdieping / kelderverdieping / zolder
    duplexniveau / halfverdieping / bovenverdieping / derde verdieping
space:
    2* living / 2* keuken / 2* badkamer / slaapkamer / slaapkamer {number} / berging / inkomhal / toilet / bureau
    garage / kelder / wasplaats / eetkamer / zitplaats / veranda / nachthal / {number} slaapkamers / dressing / salon
    speelkamer / zolderkamer / {stem}kamer / wc / hal
subspace:
    2* ligbad / 2* douche / inbouwkast / open haard / lavabo / {stem}kast / dubbele wastafel / kookeiland / eethoek
    dampkap / vaatwasser / bubbelbad
field:
    3* tuin / 2* terras / koer / oprit / voortuin / {stem}tuin / weide / zonneterras / stadstuin / grond / gazon
extra:
    3* garage / 2* tuinhuis / carport / stal / berghok / {stem}huisje / dubbele garage / serre / loods / poolhouse
other:
    2* lift / 2* centrale verwarming / dubbele beglazing / alarm / {stem}vloer / zonnepanelen / regenput / {stem}plicht
    parketvloer / airco / videofoon / gas / epc {anno}
invalid:
    tuin / garage / lift / kelder / bad / terras / veranda
Stem:
    {Onset}{vowel}{coda} / {Onset}{vowel}{middle}{vowel}{coda} / 2* {Onset}{vowel}{middle}e{coda}
stem:
    {onset}{vowel}{coda} / {onset}{vowel}{middle}e{coda}
place:
    gem / dorp / hoek / beke / zele / rode / kerke
street:
    straat / laan / dreef / veld / kouter
number:
    2 / 3 / 4
anno:
    185 / 212 / 340 / 97
onset:
    b / d / g / gr / h / k / kl / l / m / n / p / r / s / st / t / v / w / z
Onset:
    B / D / G / Gr / H / K / Kl / L / M / N / P / R / S / St / T / V / W / Z
middle:
    ng / rd / nt / l / lm / rk / st / v / ld / m
vowel:
    a / aa / e / ee / i / ie / o / oe / oo / eu / ij / ui
coda:
    n / r / l / m / t / ns / lt / rt / k / s
"""

TYPES = {
    "property": "property",
    "neighborhood": "neighborhood",
    "floor": "floor",
    "space": "space",
    "subspace": "subspace",
    "field": "field",
    "extra": "extra_building",
    "other": "other",
    "invalid": "invalid",
}

RULES = read_grammar(GRAMMAR, {})
NAME_RULES = read_rules(NAMES)
ROOT_TOKEN = "ROOT"


class Advertisement(Sentence):
    """An advertisement, its root first."""

    rules, types, openers = RULES, TYPES, (ROOT_TOKEN, ".", "!")

    def expand(self, rule: str, argument: tuple[int, ...] = ()) -> None:
        """Append one alternative of a rule; the first of all is preceded by the root."""
        if not self.tokens:
            self.append(ROOT_TOKEN, "O")
        super().expand(rule, argument)

    def mention(self, kind: str) -> str:
        """Return a name of a kind."""
        return name(self.chance, NAME_RULES, kind)

    def entity(self, kind: str) -> int:
        """Append a new entity; there are few words for rooms, and a house may have two of a kind."""
        self.names.clear()
        return super().entity(kind)


def write_drec_sample(path: Path, split: str, sentences: int, seed: int) -> None:
    """Write one split of `drec-sample`; see `cman.corpora.samples.grammar.write_columns`."""
    write_columns(path, Advertisement, split, sentences, seed)

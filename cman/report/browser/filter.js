// Which sentences are listed, what they count, and in which order they stand. A filter is the state of the page.

const TASKS = { both: "entities and relations", entities: "entities", relations: "relations" };
// By name: what a choice is called, and whether a sentence passes it. `left` and `right` are what `judge` returns.
const COMPARISONS = {
  any: ["all sentences", () => true],
  "left-right": ["left all right, right not", ([left, right]) => !left.errors && right.errors],
  "right-left": ["right all right, left not", ([left, right]) => !right.errors && left.errors],
  "left-finds": ["left finds what right misses", (judged, sentence, filter) => findsMore(sentence, 0, filter)],
  "right-finds": ["right finds what left misses", (judged, sentence, filter) => findsMore(sentence, 1, filter)],
  differ: ["predictions differ", (judged, sentence, filter) => differences(sentence, filter) > 0],
  "both-wrong": ["both have errors", ([left, right]) => left.errors && right.errors],
  "both-right": ["both all right", ([left, right]) => !left.errors && !right.errors],
};
const SINGLE_COMPARISONS = {
  any: COMPARISONS.any,
  wrong: ["with errors", ([left]) => left.errors],
  right: ["all right", ([left]) => !left.errors],
};
const SIDES = {
  either: ["either run", (judged) => judged.some((one) => one.match)],
  left: ["the left run", ([left]) => left.match],
  right: ["the right run", ([left, right]) => (right ?? left).match],
  both: ["both runs", (judged) => judged.every((one) => one.match)],
};
const ORDERS = { // and the weight by which sentences are sorted
  corpus: ["as in the corpus", null],
  errors: ["most errors first", (judged) => judged.reduce((sum, one) => sum + one.errors, 0)],
  confident: ["most confident error first", (judged) => Math.max(...judged.map((one) => one.confident))],
  differences: ["largest difference first", (judged, sentence, filter) => differences(sentence, filter)],
  long: ["longest first", (judged, sentence) => sentence.tokens.length],
};
const comparisonsOf = (filter) => (filter.right ? COMPARISONS : SINGLE_COMPARISONS);

const inTask = (filter, task) => filter.task === "both" || filter.task === TASK_NAMES[task];
// Without any type chosen, all types count; else those chosen alone.
const counted = (filter, one) => inTask(filter, one.task) && (!filter.types.size || filter.types.has(one.box));

// Counts of one run, by task: right, wrong, missed; and of each kind and type the same.
function emptyTally(corpus) {
  const three = () => [0, 0, 0];
  return [ENTITY, RELATION].map((task) => ({
    all: three(), kinds: KINDS[task].map(three), types: typesOf(corpus, task).map(three),
  }));
}

// What one run does on one sentence, of what is counted; `tally` gets its counts if it is given.
function judge(sentence, side, filter, tally) {
  const result = { errors: 0, match: !filter.kinds.size && !filter.types.size, confident: -1 };
  for (const [one, kind, outcome] of outcomes(sentence, side)) {
    const { all, kinds, types } = tally?.[one.task] ?? {};
    // Also of types that are not chosen: they can be added to the choice.
    if (tally && inTask(filter, one.task)) types[one.type][outcome]++;
    if (!counted(filter, one)) continue;
    if (tally) [all, kinds[kind]].forEach((counts) => counts[outcome]++);
    if (outcome !== RIGHT) result.errors++;
    if (outcome === WRONG) result.confident = Math.max(result.confident, one.score);
    if (!filter.kinds.size || filter.kinds.has(`${one.task}:${KINDS[one.task][kind]}`)) result.match = true;
  }
  return result;
}

// Whether a gold annotation that is counted was found by the one run and not by the other.
const findsMore = (sentence, side, filter) => sentence.gold.flat().some((one) =>
  one.kinds[side] === KIND_RIGHT && one.kinds[1 - side] !== KIND_RIGHT && counted(filter, one));

// How many predictions that are counted only one of the two runs makes.
function differences(sentence, filter) {
  const [left, right = left] = sentence.found.map((items) =>
    new Set(items.flat().filter((one) => counted(filter, one) && !one.given).map((one) => one.same)));
  const only = (here, there) => [...here].filter((same) => !there.has(same)).length;
  return only(left, right) + only(right, left);
}

// The sentences that pass, in order, and the tallies of their one or two runs.
function select(corpus, sentences, filter) {
  const wanted = filter.text.trim().toLowerCase(), weight = ORDERS[filter.order][1];
  const passes = [SIDES[filter.side][1], comparisonsOf(filter)[filter.compare][1]];
  const passed = sentences
    .filter((sentence) => !wanted || sentence.lower.includes(wanted) || sentence.id.toLowerCase() === wanted)
    .map((sentence) => ({ sentence, judged: sentence.found.map((_, side) => judge(sentence, side, filter, null)) }))
    .filter(({ sentence, judged }) => passes.every((passes) => passes(judged, sentence, filter)));
  const tallies = [filter.left, filter.right].filter(Boolean).map(() => emptyTally(corpus));
  for (const { sentence } of passed) tallies.forEach((tally, side) => judge(sentence, side, filter, tally));
  if (weight) {
    for (const row of passed) row.weight = weight(row.judged, row.sentence, filter);
    passed.sort((one, other) => other.weight - one.weight); // stable: ties stay as in the corpus
  }
  return { listed: passed.map((row) => row.sentence), tallies };
}

// Which sentences are listed, what they count, and in which order they stand.

const TASKS = { both: "entities and relations", entities: "entities", relations: "relations" };
const COMPARISONS = {
  any: "all sentences",
  "left-right": "left all right, right not",
  "right-left": "right all right, left not",
  "left-finds": "left finds what right misses",
  "right-finds": "right finds what left misses",
  differ: "predictions differ",
  "both-wrong": "both have errors",
  "both-right": "both all right",
};
const SINGLE_COMPARISONS = { any: "all sentences", wrong: "with errors", right: "all right" };
const SIDES = { either: "either run", left: "the left run", right: "the right run", both: "both runs" };
const ORDERS = {
  corpus: "as in the corpus",
  errors: "most errors first",
  confident: "most confident error first",
  differences: "largest difference first",
  long: "longest first",
};

const inTask = (filter, task) => filter.task === "both" || filter.task === (task === ENTITY ? "entities" : "relations");
// Without any type chosen, all types count; else those chosen alone.
const counted = (filter, task, type) =>
  inTask(filter, task) && (!filter.someType || filter.types[task].has(type));

// Counts of one run, by task: right, wrong, missed; and of each kind and type the same.
function emptyTally(corpus) {
  const three = () => [0, 0, 0];
  return [ENTITY, RELATION].map((task) => ({
    all: three(),
    kinds: KINDS[task].map(three),
    types: typesOf(corpus, task).map(three),
  }));
}

// What one run does on one sentence, of what is counted; `tally` gets its counts if it is given.
function judge(sentence, side, filter, tally) {
  const result = { errors: 0, match: !filter.someKind && !filter.someType, confident: -1 };
  eachItem(sentence, side, (task, outcome, kind, type, at) => {
    if (!inTask(filter, task)) return;
    if (tally) {
      tally[task].types[type][outcome]++; // also of types that are not chosen: they can be added to the choice
    }
    if (!counted(filter, task, type)) return;
    if (tally) {
      tally[task].all[outcome]++;
      tally[task].kinds[kind][outcome]++;
    }
    if (outcome !== RIGHT) result.errors++;
    if (outcome === WRONG) result.confident = Math.max(result.confident, sentence.found[side][task][PREDICTED * at + 3]);
    if (!filter.someKind || filter.kinds[task].has(kind)) result.match = true;
  });
  return result;
}

// Whether a gold annotation that is counted was found by the one run and not by the other.
function findsMore(sentence, side, filter) {
  for (const task of [ENTITY, RELATION]) {
    const [mine, other] = [sentence.found[side][task + 2], sentence.found[1 - side][task + 2]];
    for (let at = 0; at < mine.length; at++) {
      if (mine[at] !== KIND_RIGHT || other[at] === KIND_RIGHT) continue;
      if (counted(filter, task, sentence.gold[task][GOLD * at])) return true;
    }
  }
  return false;
}

// How many predictions that are counted only one of the two runs makes.
function differences(sentence, filter) {
  let count = 0;
  for (const task of [ENTITY, RELATION]) {
    if (!inTask(filter, task)) continue;
    const names = [0, 1].map((side) =>
      predictedNames(sentence, side, task).filter((_, at) =>
        counted(filter, task, sentence.found[side][task][PREDICTED * at]) &&
        !(task === ENTITY && sentence.found[side][task][PREDICTED * at + 4] === GIVEN)));
    const [left, right] = names.map((list) => new Set(list));
    for (const name of left) if (!right.has(name)) count++;
    for (const name of right) if (!left.has(name)) count++;
  }
  return count;
}

function compares(sentence, filter, [left, right]) {
  switch (filter.compare) {
    case "any": return true;
    case "wrong": return left.errors > 0;
    case "right": return left.errors === 0;
    case "left-right": return left.errors === 0 && right.errors > 0;
    case "right-left": return right.errors === 0 && left.errors > 0;
    case "left-finds": return findsMore(sentence, 0, filter);
    case "right-finds": return findsMore(sentence, 1, filter);
    case "differ": return differences(sentence, filter) > 0;
    case "both-wrong": return left.errors > 0 && right.errors > 0;
    case "both-right": return left.errors === 0 && right.errors === 0;
  }
  throw new Error(`no comparison ${filter.compare}`);
}

function onSide(filter, [left, right]) {
  if (!right) return left.match;
  switch (filter.side) {
    case "left": return left.match;
    case "right": return right.match;
    case "both": return left.match && right.match;
    default: return left.match || right.match;
  }
}

// The sentences that pass, in order, and the tallies of their one or two runs.
function select(corpus, sentences, filter) {
  const sides = sentences.length && sentences[0].found[1] ? [0, 1] : [0];
  const wanted = filter.text.trim().toLowerCase();
  const passed = [];
  for (const sentence of sentences) {
    if (wanted && !sentence.lower.includes(wanted) && sentence.id.toLowerCase() !== wanted) continue;
    const judged = sides.map((side) => judge(sentence, side, filter, null));
    if (onSide(filter, judged) && compares(sentence, filter, judged)) passed.push({ sentence, judged });
  }
  const tallies = sides.map(() => emptyTally(corpus));
  for (const { sentence } of passed) for (const side of sides) judge(sentence, side, filter, tallies[side]);
  return { listed: sorted(passed, filter).map((row) => row.sentence), tallies };
}

function sorted(rows, filter) {
  const weight = {
    errors: (row) => row.judged.reduce((sum, one) => sum + one.errors, 0),
    confident: (row) => Math.max(...row.judged.map((one) => one.confident)),
    differences: (row) => (row.judged.length > 1 ? differences(row.sentence, filter) : 0),
    long: (row) => row.sentence.tokens.length,
  }[filter.order];
  if (!weight) return rows;
  const weighed = rows.map((row) => [weight(row), row]);
  return weighed.sort((one, other) => other[0] - one[0]).map(([, row]) => row); // stable: ties stay as in the corpus
}

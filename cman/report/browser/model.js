// The data of the page: test sets, runs and sentences, read from the flat lists that cman/report/browser/data.py wrote.

const DATA = JSON.parse(document.getElementById("data").textContent);
const ENTITY = 0, RELATION = 1; // the two tasks
const RIGHT = 0, WRONG = 1, MISSED = 2; // true positive, false positive, false negative
const KINDS = [DATA.entityKinds, DATA.relationKinds];
const KIND_RIGHT = 0; // in both lists
const GIVEN = DATA.entityKinds.indexOf("given"); // the artificial root: drawn, never counted
const PREDICTED = 5; // numbers of a predicted annotation: type, first, second, score, kind
const GOLD = 3; // of a gold one: type, first, second
const ALL_FOLDS = "all folds";

const runKey = (run) => `${run.experiment}/seed${run.seed}`;
const runTitle = (run) => `${run.title}, seed ${run.seed}`;
const typesOf = (corpus, task) => (task === ENTITY ? corpus.entityTypes : corpus.relationTypes);

// What can be chosen as a division: each one, and all folds together where there are several.
function divisionsOf(corpus) {
  const names = corpus.splits.map((split) => split.name);
  return names.filter((name) => name.startsWith("fold")).length > 1 ? [...names, ALL_FOLDS] : names;
}

function splitsOf(corpus, division) {
  if (division === ALL_FOLDS) return corpus.splits.filter((split) => split.name.startsWith("fold"));
  return corpus.splits.filter((split) => split.name === division);
}

// The runs of a division by key: of an experiment and a seed, those of all its splits that have one.
function runsOf(corpus, division) {
  const runs = new Map();
  for (const split of splitsOf(corpus, division)) {
    for (const run of split.runs) {
      const known = runs.get(runKey(run)) ?? { key: runKey(run), title: runTitle(run), run, bySplit: new Map() };
      known.bySplit.set(split.name, run);
      runs.set(runKey(run), known);
    }
  }
  return runs;
}

// The sentences that both runs were tested on, in the order of the corpus.
function sentencesOf(corpus, division, left, right) {
  const sentences = [];
  for (const split of splitsOf(corpus, division)) {
    const of = (chosen) => (chosen ? chosen.bySplit.get(split.name) : null);
    const runs = [of(left), of(right)];
    if (runs[0] === undefined || runs[1] === undefined) continue;
    split.lower ??= split.tokens.map((tokens) => tokens.join(" ").toLowerCase());
    for (let at = 0; at < split.ids.length; at++) {
      sentences.push({
        id: split.ids[at],
        key: `${split.name}/${at}`,
        split: split.name,
        tokens: split.tokens[at],
        lower: split.lower[at],
        gold: split.gold[at],
        found: runs.map((run) => (run ? run.found[at] : null)),
      });
    }
  }
  return sentences;
}

// Calls back with (task, outcome, kind, type, position) for everything that strict matching counts of one run.
function eachItem(sentence, side, call) {
  const found = sentence.found[side];
  for (let task = 0; task < 2; task++) {
    const given = found[task];
    for (let at = 0; at < given.length; at += PREDICTED) {
      const kind = given[at + 4];
      if (task === ENTITY && kind === GIVEN) continue;
      call(task, kind === KIND_RIGHT ? RIGHT : WRONG, kind, given[at], at / PREDICTED);
    }
    const kinds = found[task + 2], gold = sentence.gold[task];
    for (let at = 0; at < kinds.length; at++) {
      const kind = kinds[at];
      if (kind === KIND_RIGHT || (task === ENTITY && kind === GIVEN)) continue;
      call(task, MISSED, kind, gold[GOLD * at], at);
    }
  }
}

// A name of each predicted annotation that says what it is whatever run it is of.
function predictedNames(sentence, side, task) {
  const [entities, relations] = sentence.found[side];
  const entity = (at) => entities.slice(PREDICTED * at, PREDICTED * at + 3).join(" ");
  const flat = task === ENTITY ? entities : relations;
  const names = [];
  for (let at = 0; at < flat.length; at += PREDICTED) {
    const name = task === ENTITY ? entity(at / PREDICTED) : `${flat[at]} ${entity(flat[at + 1])} ${entity(flat[at + 2])}`;
    names.push(name);
  }
  return names;
}

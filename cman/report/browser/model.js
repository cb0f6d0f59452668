// The data of the page: test sets, runs and sentences, whose annotations cman/report/browser/data.py wrote.

const DATA = JSON.parse(document.getElementById("data").textContent);
const ENTITY = 0, RELATION = 1; // the two tasks
const TASK_NAMES = ["entities", "relations"];
const RIGHT = 0, WRONG = 1, MISSED = 2; // true positive, false positive, false negative
const KINDS = [DATA.entityKinds, DATA.relationKinds];
const KIND_RIGHT = 0; // in both lists
const GIVEN = "given", ROOT = "<root>"; // kind and type of the artificial root: drawn, never counted
const ALL_FOLDS = "all folds";

const isGiven = (task, kind) => task === ENTITY && KINDS[ENTITY][kind] === GIVEN;
const typesOf = (corpus, task) => (task === ENTITY ? corpus.entityTypes : corpus.relationTypes);
const isFold = (split) => split.name.startsWith("fold");

// A run that stands in a file beside the page is read when it is first chosen: the file is a script that calls cmanRun.
const arrived = new Map();
window.cmanRun = (file, found) => { arrived.set(file, found); };

function readRun(run) {
  run.reading ??= new Promise((resolve) => {
    const script = document.createElement("script");
    const done = () => {
      run.found = arrived.get(run.file);
      run.lost = !run.found;
      arrived.delete(run.file);
      script.remove();
      resolve();
    };
    script.addEventListener("load", done);
    script.addEventListener("error", done);
    script.src = run.file;
    document.head.append(script);
  });
  return run.reading;
}

// What can be chosen as a division: each one, and all folds together where there are several.
function divisionsOf(corpus) {
  const names = corpus.splits.map((split) => split.name);
  return corpus.splits.filter(isFold).length > 1 ? [...names, ALL_FOLDS] : names;
}

const splitsOf = (corpus, division) =>
  corpus.splits.filter((split) => (division === ALL_FOLDS ? isFold(split) : split.name === division));

// The runs of a division by key: of an experiment and a seed, those of all its splits that have one.
function runsOf(corpus, division) {
  const runs = new Map();
  for (const split of splitsOf(corpus, division)) {
    for (const run of split.runs) {
      const key = `${run.experiment}/seed${run.seed}`;
      if (!runs.has(key)) runs.set(key, { key, title: `${run.title}, seed ${run.seed}`, run, bySplit: new Map() });
      runs.get(key).bySplit.set(split.name, run);
    }
  }
  return runs;
}

// Annotations as objects, entities and relations; `same` names one whatever run it is of.
function annotations(corpus, rows) {
  const [entities, relations] = rows.map((items, task) => items.map(([type, first, second, score, kind]) => {
    const name = typesOf(corpus, task)[type];
    return { task, type, name, first, second, score, kind, box: `${task}:${name}`, given: isGiven(task, kind) };
  }));
  for (const one of entities) one.same = `${one.type} ${one.first} ${one.second}`;
  for (const one of relations) one.same = `${one.type} ${entities[one.first].same} ${entities[one.second].same}`;
  return [entities, relations];
}

// The sentences that both runs were tested on, in the order of the corpus; gold annotations have their kind in each.
function sentencesOf(corpus, division, chosen) {
  const sentences = [];
  for (const split of splitsOf(corpus, division)) {
    const runs = chosen.map((one) => one.bySplit.get(split.name));
    if (!runs.every((run) => run?.found)) continue;
    split.ids.forEach((id, at) => {
      const tokens = split.tokens[at], gold = annotations(corpus, split.gold[at]);
      gold.forEach((items, task) => items.forEach((one, place) => {
        one.kinds = runs.map((run) => run.found[at][task + 2][place]);
        one.given = isGiven(task, one.kinds[0]);
      }));
      const found = runs.map((run) => annotations(corpus, run.found[at].slice(0, 2)));
      const lower = tokens.join(" ").toLowerCase();
      sentences.push({ id, key: `${split.name}/${at}`, split: split.name, tokens, lower, gold, found });
    });
  }
  return sentences;
}

// [annotation, kind, outcome] for everything that strict matching counts of one run.
function outcomes(sentence, side) {
  const found = sentence.found[side].flat().map((one) => [one, one.kind, one.kind === KIND_RIGHT ? RIGHT : WRONG]);
  const missed = sentence.gold.flat().map((one) => [one, one.kinds[side], MISSED]);
  return [...found, ...missed.filter(([, kind]) => kind !== KIND_RIGHT)].filter(([one]) => !one.given);
}

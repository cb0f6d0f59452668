// Everything chosen, as the fragment of the page's address and back.

const DEFAULTS = { task: "both", compare: "any", side: "either", order: "corpus", text: "" };

function firstState() {
  const corpus = DATA.corpora[0], division = divisionsOf(corpus)[0];
  const state = { corpus: corpus.name, split: division, ...DEFAULTS, kinds: new Set(), types: new Set(), at: "" };
  return withRuns(state);
}

// The state with runs that there are: CMAN on the left, another experiment on the right.
function withRuns(state) {
  const runs = [...runsOf(corpusOf(state), state.split).values()];
  const known = (key) => runs.some((run) => run.key === key);
  const left = known(state.left) ? state.left : (runs.find((run) => run.run.experiment === "cman") ?? runs[0]).key;
  const experiment = runs.find((run) => run.key === left).run.experiment;
  let right = state.right;
  if (right !== "" && !known(right)) right = runs.find((run) => run.run.experiment !== experiment)?.key ?? "";
  return { ...state, left, right };
}

const corpusOf = (state) => DATA.corpora.find((corpus) => corpus.name === state.corpus);

function toFragment(state) {
  const parameters = new URLSearchParams();
  for (const name of ["corpus", "split", "left", "right"]) parameters.set(name, state[name]);
  for (const [name, value] of Object.entries(DEFAULTS)) if (state[name] !== value) parameters.set(name, state[name]);
  for (const name of ["kinds", "types"]) for (const value of state[name]) parameters.append(name, value);
  if (state.at) parameters.set("at", state.at);
  return `#${parameters}`;
}

// The state of a fragment, and what of it this page does not have.
function fromFragment(fragment) {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  const unknown = [];
  let state = firstState();
  const take = (name, allowed) => {
    if (!parameters.has(name)) return;
    const value = parameters.get(name);
    if (allowed.includes(value)) state[name] = value;
    else unknown.push(`${name} ${value}`);
  };
  take("corpus", DATA.corpora.map((corpus) => corpus.name));
  const corpus = corpusOf(state);
  state.split = divisionsOf(corpus)[0];
  take("split", divisionsOf(corpus));
  const runs = [...runsOf(corpus, state.split).keys()];
  take("left", runs);
  take("right", ["", ...runs]);
  state = withRuns(state);
  take("task", Object.keys(TASKS));
  take("compare", Object.keys(state.right ? COMPARISONS : SINGLE_COMPARISONS));
  take("side", Object.keys(SIDES));
  take("order", Object.keys(ORDERS));
  state.text = parameters.get("text") ?? "";
  state.at = parameters.get("at") ?? "";
  const names = {
    kinds: KINDS.flatMap((kinds, task) => kinds.map((kind) => `${task}:${kind}`)),
    types: [ENTITY, RELATION].flatMap((task) => typesOf(corpus, task).map((type) => `${task}:${type}`)),
  };
  for (const [name, allowed] of Object.entries(names)) {
    for (const value of parameters.getAll(name)) {
      if (allowed.includes(value)) state[name].add(value);
      else unknown.push(`${name} ${value}`);
    }
  }
  return { state, unknown };
}

// What `select` filters by.
function filterOf(state) {
  const corpus = corpusOf(state);
  const positions = (chosen, task, names) =>
    new Set(names.map((_, at) => at).filter((at) => chosen.has(`${task}:${names[at]}`)));
  return {
    ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, state[name]])),
    kinds: KINDS.map((names, task) => positions(state.kinds, task, names)),
    types: [ENTITY, RELATION].map((task) => positions(state.types, task, typesOf(corpus, task))),
    someKind: state.kinds.size > 0,
    someType: state.types.size > 0,
  };
}

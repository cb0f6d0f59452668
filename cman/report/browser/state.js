// Everything chosen, as the fragment of the page's address and back. A state is also what `select` filters by.

const corpusOf = (state) => DATA.corpora.find((corpus) => corpus.name === state.corpus);
const titled = (choices) => Object.entries(choices).map(([name, choice]) => [name, [choice].flat()[0]]);
const runChoices = (state) =>
  [...runsOf(corpusOf(state), state.split).values()].map((run) => [run.key, `${run.title} (${run.run.experiment})`]);

// What each list can be set to, [value, text], given the lists before it. The first is the default, but for runs.
const CHOICES = {
  corpus: () => DATA.corpora.map((one) => [one.name, one.title + (one.sample ? " (sample corpus)" : "")]),
  split: (state) => divisionsOf(corpusOf(state)).map((name) => [name, name]),
  left: runChoices,
  right: (state) => [["", "none"], ...runChoices(state)],
  task: () => titled(TASKS),
  compare: (state) => titled(comparisonsOf(state)),
  side: () => titled(SIDES),
  order: () => titled(ORDERS),
};
const DEFAULTS = { task: "both", compare: "any", side: "either", order: "corpus", text: "" };

// By default CMAN is on the left, another experiment on the right.
function defaultOf(name, state, choices) {
  const runs = name === "left" || name === "right" ? [...runsOf(corpusOf(state), state.split).values()] : [];
  if (name === "left") return (runs.find((one) => one.run.experiment === "cman") ?? runs[0]).key;
  const left = runs.find((one) => one.key === state.left);
  if (name === "right") return runs.find((one) => one.run.experiment !== left.run.experiment)?.key ?? "";
  return choices[0][0];
}

// A state of which everything is there; what is not is the default.
function fitted(given) {
  const state = { text: "", at: "", kinds: new Set(), types: new Set(), ...given };
  for (const [name, choicesOf] of Object.entries(CHOICES)) {
    const choices = choicesOf(state);
    if (!choices.some(([value]) => value === state[name])) state[name] = defaultOf(name, state, choices);
  }
  const boxes = { kinds: KINDS, types: [ENTITY, RELATION].map((task) => typesOf(corpusOf(state), task)) };
  for (const [group, names] of Object.entries(boxes)) {
    const known = names.flatMap((row, task) => row.map((name) => `${task}:${name}`));
    state[group] = new Set([...state[group]].filter((box) => known.includes(box)));
  }
  return state;
}

function toFragment(state) {
  const parameters = new URLSearchParams();
  for (const name of ["corpus", "split", "left", "right"]) parameters.set(name, state[name]);
  for (const [name, value] of Object.entries(DEFAULTS)) if (state[name] !== value) parameters.set(name, state[name]);
  for (const group of ["kinds", "types"]) for (const box of state[group]) parameters.append(group, box);
  if (state.at) parameters.set("at", state.at);
  return `#${parameters}`;
}

// The state of a fragment, and what of it this page does not have.
function fromFragment(fragment) {
  const given = {}, parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  for (const [name, value] of parameters) {
    if (name === "kinds" || name === "types") (given[name] ??= new Set()).add(value);
    else given[name] ??= value;
  }
  const state = fitted(given);
  const unknown = [...parameters].filter(([name, value]) => (name in CHOICES && state[name] !== value)
    || (state[name] instanceof Set && !state[name].has(value)));
  return { state, unknown: unknown.map((pair) => pair.join(" ")) };
}

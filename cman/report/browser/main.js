// Puts the parts together: a change of the state lists the sentences anew and writes the address.

let state = fitted({});
let cached = { key: "", sentences: [] };

function writeAddress() {
  // Some surroundings, such as a page shown within another, have no address of their own to be changed.
  try { history.replaceState(null, "", toFragment(state)); } catch (error) { if (error.name !== "SecurityError") throw error; }
}

const list = makeList((sentence) => { state.at = sentence.key; writeAddress(); });

function update(changes = {}) {
  state = fitted({ ...state, ...changes });
  const corpus = corpusOf(state), runs = runsOf(corpus, state.split);
  const chosen = [state.left, state.right].filter(Boolean).map((run) => runs.get(run));
  const shown = chosen.flatMap((one) => [...one.bySplit.values()]);
  const absent = shown.filter((run) => !run.found && !run.lost);
  if (absent.length) {
    showControls(state);
    byId("status").textContent = "Reading what was found…";
    Promise.all(absent.map(readRun)).then(() => update());
    return;
  }
  const lost = shown.filter((run) => run.lost).map((run) => run.file);
  if (lost.length) warn(`Cannot be read, wanted beside this page: ${lost.join("; ")}.`);
  const key = JSON.stringify([state.corpus, state.split, state.left, state.right]);
  if (cached.key !== key) cached = { key, sentences: sentencesOf(corpus, state.split, chosen) };
  const { listed, tallies } = select(corpus, cached.sentences, state);
  showControls(state);
  showScores(state, tallies);
  showBoxes("kinds", state, tallies, (task) => KINDS[task], tick);
  showBoxes("types", state, tallies, (task) => typesOf(corpus, task), tick);
  byId("heading").textContent = `${corpus.title}${corpus.sample ? " (sample corpus)" : ""}: gold and predictions`;
  byId("status").textContent = `${listed.length} of ${cached.sentences.length} sentences`;
  list.show({ corpus, listed, filter: state, titles: chosen.map((run) => run.title),
    wanted: state.text.trim().toLowerCase(), severalSplits: state.split === ALL_FOLDS });
  const at = listed.findIndex((sentence) => sentence.key === state.at);
  if (at >= 0) list.choose(at, false);
  writeAddress();
}

function tick(group, value, on) {
  const others = [...state[group]].filter((box) => box !== value);
  update({ [group]: new Set(on ? [...others, value] : others) });
}

function swap() {
  const turned = { "left-right": "right-left", "right-left": "left-right", "left-finds": "right-finds", "right-finds": "left-finds" };
  const side = { left: "right", right: "left" }[state.side] ?? state.side;
  if (state.right) update({ left: state.right, right: state.left, compare: turned[state.compare] ?? state.compare, side });
}

function warn(text) {
  byId("notice").hidden = !text;
  byId("notice").textContent = text;
}

function readAddress() {
  const { state: read, unknown } = fromFragment(location.hash);
  warn(unknown.length ? `This address names what is not on this page: ${unknown.join("; ")}.` : "");
  state = read;
  update();
}

for (const id of ["left", "right", "task", "compare", "side", "order"]) {
  byId(id).addEventListener("change", (event) => update({ [id]: event.target.value }));
}
byId("corpus").addEventListener("change", (event) => update({ corpus: event.target.value, split: "", types: new Set(), at: "" }));
byId("split").addEventListener("change", (event) => update({ split: event.target.value, at: "" }));
byId("text").addEventListener("input", (event) => update({ text: event.target.value }));
byId("swap").addEventListener("click", swap);
byId("reset").addEventListener("click", () => update({ ...DEFAULTS, kinds: new Set(), types: new Set() }));
byId("controls").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", readAddress);

const KEYS = {
  ArrowDown: () => list.move(1), j: () => list.move(1), ArrowUp: () => list.move(-1), k: () => list.move(-1),
  Home: () => list.first(), End: () => list.last(), x: swap, "/": () => { byId("panel").open = true; byId("text").select(); byId("text").focus(); },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { document.activeElement?.blur(); byId("list").focus(); return; }
  if (event.target.closest("input:not([type=checkbox]), select")) return;
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

if (matchMedia("(max-width: 800px)").matches) byId("panel").open = false;
readAddress();

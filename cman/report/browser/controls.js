// The controls on the left: they show the state, and tell what was chosen.

const byId = (id) => document.getElementById(id);

function fill(id, options, chosen) {
  const select = byId(id);
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = chosen;
  select.disabled = options.length < 2;
}

function showControls(state) {
  const corpus = corpusOf(state);
  const runs = [...runsOf(corpus, state.split).values()].map((run) => [run.key, `${run.title} (${run.run.experiment})`]);
  fill("corpus", DATA.corpora.map((one) => [one.name, one.title + (one.sample ? " (sample corpus)" : "")]), state.corpus);
  fill("split", divisionsOf(corpus).map((name) => [name, name]), state.split);
  fill("left", runs, state.left);
  fill("right", [["", "none"], ...runs], state.right);
  fill("task", Object.entries(TASKS), state.task);
  fill("compare", Object.entries(state.right ? COMPARISONS : SINGLE_COMPARISONS), state.compare);
  fill("side", Object.entries(SIDES), state.side);
  byId("side").disabled = !state.right;
  fill("order", Object.entries(ORDERS), state.order);
  if (byId("text").value !== state.text) byId("text").value = state.text;
  byId("swap").disabled = !state.right;
}

const f1 = ([right, wrong, missed]) => {
  const items = 2 * right + wrong + missed;
  return items ? ((200 * right) / items).toFixed(2) : "–";
};

function showScores(state, tallies) {
  const head = element("tr", {}, ...["", "", "✓ right", "✗ wrong", "− missed", "F1"].map((text) => element("th", {}, text)));
  const rows = tallies.flatMap((tally, side) => ["entities", "relations"].flatMap((name, task) => {
    if (state.task !== "both" && state.task !== name) return [];
    const counts = tally[task].all;
    const cells = [...counts, f1(counts)].map((value) => element("td", {}, String(value)));
    return [element("tr", { "data-side": SIDE_NAMES[side], "data-task": name },
      element("th", { scope: "row" }, tallies.length > 1 ? SIDE_NAMES[side] : ""), element("th", { scope: "row" }, name), ...cells)];
  }));
  byId("scores").replaceChildren(head, ...rows);
}

const written = ([right, wrong, missed]) =>
  [right && `✓${right}`, wrong && `✗${wrong}`, missed && `−${missed}`].filter(Boolean).join(" ") || "0";

// Boxes to tick, in the group "kinds" or "types", each with its counts in the sentences listed.
function showBoxes(id, group, state, tallies, namesOf, onChange) {
  const focused = document.activeElement?.dataset?.box;
  const tables = ["entities", "relations"].flatMap((name, task) => {
    if (state.task !== "both" && state.task !== name) return [];
    const rows = namesOf(task).flatMap((text, at) => {
      if (group === "kinds" && task === ENTITY && at === GIVEN) return [];
      if (text === "<root>") return [];
      const value = `${task}:${text}`;
      const box = element("input", { type: "checkbox", "data-box": `${group}/${value}` });
      box.checked = state[group].has(value);
      box.addEventListener("change", () => onChange(group, value, box.checked));
      const label = element("label", {}, box, element("span", { class: group === "types" && task === ENTITY ? `name ${colourOf(at)}` : "name" }, text));
      const counts = tallies.map((tally) => element("td", {}, written(tally[task][group][at])));
      return [element("tr", {}, element("th", { scope: "row" }, label), ...counts)];
    });
    const sides = tallies.length > 1 ? SIDE_NAMES : [""];
    const head = element("tr", {}, element("th", {}, name), ...sides.map((side) => element("th", {}, side)));
    return [element("table", {}, head, ...rows)];
  });
  byId(id).replaceChildren(...tables);
  if (focused) [...byId(id).querySelectorAll("input")].find((box) => box.dataset.box === focused)?.focus();
}

// The controls on the left: they show the state, and tell what was chosen.

const byId = (id) => document.getElementById(id);

function showControls(state) {
  for (const [id, choicesOf] of Object.entries(CHOICES)) {
    const select = byId(id), choices = choicesOf(state);
    select.replaceChildren(...choices.map(([value, text]) => element("option", { value }, text)));
    select.value = state[id];
    select.disabled = choices.length < 2 || (id === "side" && !state.right);
  }
  if (byId("text").value !== state.text) byId("text").value = state.text;
  byId("swap").disabled = !state.right;
}

const tasksShown = (state) => [ENTITY, RELATION].filter((task) => inTask(state, task));

const f1 = ([right, wrong, missed]) => {
  const items = 2 * right + wrong + missed;
  return items ? ((200 * right) / items).toFixed(2) : "–";
};

function showScores(state, tallies) {
  const head = element("tr", {}, ...["", "", "✓ right", "✗ wrong", "− missed", "F1"].map((text) => element("th", {}, text)));
  const rows = tallies.flatMap((tally, side) => tasksShown(state).map((task) => {
    const counts = tally[task].all, titles = [tallies.length > 1 ? SIDE_NAMES[side] : "", TASK_NAMES[task]];
    return element("tr", { "data-side": SIDE_NAMES[side], "data-task": TASK_NAMES[task] },
      ...titles.map((text) => element("th", { scope: "row" }, text)),
      ...[...counts, f1(counts)].map((value) => element("td", {}, String(value))));
  }));
  byId("scores").replaceChildren(head, ...rows);
}

const written = (counts) =>
  counts.map((count, outcome) => count && "✓✗−"[outcome] + count).filter(Boolean).join(" ") || "0";

// Boxes to tick, in the group "kinds" or "types", each with its counts in the sentences listed.
function showBoxes(group, state, tallies, namesOf, onChange) {
  const focused = document.activeElement?.dataset?.box;
  const tables = tasksShown(state).map((task) => {
    const rows = namesOf(task).flatMap((text, at) => {
      if (task === ENTITY && (group === "kinds" ? text === GIVEN : text === ROOT)) return [];
      const value = `${task}:${text}`, coloured = group === "types" && task === ENTITY;
      const box = element("input", { type: "checkbox", "data-box": `${group}/${value}` });
      box.checked = state[group].has(value);
      box.addEventListener("change", () => onChange(group, value, box.checked));
      const label = element("label", {}, box, element("span", { class: coloured ? `name ${colourOf(at)}` : "name" }, text));
      const counts = tallies.map((tally) => element("td", {}, written(tally[task][group][at])));
      return [element("tr", {}, element("th", { scope: "row" }, label), ...counts)];
    });
    const sides = tallies.length > 1 ? SIDE_NAMES : [""];
    return element("table", {},
      element("tr", {}, ...[TASK_NAMES[task], ...sides].map((text) => element("th", {}, text))), ...rows);
  });
  byId(group).replaceChildren(...tables);
  if (focused) [...byId(group).querySelectorAll("input")].find((box) => box.dataset.box === focused)?.focus();
}

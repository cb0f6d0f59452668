// One sentence as an article: gold on top, the predictions of one or two runs below.

const NARROW = 720; // pixels below which two runs stand below each other
const SIDE_NAMES = ["left", "right"];

const spanText = (sentence, one) => sentence.tokens.slice(one.first, one.second).join(" ");
const confidence = (score) => (score < 0 ? "" : `, confidence ${(score / 1000).toFixed(3)}`);
const shortKind = (kind) => kind.replace(/^wrong |^reversed /, "");

// Status (a line style), label and title of a gold annotation, by its kinds in each run.
function describeGold(one, what) {
  const names = one.kinds.map((kind) => KINDS[one.task][kind]);
  const hits = one.kinds.filter((kind) => kind === KIND_RIGHT).length;
  const signs = one.kinds.map((kind) => (kind === KIND_RIGHT ? "✓" : "−")).join("");
  const cause = names.length === 1 && !hits ? ` ${shortKind(names[0])}` : "";
  const words = one.kinds.map((kind, side) => {
    const said = kind === KIND_RIGHT ? "found" : `not found (${names[side]})`;
    return names.length > 1 ? `${SIDE_NAMES[side]} ${said}` : said;
  });
  return [hits === names.length ? "right" : hits ? "split" : "missed", `${one.name} ${signs}${cause}`,
    `${what}: gold, ${words.join(", ")}`];
}

function describePredicted(one, what, alone) {
  const right = one.kind === KIND_RIGHT, kind = KINDS[one.task][one.kind];
  return [right ? "right" : "wrong", `${one.name} ${right ? "✓" : `✗ ${shortKind(kind)}`}${alone ? " ≠" : ""}`,
    `${what}: ${right ? "right" : `wrong (${kind})`}${confidence(one.score)}${alone ? ", predicted by this run only" : ""}`];
}

// What is drawn of gold (`side` null) or of a run: entities and relations with label, title and look.
function annotate(sentence, side) {
  const items = side === null ? sentence.gold : sentence.found[side];
  const others = side === null ? undefined : sentence.found[1 - side];
  const known = others && new Set(others.flat().map((one) => one.same));
  return items.map((annotated, task) => annotated.map((one) => {
    const [head, tail] = task === RELATION ? [items[ENTITY][one.first], items[ENTITY][one.second]] : [];
    const where = head ? ` from “${spanText(sentence, head)}” to “${spanText(sentence, tail)}”` : ` “${spanText(sentence, one)}”`;
    const what = one.name + where;
    const [status, label, title] = one.given ? ["right", one.name, `${what}, given with the text`]
      : side === null ? describeGold(one, what)
      : describePredicted(one, what, known !== undefined && !known.has(one.same));
    const drawn = { label, title };
    return head ? { ...drawn, head: one.first, tail: one.second, look: status }
      : { ...drawn, start: one.first, end: one.second, look: `${colourOf(one.type)} ${status}` };
  }));
}

// Positions of the tokens that overlap what was searched.
function searched(sentence, wanted) {
  const marked = new Set();
  if (!wanted) return marked;
  for (let at = sentence.lower.indexOf(wanted); at >= 0; at = sentence.lower.indexOf(wanted, at + 1)) {
    let start = 0;
    sentence.tokens.forEach((token, place) => {
      const end = start + token.toLowerCase().length;
      if (start < at + wanted.length && at < end) marked.add(place);
      start = end + 1;
    });
  }
  return marked;
}

function panel(view, sentence, side, width) {
  const [entities, relations] = annotate(sentence, side);
  const title = side === null ? "gold" : view.titles[side];
  const label = [`${title}: ${sentence.tokens.join(" ")}`, ...[...entities, ...relations].map((one) => one.title)].join("; ");
  const head = element("h3", {}, title);
  if (side !== null) head.append(" ", element("span", { class: "tally" }, outcome(view, sentence, side)));
  const words = sentence.tokens.map((text) => ({ text, gap: " ", sticks: false }));
  const drawn = drawing(words, entities, relations, width, label, searched(sentence, view.wanted));
  return element("section", { class: side === null ? "gold" : `found ${SIDE_NAMES[side]}` }, head, drawn);
}

function outcome(view, sentence, side) {
  const tally = emptyTally(view.corpus);
  judge(sentence, side, view.filter, tally);
  return TASK_NAMES.map((name, task) => [name, tally[task].all])
    .filter(([, counts]) => counts.some(Boolean))
    .map(([name, [right, wrong, missed]]) => `${name} ✓${right} ✗${wrong} −${missed}`).join(", ");
}

function card(view, sentence, place, width) {
  const inner = width - 26, sides = sentence.found.map((_, side) => side);
  const beside = sides.length > 1 && inner >= NARROW, each = beside ? Math.floor((inner - 16) / 2) : inner;
  const split = view.severalSplits ? `, ${sentence.split}` : "";
  return element("article", {
    role: "article", tabindex: "-1", "data-id": sentence.id, "data-key": sentence.key,
    "aria-posinset": place + 1, "aria-setsize": view.listed.length, "aria-labelledby": `sentence-${place}`,
  }, element("h2", { id: `sentence-${place}` }, `${place + 1} · id ${sentence.id}${split}`),
  panel(view, sentence, null, inner),
  element("div", { class: beside ? "runs beside" : "runs" }, ...sides.map((side) => panel(view, sentence, side, each))));
}

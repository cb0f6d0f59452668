// One sentence as an article: gold on top, the predictions of one or two runs below.

const NARROW = 720; // pixels below which two runs stand below each other

const spanText = (sentence, start, end) => sentence.tokens.slice(start, end).join(" ");
const confidence = (score) => (score < 0 ? "" : `, confidence ${(score / 1000).toFixed(3)}`);
const SIDE_NAMES = ["left", "right"];

function entitiesOf(corpus, flat, step) {
  const entities = [];
  for (let at = 0; at < flat.length; at += step) {
    const [type, start, end, score, kind] = flat.slice(at, at + step);
    entities.push({ type, start, end, score, kind, name: corpus.entityTypes[type] });
  }
  return entities;
}

function relationsOf(corpus, flat, step) {
  const relations = [];
  for (let at = 0; at < flat.length; at += step) {
    const [type, head, tail, score, kind] = flat.slice(at, at + step);
    relations.push({ type, head, tail, score, kind, name: corpus.relationTypes[type] });
  }
  return relations;
}

// Status (a line style), label and title of a gold annotation, by its kinds in each run.
function describeGold(item, task, kinds, what) {
  const given = task === ENTITY && kinds[0] === GIVEN;
  const hits = kinds.filter((kind) => kind === KIND_RIGHT).length;
  item.status = given || hits === kinds.length ? "right" : hits ? "split" : "missed";
  const signs = kinds.map((kind) => (kind === KIND_RIGHT ? "✓" : "−")).join("");
  const cause = kinds.length === 1 && kinds[0] !== KIND_RIGHT ? ` ${shortKind(KINDS[task][kinds[0]])}` : "";
  item.label = given ? item.name : `${item.name} ${signs}${cause}`;
  const words = kinds.map((kind, side) => {
    const name = kind === KIND_RIGHT ? "found" : `not found (${KINDS[task][kind]})`;
    return kinds.length > 1 ? `${SIDE_NAMES[side]} ${name}` : name;
  });
  item.title = given ? `${what}, given with the text` : `${what}: gold, ${words.join(", ")}`;
}

function describePredicted(item, task, alone, what) {
  const given = task === ENTITY && item.kind === GIVEN;
  const right = given || item.kind === KIND_RIGHT;
  item.status = right ? "right" : "wrong";
  const sign = right ? "✓" : `✗ ${shortKind(KINDS[task][item.kind])}`;
  item.label = given ? item.name : `${item.name} ${sign}${alone ? " ≠" : ""}`;
  const judged = right ? "right" : `wrong (${KINDS[task][item.kind]})`;
  const only = alone ? ", predicted by this run only" : "";
  item.title = given ? `${what}, given with the text` : `${what}: ${judged}${confidence(item.score)}${only}`;
}

const shortKind = (kind) => kind.replace(/^wrong |^reversed /, "");

function annotate(corpus, sentence, side) {
  const gold = side === null;
  const [flatEntities, flatRelations] = gold ? sentence.gold : sentence.found[side];
  const step = gold ? GOLD : PREDICTED;
  const entities = entitiesOf(corpus, flatEntities, step), relations = relationsOf(corpus, flatRelations, step);
  const sides = sentence.found[1] ? [0, 1] : [0];
  const text = (at) => spanText(sentence, entities[at].start, entities[at].end);
  for (const [task, items] of [[ENTITY, entities], [RELATION, relations]]) {
    const mine = !gold && sides.length > 1 ? predictedNames(sentence, side, task) : null;
    const others = mine && new Set(predictedNames(sentence, 1 - side, task));
    items.forEach((item, at) => {
      const what = task === ENTITY ? `${item.name} “${text(at)}”` : `${item.name} from “${text(item.head)}” to “${text(item.tail)}”`;
      if (gold) describeGold(item, task, sides.map((one) => sentence.found[one][task + 2][at]), what);
      else describePredicted(item, task, mine !== null && !others.has(mine[at]), what);
      item.look = task === ENTITY ? `${colourOf(item.type)} ${item.status}` : item.status;
    });
  }
  return { entities, relations };
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
  const { entities, relations } = annotate(view.corpus, sentence, side);
  const title = side === null ? "gold" : view.titles[side];
  const label = [`${title}: ${sentence.tokens.join(" ")}`, ...[...entities, ...relations].map((item) => item.title)].join("; ");
  const head = element("h3", {}, title);
  if (side !== null) head.append(" ", element("span", { class: "tally" }, outcome(view, sentence, side)));
  const words = sentence.tokens.map((text) => ({ text, gap: " ", sticks: false }));
  const drawn = drawing(words, entities, relations, width, label, searched(sentence, view.wanted));
  return element("section", { class: side === null ? "gold" : `found ${SIDE_NAMES[side]}` }, head, drawn);
}

function outcome(view, sentence, side) {
  const tally = emptyTally(view.corpus);
  judge(sentence, side, view.filter, tally);
  return ["entities", "relations"]
    .map((name, task) => [name, tally[task].all])
    .filter(([, counts]) => counts.some(Boolean))
    .map(([name, [right, wrong, missed]]) => `${name} ✓${right} ✗${wrong} −${missed}`)
    .join(", ");
}

function card(view, sentence, place, width) {
  const inner = width - 26;
  const two = sentence.found[1] !== null, beside = two && inner >= NARROW;
  const article = element("article", {
    role: "article", tabindex: "-1", "data-id": sentence.id, "data-key": sentence.key,
    "aria-posinset": place + 1, "aria-setsize": view.listed.length,
  });
  const split = view.severalSplits ? `, ${sentence.split}` : "";
  article.append(element("h2", { id: `sentence-${place}` }, `${place + 1} · id ${sentence.id}${split}`));
  article.setAttribute("aria-labelledby", `sentence-${place}`);
  article.append(panel(view, sentence, null, inner));
  const half = beside ? Math.floor((inner - 16) / 2) : inner;
  const runs = element("div", { class: beside ? "runs beside" : "runs" }, panel(view, sentence, 0, half));
  if (two) runs.append(panel(view, sentence, 1, half));
  article.append(runs);
  return article;
}

// One text as SVG: words, entities below them, relations as arcs above. Lines are broken here, so that arcs know them.
// Texts become text nodes alone, never markup.

const SVG = "http://www.w3.org/2000/svg";
const FONT = "15px system-ui, sans-serif", SMALL = "11px system-ui, sans-serif";
const TEXT_HEIGHT = 21, LABEL_HEIGHT = 17, ARC_HEIGHT = 17, LINE_GAP = 8, MARGIN = 4;
const LONGEST_END = 24; // characters of the other end's text on an arc between two lines; the pointer shows all of it
const COLOURS = 6; // of types, in turn; the name stands beside each

const pen = document.createElement("canvas").getContext("2d");
const widths = { [FONT]: new Map(), [SMALL]: new Map() };

function widthOf(text, font) {
  let width = widths[font].get(text);
  if (width === undefined) {
    pen.font = font;
    width = pen.measureText(text).width;
    widths[font].set(text, width);
  }
  return width;
}

/** An HTML element; children that are strings become text nodes. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The class that gives the colour of the type at a place in a list of types. */
export const colourOf = (place) => `t${place % COLOURS}`;

/**
 * The drawing, for a holder of so many pixels.
 *   words: [{text, gap, sticks}]: `gap` is the white space before it, `sticks` whether no line may begin with it.
 *   entities: [{start, end, label, title, look}] in words; relations: [{head, tail, label, title, look}] in entities.
 *   `look` is a class: a colour of `colourOf`, or right, wrong, missed, split.
 *   marked: places of words that a search found.
 */
export function drawing(words, entities, relations, width, label, marked = new Set()) {
  const { lines, height, width: whole } = layOut(words, entities, relations, width);
  const root = svg("svg", { width: Math.ceil(whole), height, role: "img", "aria-label": label });
  for (const line of lines) {
    for (const piece of line.pieces) drawPiece(root, line, piece);
    for (const word of line.words) {
      if (marked.has(word.place)) {
        svg("rect", { class: "hit", x: word.x - 1, y: line.top, width: word.width + 2, height: TEXT_HEIGHT - 2 }, root);
      }
      svg("text", { class: "word", x: word.x, y: line.top + 15 }, root, word.text);
    }
    const fromFar = [...line.arcs].sort((one, other) => other.lane - one.lane); // near labels stay on top
    for (const arc of fromFar) drawArc(root, line, arc);
  }
  return root;
}

/** The text of an entity. */
export function textOf(words, { start, end }) {
  return words.slice(start, end).map(({ text, gap }, at) => (at ? gap : "") + text).join("");
}

function svg(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function drawPiece(root, line, piece) {
  const { entity } = piece;
  const group = svg("g", { class: `entity ${entity.look}` }, root);
  svg("title", {}, group, entity.title);
  svg("rect", { class: "tint", x: piece.x - 2, y: line.top, width: piece.end - piece.x + 4, height: TEXT_HEIGHT - 1, rx: 3 }, group);
  const y = line.top + TEXT_HEIGHT + 1 + piece.lane * LABEL_HEIGHT;
  svg("line", { class: "bar", x1: piece.x - 1, x2: piece.end + 1, y1: y, y2: y }, group);
  if (piece.named) svg("text", { class: "label", x: piece.x, y: y + 12 }, group, entity.label);
}

function drawArc(root, line, arc) {
  const group = svg("g", { class: `relation ${arc.relation.look}` }, root);
  svg("title", {}, group, arc.relation.title);
  const foot = line.top - 1, y = line.top - 9 - arc.lane * ARC_HEIGHT;
  const [low, high] = [Math.min(...arc.legs), Math.max(...arc.legs)];
  const path = arc.legs.length > 1
    ? `M${low},${foot}V${y}H${high}V${foot}`
    : `M${low},${foot}V${y}H${arc.centre}`;
  svg("path", { class: "arc", d: path }, group);
  if (arc.tip !== null) {
    svg("path", { class: "tip", d: `M${arc.tip - 3.5},${foot - 5}h7l-3.5,6z` }, group);
  }
  svg("rect", { class: "under", x: arc.centre - arc.room / 2 + 2, y: y - 7, width: arc.room - 4, height: 14 }, group);
  svg("text", { class: "label", x: arc.centre, y: y + 4, "text-anchor": "middle" }, group, arc.label);
}

// Returns words and pieces of entities by line, arcs by line, and the height.
function layOut(words, entities, relations, width) {
  const lines = brokenLines(words, entities, width - 2 * MARGIN);
  const firstPieces = placePieces(lines, entities);
  placeArcs(lines, relations, entities, firstPieces, words, width);
  let y = 0, right = width;
  for (const line of lines) {
    line.arcLanes = 1 + Math.max(-1, ...line.arcs.map((arc) => arc.lane));
    line.lanes = 1 + Math.max(-1, ...line.pieces.map((piece) => piece.lane));
    line.top = y + line.arcLanes * ARC_HEIGHT + (line.arcLanes ? 4 : 0);
    y = line.top + TEXT_HEIGHT + line.lanes * LABEL_HEIGHT + LINE_GAP;
    for (const word of line.words) right = Math.max(right, word.x + word.width + MARGIN);
    for (const piece of line.pieces) right = Math.max(right, piece.x + widthOf(piece.entity.label, SMALL) + MARGIN);
  }
  return { lines, height: y, width: right };
}

function brokenLines(words, entities, width) {
  const starts = new Map(), ends = new Map();
  for (const entity of entities) {
    const whole = Math.max(widthOf(textOf(words, entity), FONT), widthOf(entity.label, SMALL));
    starts.set(entity.start, Math.max(whole, starts.get(entity.start) ?? 0));
    ends.set(entity.end - 1, [...(ends.get(entity.end - 1) ?? []), entity]);
  }
  const lines = [];
  let line = null, end = 0, at = new Map();
  words.forEach(({ text, gap, sticks }, place) => {
    const own = widthOf(text, FONT), whole = starts.get(place) ?? 0;
    // An entity begins a new line if it fits there and not here.
    const needed = whole <= width ? Math.max(own, whole) : own;
    let x = end && end + widthOf(gap, FONT);
    if (!line || gap.includes("\n") || (end > 0 && !sticks && x + needed > width)) {
      line = { words: [], pieces: [], arcs: [], first: place };
      lines.push(line);
      x = 0;
      at = new Map();
    }
    at.set(place, x);
    line.words.push({ text, place, x: x + MARGIN, width: own });
    end = x + own;
    for (const entity of ends.get(place) ?? []) { // room for the label
      if (at.has(entity.start)) end = Math.max(end, at.get(entity.start) + widthOf(entity.label, SMALL) + 4);
    }
  });
  return lines;
}

function placePieces(lines, entities) {
  const first = new Array(entities.length).fill(null);
  entities.forEach((entity, index) => {
    for (const line of lines) {
      const words = line.words.filter((word) => word.place >= entity.start && word.place < entity.end);
      if (!words.length) continue;
      const last = words[words.length - 1];
      const piece = { entity, line, x: words[0].x, end: last.x + last.width, named: !first[index], lane: 0 };
      piece.reach = Math.max(piece.end, piece.named ? piece.x + widthOf(entity.label, SMALL) + 4 : 0);
      line.pieces.push(piece);
      first[index] ??= piece;
    }
  });
  for (const line of lines) intoLanes(line.pieces, (piece) => [piece.x, piece.reach]);
  return first;
}

// The lowest lane in which nothing is in the way, in the order given.
function intoLanes(items, extent) {
  const lanes = [];
  for (const item of items) {
    const [from, to] = extent(item);
    let lane = lanes.findIndex((taken) => taken.every(([start, end]) => to < start || end < from));
    if (lane < 0) lane = lanes.push([]) - 1;
    lanes[lane].push([from, to]);
    item.lane = lane;
  }
}

function placeArcs(lines, relations, entities, firstPieces, words, width) {
  const ends = new Map(); // piece -> the arcs' ends on it, which share its width
  for (const relation of relations) {
    for (const [mine, other] of [[relation.head, relation.tail], [relation.tail, relation.head]]) {
      const piece = firstPieces[mine];
      if (!ends.has(piece)) ends.set(piece, []);
      ends.get(piece).push({ relation, isTail: mine === relation.tail && mine !== other, other: firstPieces[other] });
    }
  }
  const places = new Map(); // relation -> [x of the head's end, x of the tail's end]
  for (const [piece, found] of ends) {
    const away = (end) => (end.other.line.first - piece.line.first) * 1e6 + end.other.x;
    found.sort((one, other) => away(one) - away(other));
    found.forEach((end, index) => {
      const x = piece.x + ((piece.end - piece.x) * (index + 1)) / (found.length + 1);
      const pair = places.get(end.relation) ?? [null, null];
      const slot = end.isTail || pair[0] !== null && end.relation.head === end.relation.tail ? 1 : 0;
      pair[slot] = x;
      places.set(end.relation, pair);
    });
  }
  const short = (index) => {
    const text = textOf(words, entities[index]);
    return text.length > LONGEST_END ? `${text.slice(0, LONGEST_END - 1)}…` : text;
  };
  for (const relation of relations) {
    const [from, to] = places.get(relation);
    const [head, tail] = [firstPieces[relation.head].line, firstPieces[relation.tail].line];
    if (head === tail) {
      head.arcs.push(arcOf(relation, [from, to], relation.label, to, width));
    } else {
      head.arcs.push(arcOf(relation, [from], `${relation.label} → ${short(relation.tail)}`, null, width));
      tail.arcs.push(arcOf(relation, [to], `${relation.label} ← ${short(relation.head)}`, to, width));
    }
  }
  for (const line of lines) {
    line.arcs.sort((one, other) => one.to - one.from - (other.to - other.from));
    intoLanes(line.arcs, (arc) => [arc.from - 2, arc.to + 2]);
  }
}

// legs: where it stands on entities; tip: the leg with the arrow, if any.
function arcOf(relation, legs, label, tip, width) {
  const room = widthOf(label, SMALL) + 10;
  const low = Math.min(...legs), high = Math.max(...legs);
  const beside = low + 4 + room <= width ? low + 4 + room / 2 : low - 4 - room / 2; // an end turns to where room is
  const middle = legs.length > 1 ? (low + high) / 2 : beside;
  const centre = Math.max(room / 2, Math.min(width - room / 2, middle));
  return { relation, legs, label, tip, centre, room,
    from: Math.min(low, centre - room / 2), to: Math.max(high, centre + room / 2) };
}

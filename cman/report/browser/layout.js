// Where words, entities and arcs of one sentence stand: lines are broken here, so that arcs know them.

const FONT = "15px system-ui, sans-serif", SMALL = "11px system-ui, sans-serif";
const TEXT_HEIGHT = 21, LABEL_HEIGHT = 17, ARC_HEIGHT = 17, LINE_GAP = 8, MARGIN = 4;
const LONGEST_END = 24; // characters of the other end's text on an arc between two lines; the pointer shows all of it

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

// Returns words and pieces of entities by line, arcs by line, and the height.
// entities: {start, end, label, ...}; relations: {head, tail, label, ...}
function layOut(tokens, entities, relations, width) {
  const lines = brokenLines(tokens, entities, width - 2 * MARGIN);
  const firstPieces = placePieces(lines, entities);
  placeArcs(lines, relations, entities, firstPieces, tokens, width);
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

function brokenLines(tokens, entities, width) {
  const space = widthOf(" ", FONT);
  const starts = new Map(), ends = new Map();
  for (const entity of entities) {
    let whole = 0;
    for (let at = entity.start; at < entity.end; at++) whole += widthOf(tokens[at], FONT) + space;
    whole = Math.max(whole, widthOf(entity.label, SMALL));
    starts.set(entity.start, Math.max(whole, starts.get(entity.start) ?? 0));
    ends.set(entity.end - 1, [...(ends.get(entity.end - 1) ?? []), entity]);
  }
  const lines = [];
  let line = null, x = 0, at = new Map();
  tokens.forEach((text, place) => {
    const own = widthOf(text, FONT), whole = starts.get(place) ?? 0;
    // An entity begins a new line if it fits there and not here.
    const needed = whole <= width ? Math.max(own, whole) : own;
    if (!line || (x > 0 && x + needed > width)) {
      line = { words: [], pieces: [], arcs: [], first: place };
      lines.push(line);
      x = 0;
      at = new Map();
    }
    at.set(place, x);
    line.words.push({ text, place, x: x + MARGIN, width: own });
    x += own + space;
    for (const entity of ends.get(place) ?? []) { // room for the label
      if (at.has(entity.start)) x = Math.max(x, at.get(entity.start) + widthOf(entity.label, SMALL) + 8);
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

function placeArcs(lines, relations, entities, firstPieces, tokens, width) {
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
    const text = tokens.slice(entities[index].start, entities[index].end).join(" ");
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

// Draws a text with coloured entities and relations as arcs above its lines.
//
// Arcs follow the wrapped lines: one that begins and ends on different lines leaves the first at its right edge and
// comes in at the left edge of the next. Every arc has a lane of its own on each line, so none lies on another; lines
// are made as high as the fullest of them needs.

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 6; // of an arc's corners, pixels

/** Position in a JavaScript string (UTF-16) of every character (code point) of `text`, and of its end. */
export function unitOffsets(text) {
  const offsets = [0];
  for (const character of text) offsets.push(offsets[offsets.length - 1] + character.length);
  return offsets;
}

/** Hue of the type at a place in the model's list: neighbours in the list are far apart on the circle. */
export function hueOf(place) {
  return Math.round((210 + place * 137.508) % 360);
}

export function confidence(score) {
  return score === null || score === undefined ? "no confidence" : `confidence ${score.toFixed(2)}`;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function shape(name, attributes, hue) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (hue !== undefined) made.style.setProperty("--hue", hue);
  return made;
}

/**
 * Fill `holder` with the text and its shown entities; return a function that draws the arcs, to be called again
 * whenever the width changes.
 *   extraction: {text, entities, relations} as the server gave it.
 *   entityHues, relationHues: Map from type to hue.
 *   entities, relations: places of those to show.
 */
export function draw(holder, extraction, entityHues, relationHues, entities, relations) {
  const text = element("p", "text");
  const svg = shape("svg", { "aria-hidden": "true", focusable: "false" });
  holder.replaceChildren(text, svg);
  const at = unitOffsets(extraction.text);
  const marks = new Map();
  let done = 0;
  const inOrder = [...entities].sort((a, b) => extraction.entities[a].start - extraction.entities[b].start);
  for (const place of inOrder) {
    const entity = extraction.entities[place];
    text.append(extraction.text.slice(at[done], at[entity.start]));
    const mark = element("mark");
    mark.style.setProperty("--hue", entityHues.get(entity.type));
    mark.title = `${entity.type}, ${confidence(entity.score)}`;
    const words = extraction.text.slice(at[entity.start], at[entity.end]);
    mark.append(element("span", "words", words), element("span", "type", entity.type));
    text.append(mark);
    marks.set(place, mark);
    done = entity.end;
  }
  text.append(extraction.text.slice(at[done]));
  return () => drawArcs(holder, text, svg, extraction, marks, relationHues, relations);
}

function drawArcs(holder, text, svg, extraction, marks, hues, relations) {
  svg.replaceChildren();
  text.style.setProperty("--lanes", 0);
  let lines = lineHeight(text);
  const ends = new Map([...marks].map(([place, mark]) => [place, lineOf(mark, text, lines)]));
  const arcs = relations.map((place) => {
    const { head, tail } = extraction.relations[place];
    return { place, head, tail, from: ends.get(head), to: ends.get(tail) };
  });
  // Short arcs first, so that they lie below long ones.
  const length = (arc) => Math.abs(arc.to - arc.from) * 1e5 + Math.abs(middle(marks, arc.head) - middle(marks, arc.tail));
  arcs.sort((a, b) => length(a) - length(b));
  const lanes = laneOf(arcs, marks);
  text.style.setProperty("--lanes", lanes);
  lines = lineHeight(text);
  const box = holder.getBoundingClientRect();
  const inside = text.getBoundingClientRect();
  // Of equal ends, each arc has its own place on the entity.
  const taken = new Map();
  for (const arc of arcs) {
    const relation = extraction.relations[arc.place];
    const hue = hues.get(relation.type);
    const ends = [arc.head, arc.tail].map((place, which) => {
      const rect = firstRect(marks.get(place));
      const nth = taken.get(place) ?? 0;
      taken.set(place, nth + 1);
      const shift = (which ? -1 : 1) * 3 + ((nth % 5) - 2) * Math.min(6, rect.width / 6);
      return { x: rect.left + rect.width / 2 + shift - box.left, y: rect.top - box.top - 1 };
    });
    const left = inside.left - box.left;
    const levelOf = (line) => {
      const words = line === arc.from ? ends[0].y : line === arc.to ? ends[1].y : undefined;
      const base = words ?? ends[0].y + (line - arc.from) * lines;
      return base - 10 - arc.lane * rem() * 1.15;
    };
    const said = `${extraction.entities[arc.head].text} ${relation.type} ${extraction.entities[arc.tail].text}`;
    const route = routeOf(ends, arc, levelOf, left - 4, left + inside.width + 4);
    const path = shape("path", { class: "arc", d: route.d, "data-relation": arc.place }, hue);
    const title = document.createElementNS(SVG, "title");
    title.textContent = `${said}, ${confidence(relation.score)}`;
    path.append(title);
    const { x, y } = ends[1];
    const arrow = shape("path", { class: "arrow", d: `M${x - 4},${y - 7} L${x + 4},${y - 7} L${x},${y} Z` }, hue);
    const label = shape("text", { class: "arc-label", x: route.label.x, y: route.label.y + 4 }, hue);
    label.textContent = relation.type;
    label.append(title.cloneNode(true));
    svg.append(path, arrow, label);
  }
}

/** The path of an arc, and the middle of its longest level piece, where its label goes. */
function routeOf([head, tail], { from, to }, levelOf, leftEdge, rightEdge) {
  if (from === to) {
    const y = levelOf(from);
    const d = `M${head.x},${head.y} ${corner(head.x, y, tail.x)} ${down(tail.x, y, tail.y, head.x)}`;
    return { d, label: { x: (head.x + tail.x) / 2, y } };
  }
  // Lines are walked downwards or upwards: an arc to an earlier line leaves at the left edge.
  const step = Math.sign(to - from);
  const [out, into] = step > 0 ? [rightEdge, leftEdge] : [leftEdge, rightEdge];
  let d = `M${head.x},${head.y} ${corner(head.x, levelOf(from), out)} L${out},${levelOf(from)}`;
  let longest = { width: Math.abs(out - head.x), x: (out + head.x) / 2, y: levelOf(from) };
  for (let line = from + step; line !== to; line += step) {
    d += ` M${into},${levelOf(line)} L${out},${levelOf(line)}`;
  }
  const y = levelOf(to);
  d += ` M${into},${y} ${down(tail.x, y, tail.y, into)}`;
  const width = Math.abs(tail.x - into);
  if (width > longest.width) longest = { width, x: (tail.x + into) / 2, y };
  return { d, label: longest };
}

function corner(x, y, towards) {
  const radius = Math.min(RADIUS, Math.abs(towards - x) / 2) * Math.sign(towards - x);
  return `L${x},${y + Math.abs(radius)} Q${x},${y} ${x + radius},${y}`;
}

function down(x, y, end, from) {
  const radius = Math.min(RADIUS, Math.abs(from - x) / 2) * Math.sign(from - x);
  return `L${x + radius},${y} Q${x},${y} ${x},${y + Math.abs(radius)} L${x},${end - 5}`;
}

/** Give every arc the lowest lane that is free on all lines that it crosses; return the number of lanes. */
function laneOf(arcs, marks) {
  const taken = []; // lane -> line -> [[left, right], ...]
  for (const arc of arcs) {
    const pieces = piecesOf(arc, marks);
    let lane = 0;
    while (pieces.some(({ line, left, right }) => overlaps(taken[lane]?.get(line), left, right))) lane += 1;
    taken[lane] ??= new Map();
    for (const { line, left, right } of pieces) {
      taken[lane].set(line, [...(taken[lane].get(line) ?? []), [left, right]]);
    }
    arc.lane = lane;
  }
  return taken.length;
}

function piecesOf(arc, marks) {
  const [head, tail] = [middle(marks, arc.head), middle(marks, arc.tail)];
  const half = 40; // room for a label that is wider than its arc
  if (arc.from === arc.to) {
    const centre = (head + tail) / 2;
    const reach = Math.max(Math.abs(head - tail) / 2 + 8, half);
    return [{ line: arc.from, left: centre - reach, right: centre + reach }];
  }
  const downwards = arc.to > arc.from;
  const pieces = [];
  for (let line = Math.min(arc.from, arc.to); line <= Math.max(arc.from, arc.to); line += 1) {
    const x = line === arc.from ? head : line === arc.to ? tail : undefined;
    const leaves = (line === arc.from) === downwards; // through the right edge
    if (x === undefined) pieces.push({ line, left: -Infinity, right: Infinity });
    else pieces.push({ line, left: leaves ? x - 8 : -Infinity, right: leaves ? Infinity : x + 8 });
  }
  return pieces;
}

function overlaps(spans, left, right) {
  return (spans ?? []).some(([start, end]) => left < end && start < right);
}

function firstRect(mark) {
  return mark.getClientRects()[0];
}

function middle(marks, place) {
  const rect = firstRect(marks.get(place));
  return rect.left + rect.width / 2;
}

function lineHeight(text) {
  return parseFloat(getComputedStyle(text).lineHeight);
}

function lineOf(mark, text, height) {
  const rect = firstRect(mark);
  return Math.floor((rect.top + rect.height / 2 - text.getBoundingClientRect().top) / height);
}

function rem() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

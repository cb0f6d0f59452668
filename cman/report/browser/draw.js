// One sentence as SVG. Texts of a corpus become text nodes alone, never markup.

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = 6; // of types, in turn; the name stands beside each

function svg(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

// marked: the positions of tokens that the search found.
function drawSentence(tokens, entities, relations, width, label, marked) {
  const { lines, height, width: whole } = layOut(tokens, entities, relations, width);
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

function drawPiece(root, line, piece) {
  const { entity } = piece;
  const group = svg("g", { class: `entity t${entity.type % COLOURS} ${entity.status}` }, root);
  svg("title", {}, group, entity.title);
  svg("rect", { class: "tint", x: piece.x - 2, y: line.top, width: piece.end - piece.x + 4, height: TEXT_HEIGHT - 1, rx: 3 }, group);
  const y = line.top + TEXT_HEIGHT + 1 + piece.lane * LABEL_HEIGHT;
  svg("line", { class: "bar", x1: piece.x - 1, x2: piece.end + 1, y1: y, y2: y }, group);
  if (piece.named) svg("text", { class: "label", x: piece.x, y: y + 12 }, group, entity.label);
}

function drawArc(root, line, arc) {
  const group = svg("g", { class: `relation ${arc.relation.status}` }, root);
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

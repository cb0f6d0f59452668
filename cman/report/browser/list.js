// The list: only the articles in view stand in the page. Heights are guessed until an article was seen.

const AROUND = 300; // pixels drawn above and below the view

function makeList(onSelect) {
  const scroller = document.getElementById("list"), space = document.getElementById("space");
  const shown = new Map(); // place -> article
  let view = null, heights = [], offsets = [0], width = 0, selected = -1;

  const guess = (sentence) => {
    const lines = (columns) => Math.ceil((sentence.lower.length * 7.6) / columns);
    const two = sentence.found.length > 1, beside = two && width - 26 >= NARROW;
    const rows = lines(width) + lines(beside ? width / 2 : width) * (two && !beside ? 2 : 1);
    return 90 + rows * 55;
  };
  const sum = () => {
    offsets = new Float64Array(heights.length + 1);
    for (let at = 0; at < heights.length; at++) offsets[at + 1] = offsets[at] + heights[at];
    space.style.height = `${offsets[heights.length]}px`;
  };
  const placeAt = (y) => {
    let low = 0, high = heights.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (offsets[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  // Draws what is in view. What stands at the top stays there when heights above turn out otherwise.
  function draw() {
    if (!view) return;
    for (let round = 0; round < 4; round++) {
      const top = scroller.scrollTop, bottom = top + scroller.clientHeight;
      const anchor = placeAt(top), inside = top - offsets[anchor];
      const wanted = new Set();
      for (let at = placeAt(Math.max(0, top - AROUND)); at < heights.length && offsets[at] < bottom + AROUND; at++) wanted.add(at);
      for (const [at, article] of shown) {
        if (!wanted.has(at)) { article.remove(); shown.delete(at); }
      }
      for (const at of wanted) {
        if (shown.has(at)) continue;
        const article = card(view, view.listed[at], at, width);
        if (at === selected) article.classList.add("selected");
        const next = [...shown.keys()].filter((other) => other > at).sort((one, other) => one - other)[0];
        space.insertBefore(article, next === undefined ? null : shown.get(next));
        shown.set(at, article);
      }
      let changed = false;
      for (const [at, article] of shown) {
        const height = article.offsetHeight + 10;
        if (height !== heights[at]) { heights[at] = height; changed = true; }
      }
      if (changed) sum();
      for (const [at, article] of shown) article.style.transform = `translateY(${offsets[at]}px)`;
      if (!changed) return;
      scroller.scrollTop = offsets[anchor] + Math.min(inside, heights[anchor]);
    }
  }

  function show(next) {
    view = next;
    for (const article of shown.values()) article.remove();
    shown.clear();
    width = scroller.clientWidth - 16;
    heights = view.listed.map(guess);
    selected = -1;
    sum();
    scroller.scrollTop = 0;
    draw();
  }

  function choose(place, focus = true) {
    if (!view || !view.listed.length) return;
    const at = Math.max(0, Math.min(view.listed.length - 1, place));
    shown.get(selected)?.classList.remove("selected");
    selected = at;
    const hidden = offsets[at] < scroller.scrollTop || offsets[at] + heights[at] > scroller.scrollTop + scroller.clientHeight;
    if (hidden) scroller.scrollTop = offsets[at];
    draw();
    const article = shown.get(at);
    article?.classList.add("selected");
    if (focus) article?.focus({ preventScroll: true });
    onSelect(view.listed[at]);
  }

  scroller.addEventListener("scroll", draw, { passive: true });
  scroller.addEventListener("click", (event) => {
    const article = event.target.closest("article");
    for (const [at, other] of shown) if (other === article) choose(at);
  });
  new ResizeObserver(() => {
    if (!view || scroller.clientWidth - 16 === width) return;
    const kept = selected;
    show(view);
    if (kept >= 0) choose(kept, false);
  }).observe(scroller);
  return { show, choose, move: (by) => choose(selected < 0 ? placeAt(scroller.scrollTop) : selected + by),
    first: () => choose(0), last: () => choose(view.listed.length - 1) };
}

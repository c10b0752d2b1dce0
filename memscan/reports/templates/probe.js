
const SVG = "http://www.w3.org/2000/svg";
const list = byId("list");
const shown = { probes: [], drawn: 0 };
const cards = new Map();
const FIRST = 24;
const STEP = 200;

/* An SVG element with its attributes and children. */
function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* Four digits, without zeros that say nothing. */
const brief = (value) => String(Number(value.toPrecision(4)));

const verdict = (value) => (value.memorised ? "memorised" : "no sign");

/* The scores of the reference, and the place of this image among them. */
function strip(method, value) {
  const { width, height } = list.dataset;
  return draw("svg", { class: "strip", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("use", { href: `#strip-${method}` }),
    draw("line", { class: "place", x1: value.x, x2: value.x, y1: 0, y2: height }));
}

function row(method, value) {
  const parts = make("td", { className: "parts" });
  if (value.distance !== undefined) {
    parts.append(`D ${value.distance}`, make("br", {}), `E ${value.magnitude}`);
  }
  return make("tr", { className: value.memorised ? "memorised" : "" },
    make("th", { scope: "row" }, method), make("td", {}, strip(method, value)),
    make("td", { className: "score" }, brief(value.score)), parts,
    make("td", {}, `p ${value.p}`), make("td", { className: "verdict" }, verdict(value)));
}

function tokens(probe) {
  const text = make("p", { className: "tokens" }, "Prompt: ");
  for (const [token, value, level] of probe.tokens) {
    text.append(make("span", { className: `heat${level}`, title: value }, token), " ");
  }
  return text;
}

function pictures(probe) {
  const box = make("div", { className: "trio" });
  probe.files.forEach((file, number) => {
    const role = data.roles[number];
    const frame = shot(file, role);
    frame.append(make("span", { className: "role" }, role));
    box.append(frame);
  });
  return box;
}

function card(position) {
  const probe = data.probes[position];
  const accused = probe.values.some((value) => value.memorised);
  const made = make("article", {
    className: `probe ${probe.pictured ? "pictured" : "plain"}${accused ? " memorised" : ""}`,
    id: `probe-${position}`, tabIndex: -1,
  });
  made.append(make("h3", {}, make("span", { className: "rank" }, `${position + 1}.`), " ", nameOf(probe.files[0])));
  if (probe.pictured) made.append(pictures(probe));
  const rows = data.methods.map((method, number) => row(method, probe.values[number]));
  made.append(make("table", {}, make("tbody", {}, ...rows)));
  if (probe.tokens.length) made.append(tokens(probe));
  if (probe.pictured) nearby.observe(made);
  cards.set(position, made);
  return made;
}

/* Draw the next images that pass the filter. */
function extend() {
  const end = Math.min(shown.probes.length, shown.drawn + (shown.drawn ? STEP : FIRST));
  const next = shown.probes.slice(shown.drawn, end);
  list.append(...next.map((position) => cards.get(position) || card(position)));
  shown.drawn = end;
  const left = shown.probes.length - end;
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show more (${counted(left, "image", "images")} left)`;
}

const PASSES = {
  all: () => true,
  none: (probe) => !probe.values.some((value) => value.memorised),
};

const fileName = (position) => data.files[data.probes[position].files[0]][0];

function order(sort) {
  const compare = sort === "name"
    ? (one, other) => (fileName(one) < fileName(other) ? -1 : 1)
    : (one, other) => data.probes[other].values[sort].score - data.probes[one].values[sort].score || one - other;
  return [...data.probes.keys()].sort(compare);
}

function filter() {
  const kind = document.querySelector("input[name=kind]:checked").value;
  const sort = document.querySelector("input[name=sort]:checked").value;
  const text = byId("text").value.toLowerCase();
  const passes = PASSES[kind] || ((probe) => probe.values[kind].memorised);
  shown.probes = order(sort).filter((position) =>
    passes(data.probes[position]) && fileName(position).toLowerCase().includes(text));
  shown.drawn = 0;
  list.replaceChildren();
  extend();
  byId("none").hidden = shown.probes.length > 0;
  byId("status").value =
    `${shown.probes.length.toLocaleString("en")} of ${counted(data.probes.length, "image", "images")}`;
}

function showAll() {
  document.querySelector("input[name=kind][value=all]").checked = true;
  byId("text").value = "";
  filter();
}

if (list) {
  byId("tools").hidden = false;
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("text").addEventListener("input", filter);
  for (const input of document.querySelectorAll("input[name=kind], input[name=sort]")) {
    input.addEventListener("change", filter);
  }
  byId("more").addEventListener("click", extend);
  byId("clear").addEventListener("click", showAll);
  filter();
}

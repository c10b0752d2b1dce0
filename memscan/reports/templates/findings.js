
const list = byId("list");
const shown = { findings: [], drawn: 0 };
const cards = new Map();
const FIRST = 48;
const STEP = 200;

/* How far a source is from its target: bits, or the score of a learned detector. */
const far = (distance) =>
  data.scored ? `score ${(1 - distance).toFixed(4)}` : counted(distance, "bit", "bits");

/* The two pictures, one on the other in the modes that need it, stretched as the hash sees them. */
function comparison(finding) {
  const source = finding.matches[0][0];
  const box = make("div", { className: "box" }, shot(finding.target, "Target"), shot(source, "Source"));
  for (const frame of box.children) {
    const role = frame.classList.contains("target") ? "Target" : "Source";
    frame.append(make("span", { className: "role" }, role));
  }
  const picture = pictureOf(finding.target) || pictureOf(source);
  if (picture) box.style.setProperty("--ratio", String(picture[0] / picture[1]));
  const wipe = make("input", { type: "range", className: "wipe", min: 0, max: 100, value: 50 });
  wipe.setAttribute("aria-label", "How much of the target covers the source, in per cent");
  wipe.addEventListener("input", () => box.style.setProperty("--cut", `${wipe.value}%`));
  box.append(wipe);
  return box;
}

function names(finding) {
  const rows = make("dl", { className: "names" },
    make("dt", {}, "Target"), make("dd", {}, nameOf(finding.target)));
  finding.matches.forEach(([file, distance, view], rank) => {
    const beside = rank ? ` (${far(distance)}, view ${view})` : "";
    rows.append(make("dt", {}, rank ? `${rank + 1}.` : "Source"), make("dd", {}, nameOf(file), beside));
  });
  return rows;
}

function draw(position) {
  const finding = data.findings[position];
  const [, distance, view] = finding.matches[0];
  const card = make("article", {
    className: ["finding", finding.pictured ? "pair" : "line", ...finding.kinds].join(" "),
    id: `finding-${position}`, tabIndex: -1,
  });
  const head = make("header", {},
    make("span", { className: "rank" }, `${position + 1}.`), make("h3", {}, finding.verdict),
    make("span", { className: "distance" }, far(distance)));
  for (const reason of finding.reasons) {
    const tag = make("span", { className: "tag", title: data.reasons[reason] }, reason);
    head.append(tag);
  }
  if (finding.kinds.includes("accepted")) {
    head.append(make("span", { className: "tag accepted" }, "accepted by the baseline"));
  }
  const meta = make("p", { className: "meta" }, `By chance: ${finding.chance} · View: ${view}`);
  if (finding.confirmation !== null) meta.append(` · Second look: score ${finding.confirmation.toFixed(4)}`);
  if (finding.pictured) card.append(head, meta);
  else card.append(make("div", { className: "lines" }, head, meta));
  if (finding.pictured) card.append(comparison(finding));
  card.append(names(finding));
  if (finding.pictured) {
    for (const reason of finding.reasons) {
      card.append(make("p", { className: "why" }, data.reasons[reason]));
    }
    nearby.observe(card);
  }
  cards.set(position, card);
  return card;
}

/* Draw the next findings that pass the filter, up to the one at `until` at least. */
function extend(until) {
  const step = shown.drawn ? STEP : FIRST;
  const end = Math.min(shown.findings.length, Math.max(until + 1, shown.drawn + step));
  const next = shown.findings.slice(shown.drawn, end);
  list.append(...next.map((position) => cards.get(position) || draw(position)));
  shown.drawn = end;
  const left = shown.findings.length - end;
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show more (${counted(left, "finding", "findings")} left)`;
}

const searched = new Map();

function textOf(position) {
  if (!searched.has(position)) {
    const finding = data.findings[position];
    const files = [finding.target, ...finding.matches.map(([file]) => file)];
    searched.set(position, files.map((file) => data.files[file][0]).join("\n").toLowerCase());
  }
  return searched.get(position);
}

function filter() {
  const kind = document.querySelector("input[name=kind]:checked").value;
  const text = byId("text").value.toLowerCase();
  shown.findings = [...data.findings.keys()].filter((position) =>
    (kind === "all" || data.findings[position].kinds.includes(kind)) &&
    (!text || textOf(position).includes(text)));
  shown.drawn = 0;
  list.replaceChildren();
  extend(0);
  byId("none").hidden = shown.findings.length > 0;
  byId("status").value =
    `${shown.findings.length.toLocaleString("en")} of ${counted(data.findings.length, "finding", "findings")}`;
}

function showAll() {
  document.querySelector("input[name=kind][value=all]").checked = true;
  byId("text").value = "";
  filter();
}

/* Bring the finding at this place of the filtered list into view. */
function go(place) {
  if (place < 0 || place >= shown.findings.length) return;
  if (place >= shown.drawn) extend(place);
  const card = cards.get(shown.findings[place]);
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

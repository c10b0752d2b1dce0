
const COPIED_STEP = 24;
const TARGETS_STEP = 200;
let copiedDrawn = 0;

/* The targets that copy an image, a screenful at a time. */
function fillTargets(targets, into) {
  const next = targets.slice(into.childElementCount, into.childElementCount + TARGETS_STEP);
  for (const [file, position] of next) {
    const item = make("li", {}, nameOf(file));
    if (position !== null) {
      const button = make("button", { type: "button", className: "plain" }, "compare");
      button.addEventListener("click", () => { showAll(); go(position); });
      item.append(" ", button);
    }
    into.append(item);
  }
}

function drawCopied(item) {
  const targets = make("ul", {});
  const more = make("button", { type: "button" }, "Show more");
  const fill = () => {
    fillTargets(item.targets, targets);
    more.hidden = targets.childElementCount >= item.targets.length;
  };
  more.addEventListener("click", fill);
  const details = make("details", {},
    make("summary", {}, `Copied by ${counted(item.targets.length, "target", "targets")}`), targets, more);
  details.addEventListener("toggle", () => { if (!targets.childElementCount) fill(); });
  const text = make("div", {}, make("p", {}, nameOf(item.source)));
  if (item.sameHash > 1) {
    text.append(make("p", { className: "meta" },
      `${item.sameHash.toLocaleString("en")} source images have this very hash.`));
  }
  text.append(details);
  const row = make("li", {}, shot(item.source, "Source"), text);
  nearby.observe(row);
  return row;
}

function extendCopied() {
  const next = data.copied.slice(copiedDrawn, copiedDrawn + COPIED_STEP);
  byId("copied-list").append(...next.map(drawCopied));
  copiedDrawn += next.length;
  byId("more-copied").hidden = copiedDrawn >= data.copied.length;
}

if (data.copied.length) {
  byId("more-copied").addEventListener("click", extendCopied);
  extendCopied();
}

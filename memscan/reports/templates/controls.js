
const MODES = ["side", "slider", "blink"];

function setBlinking(on) {
  list.classList.toggle("blinking", on);
  if (on) list.classList.remove("swapped");
  byId("blink").textContent = on ? "Pause" : "Blink";
}

function swap() {
  setBlinking(false);
  list.classList.toggle("swapped");
}

function setMode(mode) {
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  list.dataset.mode = mode;
  byId("blinking-tools").hidden = mode !== "blink";
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  setBlinking(mode === "blink" && !still);
}

/* The place in the filtered list of the finding that has the focus; -1 if none has. */
function place() {
  const card = document.activeElement.closest(".finding");
  return card ? shown.findings.indexOf(Number(card.id.slice("finding-".length))) : -1;
}

const KEYS = {
  "/": () => { byId("text").focus(); byId("text").select(); },
  "j": () => go(place() + 1),
  "k": () => go(place() - 1),
  "ArrowRight": () => go(place() + 1),
  "ArrowLeft": () => go(place() - 1),
  "1": () => setMode("side"),
  "2": () => setMode("slider"),
  "3": () => setMode("blink"),
  "b": () => { if (list.dataset.mode === "blink") setBlinking(!list.classList.contains("blinking")); },
  "s": () => { if (list.dataset.mode === "blink") swap(); },
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target;
  if (at.id === "text") {
    if (event.key === "Escape") at.blur();
    return;
  }
  if (at.tagName === "INPUT" && event.key.startsWith("Arrow")) return;
  const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (!act) return;
  event.preventDefault();
  act();
}

if (list) {
  byId("tools").hidden = false;
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("text").addEventListener("input", filter);
  for (const input of document.querySelectorAll("input[name=kind]")) input.addEventListener("change", filter);
  for (const input of document.querySelectorAll("input[name=mode]")) {
    input.addEventListener("change", () => setMode(input.value));
  }
  byId("blink").addEventListener("click", () => setBlinking(!list.classList.contains("blinking")));
  byId("swap").addEventListener("click", swap);
  byId("more").addEventListener("click", () => extend(0));
  byId("clear").addEventListener("click", showAll);
  document.addEventListener("keydown", onKey);
  filter();
}

"use strict";

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

/* An element with its properties and children. Strings become text, never markup. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/* A file's name, isolated from the direction of the text around it, as a link to the file. */
function nameOf(file) {
  const [name, uri] = data.files[file];
  const parts = name.split("/");
  const shown = make("bdi", {});
  if (parts.length > 1) {
    const above = make("span", { className: "above" });
    for (const part of parts.slice(0, -1)) above.append(`${part}/`, make("wbr", {}));
    shown.append(above);
  }
  shown.append(parts[parts.length - 1]);
  return uri ? make("a", { href: uri, rel: "noopener noreferrer" }, shown) : shown;
}

const blocks = new Map();

/* The picture [width, height, base64] of a file; null if there is none. */
function pictureOf(file) {
  const number = data.files[file][2];
  if (number === null || number < 0) return null;
  const block = Math.floor(number / data.blockSize);
  if (!blocks.has(block)) blocks.set(block, JSON.parse(byId(`pictures-${block}`).textContent));
  return blocks.get(block)[number % data.blockSize];
}

/* Pictures are decoded when they are about to be seen. */
const nearby = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    nearby.unobserve(target);
    for (const image of target.querySelectorAll("img")) {
      image.src = `data:${data.mime};base64,${pictureOf(Number(image.dataset.file))[2]}`;
    }
  }
}, { rootMargin: "600px" });

/* A file as a picture, or what to say in its place. */
function shot(file, role) {
  const [name, , number] = data.files[file];
  const frame = make("figure", { className: `shot ${role.toLowerCase()}` });
  if (number === null || number < 0) {
    const why = number === null ? "No picture is embedded." : "This file could not be read for a picture.";
    frame.append(make("span", { className: "missing" }, why));
  } else {
    const image = make("img", { alt: `${role}: ${name}`, decoding: "async" });
    image.dataset.file = file;
    frame.append(image);
  }
  return frame;
}

const counted = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

// What all views are made of. Texts become elements by textContent alone.

const percents = new Intl.NumberFormat("en", {
  style: "percent", maximumFractionDigits: 1,
});
let count = 0;

/** Returns a share such as 0.984 as "98.4%". */
export const percent = (share) => percents.format(share);

/** Makes an element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Makes a labelled field: one line, or more with `rows`. */
export function field(name, value, { rows = 0, hint = "" } = {}) {
  const id = `field-${++count}`;
  const input = make(rows ? "textarea" : "input", {
    id, value, placeholder: hint, dir: "auto", autocomplete: "off",
  });
  if (rows) input.rows = rows;
  else input.type = "text";
  const label = make("label", { htmlFor: id, textContent: name });
  return { input, whole: make("div", { className: "field" }, label, input) };
}

/** Makes buttons that fill in fields with one example each. */
export function examples(rows, fields) {
  if (rows.length < 2) return [];
  const buttons = rows.map((texts) => {
    const button = make("button", {
      type: "button", textContent: texts[0], dir: "auto",
    });
    button.addEventListener("click", () => {
      fields.forEach(({ input }, at) => {
        input.value = texts[at] ?? "";
      });
      fields[0].input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    return button;
  });
  const name = make("p", { className: "soft", textContent: "Examples" });
  return [name, make("div", { className: "examples" }, ...buttons)];
}

/**
 * Makes a list of bars.
 *
 * @param {{name: string, share: number, value: string, isOn: boolean,
 *     limit: number?}[]} rows a bar is `share` of the width long; at `limit`,
 *     if given, it has a mark.
 */
export function bars(rows) {
  return make("ol", { className: "bars" }, ...rows.map(bar));
}

function bar({ name, share, value, isOn, limit }) {
  const line = make("span", { className: "line" });
  line.ariaHidden = "true";
  const part = make("span", { className: "part" });
  part.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
  line.append(part);
  if (limit !== undefined) {
    const mark = make("span", { className: "limit" });
    mark.style.left = `${100 * limit}%`;
    line.append(mark);
  }
  const row = make(
    "li",
    { className: isOn ? "on" : "" },
    make("span", { className: "name", textContent: name, dir: "auto" }),
    make("span", { className: "value", textContent: value }),
    line,
  );
  row.dataset.share = share; // Unrounded.
  return row;
}

/** Makes a text with marked parts, `{start, end, label}` in their order. */
export function marked(text, parts, from = 0, to = text.length) {
  const paragraph = make("p", { className: "text", dir: "auto" });
  let at = from;
  for (const { start, end, label } of parts) {
    const mark = make("mark", { textContent: text.slice(start, end) });
    if (label) mark.append(make("small", { textContent: label }));
    paragraph.append(text.slice(at, start), mark);
    at = end;
  }
  paragraph.append(text.slice(at, to));
  if (from > 0) paragraph.prepend("… ");
  if (to < text.length) paragraph.append(" …");
  return paragraph;
}

/** Makes a line in the colour of what matters less. */
export function soft(text) {
  return make("p", { className: "soft", textContent: text });
}

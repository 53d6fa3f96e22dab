// Shows the chosen head in both maps, and the cell under the pointer in words.
"use strict";
(() => {
  const section = document.getElementById("attention");
  const data = JSON.parse(document.getElementById("attention-data").textContent);
  const readout = section.querySelector(".readout");
  const cells = {};
  for (const model of ["teacher", "student"]) {
    cells[model] = [...section.querySelectorAll("." + model + ".cell")];
  }
  let head = Number(section.querySelector("input:checked").value);
  const probs = (model) => data[model][head].flat();

  function draw() {
    for (const model of ["teacher", "student"]) {
      probs(model).forEach((p, i) => {
        cells[model][i].setAttribute("fill-opacity", Math.sqrt(p).toFixed(3));
      });
      const map = cells[model][0].ownerSVGElement;
      const name = "Attention of the " + model + "'s head " + (head + 1);
      map.setAttribute("aria-label", name);
      map.querySelector("title").textContent = name;
    }
  }

  function point(index) {
    for (const model of ["teacher", "student"]) {
      cells[model].forEach((c, i) => c.classList.toggle("same", i === index));
    }
    if (index === null) return;
    const length = data.tokens.length;
    const from = data.tokens[Math.floor(index / length)];
    const to = data.tokens[index % length];
    const [t, s] = [probs("teacher")[index], probs("student")[index]];
    readout.textContent = "“" + from + "” to “" + to + "”: teacher " +
      t.toFixed(3) + ", student " + s.toFixed(3);
  }

  section.addEventListener("change", (event) => {
    head = Number(event.target.value);
    draw();
  });
  section.addEventListener("pointerover", (event) => {
    const cell = event.target.dataset.cell;
    point(cell === undefined ? null : Number(cell));
  });
  draw();
})();

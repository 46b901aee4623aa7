// Predictions in the built pages, where no kernel stands behind: fields in the table of questions,
// and what was typed beside the outcome. It is kept in this browser and goes nowhere.
// Without JavaScript both tables stay as they are, with a dash for each prediction.

document.addEventListener("DOMContentLoaded", () => {
  const page = location.pathname.split("/").pop().replace(/\.html$/, "") || "index";
  const key = `minirm predictions: ${page}`;
  const none = "–";
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {} // storage is off, or not ours: the page still works until it is left

  // [question, the cell of what the reader said] of each row
  const rows = (kind) =>
    [...document.querySelectorAll(`table.${kind} tbody tr`)].map((row) => [
      row.querySelector("th"),
      row.querySelector("td"),
    ]);

  function show() {
    for (const [question, said] of rows("minirm-outcomes"))
      said.textContent = kept[question.textContent] ?? none;
  }

  rows("minirm-predictions").forEach(([question, cell], i) => {
    const name = question.textContent;
    const field = document.createElement("input");
    Object.assign(field, { type: "number", step: "any", id: `prediction-${i}`, placeholder: none });
    field.value = kept[name] ?? "";
    field.addEventListener("input", () => {
      if (field.value === "") delete kept[name];
      else kept[name] = field.value;
      try {
        localStorage.setItem(key, JSON.stringify(kept));
      } catch {}
      show();
    });
    const label = document.createElement("label");
    label.htmlFor = field.id;
    label.textContent = name;
    question.replaceChildren(label);
    cell.replaceChildren(field);
  });
  for (const caption of document.querySelectorAll("table.minirm-predictions caption"))
    caption.textContent += ", kept in this browser alone";
  show();
});

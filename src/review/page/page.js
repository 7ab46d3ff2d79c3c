"use strict";
(() => {
  const form = document.querySelector("form.filter");
  if (form) {
    const input = form.querySelector("input");
    const output = form.querySelector("output");
    const rows = Array.from(document.querySelectorAll("#rows tbody tr"), (row) => [row, row.textContent.toLowerCase()]);
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown += 1;
      }
      output.textContent = words.length ? `${shown} of ${rows.length}` : `${rows.length}`;
    };
    input.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    filter();
  }
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (at.getTimezoneOffset() !== 0) {
      const local = document.createElement("span");
      local.className = "local";
      local.textContent = `${at.toLocaleString()} local`;
      time.append(local);
    }
  }
  const said = document.querySelector(".said");
  for (const button of document.querySelectorAll("button.copy")) {
    const code = button.parentElement.querySelector("code");
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        said.textContent = "Copied.";
      } catch {
        // Where the clipboard is not allowed (a file in some browsers), it is at least selected.
        getSelection().selectAllChildren(code);
        said.textContent = "Selected: copy it with the keyboard.";
      }
    });
  }
})();

// Pointing at a segment, in the picture or in the table, shows which one it is. Listens on the document, because
// Gradio replaces the result's elements at each change.
(() => {
  "use strict";
  const maps = new WeakMap(); // figure -> decoded map
  let pinned = false;

  function mapOf(figure) {
    if (!maps.has(figure)) {
      const width = Number(figure.dataset.width), height = Number(figure.dataset.height);
      const ids = new Int32Array(width * height);
      let at = 0;
      for (const run of figure.dataset.runs.split(" ")) {
        const [id, length] = run.split(",");
        at += ids.fill(Number(id), at, at + Number(length)) && Number(length);
      }
      maps.set(figure, { width, height, ids });
    }
    return maps.get(figure);
  }

  function idAt(figure, event) {
    const { width, height, ids } = mapOf(figure), box = figure.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * width);
    const y = Math.floor((event.clientY - box.top) / box.height * height);
    return x < 0 || y < 0 || x >= width || y >= height ? 0 : ids[y * width + x];
  }

  // Everything but the segment is dimmed, and its border drawn in white.
  function highlight(figure, id) {
    const canvas = figure.querySelector("canvas");
    if (canvas.dataset.id === String(id)) return;
    canvas.dataset.id = String(id);
    const { width, height, ids } = mapOf(figure);
    canvas.width = width;
    canvas.height = height;
    if (!id) return;
    const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
    const pixels = new Uint32Array(picture.data.buffer); // little endian: alpha, blue, green, red
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        if (ids[i] !== id) { pixels[i] = 0x8c2a170f; continue; }
        const border = x === 0 || y === 0 || x === width - 1 || y === height - 1 || ids[i - 1] !== id ||
          ids[i + 1] !== id || ids[i - width] !== id || ids[i + width] !== id;
        if (border) pixels[i] = 0xffffffff;
      }
    }
    context.putImageData(picture, 0, 0);
  }

  // Middle of a segment as shares of the picture's width and height.
  function middle(figure, id) {
    const { width, height, ids } = mapOf(figure);
    let count = 0, x = 0, y = 0;
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === id) { count++; x += i % width; y += Math.floor(i / width); }
    }
    return count ? { x: x / count / width, y: y / count / height } : { x: 0, y: 0 };
  }

  function describe(row, tip) {
    const [name, score, area] = row.cells;
    tip.replaceChildren();
    const title = document.createElement("b");
    title.textContent = name.textContent.trim();
    tip.append(title, ` ${row.dataset.kind}`, document.createElement("br"),
      `score ${score.textContent.trim()} · ${area.textContent.trim().replace(/\s+/g, " ")}`);
  }

  function show(result, id, event) {
    const figure = result.querySelector(".sf-figure");
    if (!figure) return;
    const tip = figure.querySelector(".sf-tip");
    let chosen = null;
    for (const row of result.querySelectorAll("tr[data-segment]")) {
      const on = id !== 0 && row.dataset.segment === String(id);
      row.classList.toggle("sf-on", on);
      if (on) chosen = row;
    }
    highlight(figure, chosen ? id : 0);
    tip.hidden = !chosen;
    if (!chosen) return;
    describe(chosen, tip);
    const box = figure.getBoundingClientRect();
    const share = event ? null : middle(figure, id);
    const x = event ? event.clientX - box.left : share.x * box.width;
    const y = event ? event.clientY - box.top : share.y * box.height;
    const left = Math.max(4, Math.min(x + 14, box.width - tip.offsetWidth - 4));
    const below = y + 18 + tip.offsetHeight < box.height;
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(4, below ? y + 18 : y - tip.offsetHeight - 12)}px`;
  }

  function target(event) {
    const result = event.target.closest?.("#result");
    if (!result) return null;
    const figure = event.target.closest(".sf-figure"), row = event.target.closest("tr[data-segment]");
    if (figure) return { result, id: idAt(figure, event), event };
    return row ? { result, id: Number(row.dataset.segment), event: null } : { result, id: 0, event: null };
  }

  document.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || pinned) return;
    const hit = target(event);
    if (hit) show(hit.result, hit.id, hit.event);
    else document.querySelectorAll("#result").forEach((result) => show(result, 0));
  });
  document.addEventListener("click", (event) => { // also a tap; a second one, or one elsewhere, lets go
    const hit = target(event);
    const last = document.querySelector("#result .sf-figure canvas")?.dataset.id;
    const again = pinned && hit && String(hit.id) === last;
    pinned = Boolean(hit && hit.id && !again);
    const result = hit?.result ?? document.querySelector("#result");
    if (result) show(result, pinned ? hit.id : 0, hit?.event);
  });
  // A pasted picture goes where a chosen file would; one that is there already makes place first.
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    const photo = document.querySelector("#photo");
    if (!file || !photo?.offsetParent) return;
    event.preventDefault();
    photo.querySelector("button[aria-label='Remove Image']")?.click();
    const deadline = Date.now() + 5000;
    const put = () => {
      const input = photo.querySelector("input[type=file]");
      if (!input) return Date.now() < deadline && setTimeout(put, 50);
      const chosen = new DataTransfer();
      chosen.items.add(file);
      input.files = chosen.files;
      return input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    put();
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("#result tr[data-segment]");
    if (row && !pinned && row.matches(":focus-visible")) show(row.closest("#result"), Number(row.dataset.segment));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pinned = false;
    document.querySelectorAll("#result").forEach((result) => show(result, 0));
  });
})();

// What the console's pages do beyond links and forms. Everything works without it but freshness.

/** Keep a part of the page fresh: fetch it again every few seconds while somebody looks, and swap it when it changed. */
function keepFresh(part) {
  const every = Number(part.dataset.every) * 1000;
  const now = "now" in part.dataset;
  if (!every && !now) return;
  const round = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.fresh, { credentials: "same-origin", redirect: "manual" });
        if (answer.type === "opaqueredirect") return location.reload(); // the session is over
        if (answer.ok) {
          const found = document.createElement("template");
          found.innerHTML = await answer.text(); // made by this console's templates, which escape what people wrote
          const changed = found.innerHTML.trim() !== part.innerHTML.trim();
          const busy = part.contains(document.activeElement) || part.querySelector("details.act[open]");
          if (changed && !busy) part.replaceChildren(found.content);
          part.removeAttribute("data-stale");
        }
      } catch {
        part.setAttribute("data-stale", ""); // the console is away; what is shown is old
      }
    }
    if (every) setTimeout(round, every);
  };
  setTimeout(round, now ? 0 : every);
}

document.querySelectorAll("[data-fresh]").forEach(keepFresh);

/** Show a part of the page as the server sends it: an event whenever it changed. */
function keepLive(part) {
  const source = new EventSource(part.dataset.live);
  source.addEventListener("part", (event) => {
    const found = document.createElement("template");
    found.innerHTML = JSON.parse(event.data); // made by this console's templates, which escape what people wrote
    if (!document.hidden) part.replaceChildren(found.content);
    part.removeAttribute("data-stale");
  });
  source.onerror = () => {
    part.setAttribute("data-stale", "");
    // the browser tries again by itself, but not after an answer that is no stream: nothing samples yet, say
    if (source.readyState === EventSource.CLOSED) setTimeout(keepLive, 5000, part);
  };
}

document.querySelectorAll("[data-live]").forEach(keepLive);

document.querySelectorAll("select[data-go]").forEach((select) => {
  select.addEventListener("change", () => {
    location.href = select.dataset.go.replace("{}", encodeURIComponent(select.value));
  });
});

document.querySelectorAll("[data-copy]").forEach((button) => {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
});

// An opened question closes when somebody presses Escape or clicks elsewhere.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.act[open]").forEach((open) => open.removeAttribute("open"));
});
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.act[open]").forEach((open) => {
    if (!open.contains(event.target)) open.removeAttribute("open");
  });
});

// A key presses the button that names it, unless somebody is writing.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.closest("input, select, textarea")) return;
  const button = [...document.querySelectorAll("button[data-press]")].find((one) => one.dataset.press === event.key.toLowerCase());
  if (button) {
    event.preventDefault();
    button.click();
  }
});

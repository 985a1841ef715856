mermaid.initialize({ startOnLoad: true, theme: "neutral", flowchart: { wrappingWidth: 420 } });

// Errors and commands were one page each: an address with the anchor of one leads on to where it is now.
document.addEventListener("DOMContentLoaded", () => {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const target = named?.matches("a:empty") && named.nextElementSibling;
  if (/\/(errors|commands)\.html$/.test(location.pathname) && target?.href) location.replace(target.href);
});

// The search. A whole code that is typed comes first, at its row; parts of codes come after the pages that match.
const EXCERPT = 240;

function searchScore([page, , , , score, , kind]) {
  if (kind !== "index") return score;
  return score < 100 ? 1 : score + (page.includes("/errors/") ? 1 : 0);
}

function excerpt(link, words) {
  const path = new URL(link.href);
  const page = decodeURIComponent(path.pathname.slice(new URL(".", location.href).pathname.length));
  const text = window.pageTexts[page.replace(/\.html$/, "")] ?? "";
  const row = path.hash && text.indexOf(`\n${decodeURIComponent(path.hash.slice(1))} ·`) + 1;
  const found = words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0);
  const start = row || Math.max(0, Math.min(...(found.length ? found : [0])) - EXCERPT / 2);
  const end = start + EXCERPT;
  const shown = document.createElement("p");
  shown.className = "context";
  shown.textContent = `${start && !row ? "…" : ""}${text.slice(start, end).trim()}${end < text.length ? "…" : ""}`;
  return shown;
}

document.addEventListener("DOMContentLoaded", () => {
  const results = document.getElementById("search-results");
  if (!results) return;
  if (window.Scorer) window.Scorer.score = searchScore;
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const addExcerpts = () => {
    for (const link of results.querySelectorAll("li:not(:has(.context)) > a")) link.parentElement.append(excerpt(link, words));
  };
  // A script, because a page that was opened as a file may not fetch another file.
  const texts = document.createElement("script");
  texts.src = new URL("_static/texts.js", location.href).href;
  texts.onload = () => {
    addExcerpts();
    new MutationObserver(addExcerpts).observe(results, { childList: true, subtree: true });
  };
  document.head.append(texts);
});

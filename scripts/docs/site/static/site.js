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
  const address = new URL(link.href);
  const page = decodeURIComponent(address.pathname.slice(new URL(".", location.href).pathname.length));
  const text = window.pageTexts[page.replace(/\.html$/, "")] ?? "";
  const code = decodeURIComponent(address.hash.slice(1));
  const row = code && text.split("\n").find((line) => line.startsWith(`${code} · `));
  return row || around(text, words);
}

function around(text, words) {
  const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0);
  const start = Math.max(0, (places[0] ?? 0) - EXCERPT / 2);
  const end = start + EXCERPT;
  return `${start ? "…" : ""}${text.slice(start, end).trim()}${end < text.length ? "…" : ""}`;
}

function addExcerpt(link, words) {
  const shown = document.createElement("p");
  shown.className = "context";
  shown.textContent = excerpt(link, words);
  link.parentElement.append(shown);
}

document.addEventListener("DOMContentLoaded", () => {
  const results = document.getElementById("search-results");
  if (!results) return;
  if (window.Scorer) window.Scorer.score = searchScore;
  const query = (new URLSearchParams(location.search).get("q") ?? "").trim().toLowerCase();
  // What is found is found by its stem.
  const stems = query.split(/[^\p{L}\p{N}_]+/u).filter(Boolean).map((word) => new Stemmer().stemWord(word));
  const addExcerpts = () => {
    for (const link of results.querySelectorAll("li:not(:has(.context)) > a")) addExcerpt(link, [query, ...stems]);
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

mermaid.initialize({ startOnLoad: true, theme: "neutral", flowchart: { wrappingWidth: 420 } });

// Errors and commands were one page each: an address with the anchor of one leads on to where it is now.
document.addEventListener("DOMContentLoaded", () => {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const target = named?.matches("a:empty") && named.nextElementSibling;
  if (/\/(errors|commands)\.html$/.test(location.pathname) && target?.href) location.replace(target.href);
});

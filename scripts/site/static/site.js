// Text keeps its size: a wide diagram is moved sideways, not made small.
mermaid.initialize({
  startOnLoad: true,
  theme: "neutral",
  flowchart: { useMaxWidth: false, wrappingWidth: 340 },
  sequence: { useMaxWidth: false },
});

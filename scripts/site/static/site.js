mermaid.initialize({ startOnLoad: true, theme: "neutral", flowchart: { wrappingWidth: 420 } });

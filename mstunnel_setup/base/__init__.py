"""The vocabulary of all layers: errors, results, paths, text, redaction and templates."""

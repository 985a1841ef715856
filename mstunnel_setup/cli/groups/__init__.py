"""Groups of commands of `mst-cli`, each imported when a command line names it."""

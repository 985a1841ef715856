"""What every command line uses: options, console, rendering, translation."""

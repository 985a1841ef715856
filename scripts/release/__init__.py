"""What only who publishes a release needs: version, sources, provenance, checksums and feed."""

"""The tenant as files: server configurations, sites and thresholds, declared, judged, compared, applied."""

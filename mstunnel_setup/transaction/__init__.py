"""Actions, journal, receipt, runner and lock of a resumable run. Nothing here is specific to Tunnel."""

"""Files that agent, gateway and host share: requests and replies, reports, releases and their history."""
